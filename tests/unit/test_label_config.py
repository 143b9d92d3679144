"""The label config: whatever the species are called, Label Studio gets XML that says just that."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LabelStudioError, SourceError
from pipeline.label_studio import config
from pipeline.label_studio.species import parse_species
from pipeline.records import EMPTY, UNSURE

SHOWABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="#$"), min_size=1
)


@given(st.lists(SHOWABLE.filter(str.strip), min_size=1, max_size=60))
def test_any_species_list_renders_to_xml_that_reads_back_to_the_same_names(lines: list[str]) -> None:
    try:
        names = list(parse_species("\n".join(lines), "species.txt").names)
    except SourceError:
        return  # only reserved names, or one too long
    rendered = config.render(names)
    assert config.species_of(rendered) == names
    assert list(config.offered(rendered)) == [*names, EMPTY, UNSURE]


def test_empty_and_unsure_keep_their_keys_however_many_species_there_are() -> None:
    for count in (1, 30, 200):
        offered = config.offered(config.render([f"species {number}" for number in range(count)]))
        assert (offered[EMPTY], offered[UNSURE]) == ("0", "-")


def test_the_first_nine_species_have_the_digits_and_no_key_is_given_twice() -> None:
    offered = config.offered(config.render([f"species {number}" for number in range(60)]))
    assert list(offered.values())[:9] == list("123456789")
    keys = [key for key in offered.values() if key]
    assert len(keys) == len(set(keys)) == len(config.HOTKEYS) + 2


def test_keys_that_label_studio_takes_for_itself_are_left_to_it() -> None:
    assert not set("uv") & set(config.HOTKEYS)


def test_a_species_put_first_does_not_move_the_keys_that_annotators_know() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["badger", "deer", "fox"], before))
    assert list(after)[:3] == ["badger", "deer", "fox"]
    assert (after["deer"], after["fox"], after["badger"]) == ("1", "2", "3")


def test_a_freed_key_goes_to_the_next_new_species() -> None:
    before = config.offered(config.render(["deer", "fox"]))
    after = config.offered(config.render(["fox", "lynx"], before))
    assert (after["fox"], after["lynx"]) == ("2", "1")


def test_characters_of_xml_are_part_of_a_name_like_any_other() -> None:
    name = "cat & \"dog\" <x> 'y'"
    rendered = config.render([name])
    ET.fromstring(rendered)
    assert config.species_of(rendered) == [name]


def test_configs_written_differently_are_the_same() -> None:
    rendered = config.render(["deer"])
    assert config.same(rendered, rendered.replace(">\n", ">\n\n   "))
    assert not config.same(rendered, config.render(["fox"]))
    assert not config.same(rendered, "<View>")


def test_a_config_without_our_control_is_refused_with_a_remedy() -> None:
    with pytest.raises(LabelStudioError, match="no <Choices name='species'>"):
        config.offered("<View><Choices name='other' toName='crop'/></View>")
    with pytest.raises(LabelStudioError, match="not XML"):
        config.offered("<View>")


def test_the_screen_shows_what_a_task_has() -> None:
    shown = {
        element.get("value") for element in ET.fromstring(config.template()).iter() if element.get("value")
    }
    assert {"$crop", "$frame", "$location", "$datetime", "$file_name"} <= shown
