"""The label config: valid XML for species of any name, and stable hotkeys."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LabelStudioError, SourceError
from pipeline.label_studio import config
from pipeline.label_studio.choices import with_added, with_replaced
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


def test_the_first_nine_species_have_the_digits_and_all_keys_differ() -> None:
    offered = config.offered(config.render([f"species {number}" for number in range(60)]))
    assert list(offered.values())[:9] == list("123456789")
    keys = [key for key in offered.values() if key]
    assert len(keys) == len(set(keys)) == len(config.HOTKEYS) + 2


def test_keys_of_label_studio_itself_are_not_used() -> None:
    assert not set("uv") & set(config.HOTKEYS)


def test_a_new_first_species_does_not_change_present_keys() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["badger", "deer", "fox"], before))
    assert list(after)[:3] == ["badger", "deer", "fox"]
    assert (after["deer"], after["fox"], after["badger"]) == ("1", "2", "3")


def test_a_new_species_gets_the_key_of_a_removed_one() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["fox", "lynx"], before))
    assert (after["fox"], after["lynx"]) == ("2", "1")


def test_names_may_contain_special_characters_of_xml() -> None:
    name = "cat & \"dog\" <x> 'y'"
    rendered = config.render([name])
    ET.fromstring(rendered)
    assert config.species_of(rendered) == [name]


def test_hints_are_shown_beside_the_choices_and_change_nothing_else() -> None:
    rendered = config.render(["fox", "deer"], hints={"fox": "Vulpes vulpes", "lynx": "Lynx lynx"})
    choices = {each.get("value"): each.get("hint") for each in ET.fromstring(rendered).iter("Choice")}
    assert choices == {"fox": "Vulpes vulpes", "deer": None, EMPTY: None, UNSURE: None}
    assert config.offered(rendered) == config.offered(config.render(["fox", "deer"]))


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


def test_the_screen_shows_the_fields_of_a_task() -> None:
    shown = {
        element.get("value") for element in ET.fromstring(config.template()).iter() if element.get("value")
    }
    assert {"$crop", "$frame", "$location", "$datetime", "$file_name"} <= shown


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
