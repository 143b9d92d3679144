"""The label config: valid XML for species of any name, and stable hotkeys."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LabelStudioError, SourceError
from pipeline.label_studio import config
from pipeline.label_studio.choices import with_added, with_replaced
from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.controls import NOT_IN_LIST
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.species import parse_species
from pipeline.records import EMPTY, UNSURE

DISPLAYABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="#$"), min_size=1
)


@given(st.lists(DISPLAYABLE.filter(str.strip), min_size=1, max_size=60))
def test_any_species_list_renders_to_xml_that_reads_back_to_the_same_names(lines: list[str]) -> None:
    try:
        names = list(parse_species("\n".join(lines), "species.txt").names)
    except SourceError:
        return  # only reserved names, or a name that is too long
    rendered = config.render(names)
    assert config.species_of(rendered) == names
    assert list(config.offered(rendered)) == [*names, EMPTY, UNSURE]


def test_empty_and_unsure_have_the_same_keys_for_any_number_of_species() -> None:
    for count in (1, 30, 200):
        offered = config.offered(config.render([f"species {number}" for number in range(count)]))
        assert (offered[EMPTY], offered[UNSURE]) == ("0", "-")


def test_in_a_project_of_few_species_each_has_a_letter() -> None:
    few = [f"species {number}" for number in range(len(keys.LETTERS))]
    assert list(config.offered(config.render(few)).values()) == [*keys.LETTERS, "0", "-"]
    many = config.offered(config.render([*few, "one more"]))
    assert [key for key in many.values() if key] == ["0", "-"]


def test_letters_stay_when_a_project_outgrows_them() -> None:
    few = [f"species {number}" for number in range(len(keys.LETTERS))]
    before = config.offered(config.render(few))
    rendered = config.offered(config.render([*few, "one more"], before))
    assert rendered == config.offered(with_added(config.render(few), ["one more"]))
    assert {name: rendered[name] for name in before} == before
    assert rendered["one more"] == ""


def test_people_and_vehicles_have_the_keys_of_every_screen() -> None:
    offered = config.offered(config.render(["deer", "Human", "vehicle"]))
    assert offered == {"deer": "q", "Human": keys.PERSON, "vehicle": keys.VEHICLE, EMPTY: "0", UNSURE: "-"}


def test_keys_of_label_studio_and_of_the_view_are_no_letters() -> None:
    assert not set("uvh") & set(keys.LETTERS)
    assert not {keys.BRIGHTER, keys.CONTRAST, keys.ORIGINAL} & set(keys.LETTERS)


def test_label_studio_acts_on_no_key_of_the_lists() -> None:
    root = ET.fromstring(config.render(["deer", "fox"], former=["boar"]))
    for choices in config.lists_of(root):
        assert not any(choice.get("hotkey") for choice in choices.iter("Choice"))


def test_every_question_offers_the_same_species() -> None:
    rendered = config.render(["deer", "fox"], former=["boar"], options=ScreenOptions(several=True))
    for changed in (
        rendered,
        with_added(rendered, ["lynx"]),
        with_replaced(rendered, ["fox"], "elk", used=["fox"]),
    ):
        lists = config.lists_of(ET.fromstring(changed))
        names = [choices.get("name", "").removesuffix("_{{idx}}") for choices in lists]
        assert names == ["another", "also", "all_another", "struck_another"]
        words = [[config.word_of(choice) for choice in choices.iter("Choice")] for choices in lists]
        without = [[word for word in each if word != NOT_IN_LIST] for each in words]
        assert all(each == without[0] for each in without)
        assert [NOT_IN_LIST in each for each in words] == [True, False, True, True]


def test_a_new_first_species_does_not_change_present_keys() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["badger", "deer", "fox"], before))
    assert list(after)[:3] == ["badger", "deer", "fox"]
    assert (after["deer"], after["fox"], after["badger"]) == ("q", "w", "e")


def test_a_new_species_gets_the_key_of_a_removed_one() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["fox", "lynx"], before))
    assert (after["fox"], after["lynx"]) == ("w", "q")


def test_names_may_contain_special_characters_of_xml() -> None:
    name = "cat & \"dog\" <x> 'y'"
    rendered = config.render([name])
    ET.fromstring(rendered)
    assert config.species_of(rendered) == [name]


def test_the_search_finds_scientific_names_and_annotations_store_the_word() -> None:
    rendered = config.render(["fox", "deer"], hints={"fox": "Vulpes vulpes", "lynx": "Lynx lynx"})
    (first, *_) = config.lists_of(ET.fromstring(rendered))
    assert [choice.get("value") for choice in first] == ["fox · Vulpes vulpes", "deer", NOT_IN_LIST]
    assert config.offered(rendered) == config.offered(config.render(["fox", "deer"]))
    renamed = with_replaced(rendered, ["fox"], "red fox", used=[])
    assert 'value="red fox · Vulpes vulpes"' in renamed
    assert config.species_of(renamed) == ["red fox", "deer"]
    merged = with_replaced(rendered, ["fox", "deer"], "mammal", used=[])
    assert "Vulpes" not in merged  # the scientific name of one of them


def test_only_what_the_project_asks_is_on_the_screen() -> None:
    def names(options: ScreenOptions) -> set[str]:
        root = ET.fromstring(config.render(["fox"], options=options))
        return {each.get("name", "").removesuffix("_{{idx}}") for each in root.iter() if each.get("name")}

    plain, full = (
        names(ScreenOptions()),
        names(ScreenOptions(count=True, sex=True, several=True, comment=True)),
    )
    asked = {"count", "group_count", "sex", "also", "find_also", "comment", "group_comment"}
    assert full - plain == asked
    assert {"species", "another", "struck", "box"} <= plain
    behaviour = config.render(["fox"], options=ScreenOptions(behaviour=("eats & drinks",)))
    assert 'value="eats &amp; drinks"' in behaviour


def test_no_answer_is_required() -> None:
    assert "required" not in config.render(["fox"])  # its window would cover the pictures


def test_configs_that_differ_in_formatting_are_the_same() -> None:
    rendered = config.render(["deer"])
    assert config.same(rendered, rendered.replace(">\n", ">\n\n   "))
    assert not config.same(rendered, config.render(["fox"]))
    assert not config.same(rendered, "<View>")


def test_a_config_without_the_species_control_is_an_error() -> None:
    with pytest.raises(LabelStudioError, match="no <Choices name='species'>"):
        config.offered("<View><Choices name='other' toName='crop'/></View>")
    with pytest.raises(LabelStudioError, match="not valid XML"):
        config.offered("<View>")


BY_HAND = """<View><Header value="Look"/><Image name="crop" value="$crop"/>
<Choices name="species" toName="crop"><Header value="Deer"/>
<Choice value="roe deer" alias="Reh" hotkey="1" hint="Capreolus capreolus"/>
<Choice value="Red Fox" hotkey="f"/>
<Choice value="empty" hotkey="0"/></Choices></View>"""


def test_a_choice_made_by_hand_has_the_word_that_annotations_store() -> None:
    assert config.offered(BY_HAND) == {"Reh": "1", "Red Fox": "f", "empty": "0"}
    assert config.species_of(BY_HAND) == ["Reh", "Red Fox"]


def test_changing_one_choice_leaves_all_else_as_it_is() -> None:
    added = with_added(BY_HAND, ["badger"])
    assert list(config.offered(added)) == ["Reh", "Red Fox", "badger", "empty"]
    renamed = with_replaced(added, ["Red Fox"], "fox", used=[])
    assert config.offered(renamed) == {"Reh": "1", "fox": "f", "badger": "2", "empty": "0"}
    assert config.former(renamed) == []
    assert '<Header value="Look"' in renamed
    assert '<Header value="Deer"' in renamed
    assert "Style" not in renamed


def test_words_that_annotations_use_are_kept_out_of_sight() -> None:
    merged = with_replaced(BY_HAND, ["Reh", "Red Fox"], "mammal", used=["Red Fox"])
    assert config.offered(merged) == {"mammal": "1", "empty": "0"}
    assert config.former(merged) == ["Red Fox"]
    assert "hint" not in merged  # the scientific name of one of them
    assert ".former .lsf-choice:not(:has(.ant-radio-wrapper-checked)) { display: none; }" in merged
    back = with_added(merged, ["Red Fox"])
    assert list(config.offered(back)) == ["mammal", "Red Fox", "empty"]
    assert config.former(back) == []
