"""What tasks show: options with keys, probabilities, pictures, and why they are asked."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.label_studio import config
from pipeline.label_studio.screen import controls, keys
from pipeline.label_studio.screen.group import columns
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import prediction_result, task_data
from pipeline.records import Purpose, TaskKind
from tests.helpers.screens import WORDS, asked, crop, sequence

EVERYTHING = ScreenOptions(
    count=True, sex=True, age=True, behaviour=("eating", "resting"), several=True, comment=True, boxes=True
)
NOTHING = ScreenOptions()
KINDS = list(TaskKind)
TAKEN = ("shift+1", "shift+2", "h", "v", "u")  # by Label Studio, on a picture that can be zoomed


def words_of(options: list[dict[str, Any]]) -> list[str]:
    return [each["value"] for each in options]


def keyed(options: list[dict[str, Any]]) -> dict[str, str]:
    return {each["value"]: each["hotkey"] for each in options}


def drawn(data: dict[str, Any], options: ScreenOptions, species: list[str]) -> Counter[str]:
    """How often each key acts on the screen of a task: by the config's options, and by the task's own."""
    root = ET.fromstring(config.render(species, options=options))
    found: Counter[str] = Counter()
    for repeater in root.iter("Repeater"):
        for item in data[repeater.get("on", "").removeprefix("$")]:
            elements = [
                each.get("hotkey", "") for each in repeater.iter() if each.tag in ("Choice", "Filter")
            ]
            lists = [each for each in item.values() if isinstance(each, list)]
            own = [each["hotkey"] for each in itertools.chain(*lists)]
            found.update(key for hotkey in (*elements, *own) for key in hotkey.split(","))
    return found


def question(kind: TaskKind, crops: int = 4, **more: Any) -> Any:
    number = 1 if kind in (TaskKind.SINGLE, TaskKind.FRAME) else crops
    return asked(*(crop(place) for place in range(number)), kind=kind, neighbours=sequence(7, 3), **more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("species", [8, 20, 40])
def test_no_two_controls_of_a_screen_share_a_key(kind: TaskKind, species: int) -> None:
    names = [*WORDS][:8] + [f"species {number}" for number in range(species - 8)]
    words = config.offered(config.render(names))
    data = task_data(question(kind, 60, words=words, count=3), EVERYTHING)
    acts = drawn(data, EVERYTHING, names)
    del acts[""]
    # The search opens with the answer that shows it: there the same key acts on both on purpose.
    both = {key: number for key, number in acts.items() if number > 1}
    assert both.keys() <= {keys.ANOTHER, keys.ALSO, keys.STRUCK_ANOTHER}
    assert all(number == 2 for number in both.values())
    if kind is TaskKind.SINGLE:
        assert not acts.keys() & set(TAKEN)


def test_label_studio_has_no_key_left_to_give() -> None:
    root = ET.fromstring(config.render(["fox"]))
    taken = {each.get("hotkey") for each in root.iter("Filter") if each.get("toName") == "head"}
    assert taken == set("1234567890qwetasdfgzxcvbyiopjklnm")


def test_the_likeliest_species_come_first_with_their_probabilities() -> None:
    choices = task_data(asked(), NOTHING)["single"][0]["choices"]
    assert words_of(choices) == [
        *("roe deer", "red deer", "wild boar", "red fox", "badger"),
        *("person", "vehicle", "empty", "unsure", "another species"),
    ]
    assert [each["hotkey"] for each in choices] == ["1", "2", "3", "4", "5", "8", "9", "0", "-", "="]
    assert "62%" in choices[0]["html"]
    assert "2%" in choices[4]["html"]


def test_a_suggestion_that_is_not_among_the_likeliest_comes_first() -> None:
    choices = task_data(asked(suggested="moose", probability=0.4), NOTHING)["single"][0]["choices"]
    assert words_of(choices)[:5] == ["moose", "roe deer", "red deer", "wild boar", "red fox"]


def test_a_project_of_few_species_shows_all_with_their_letters() -> None:
    words = config.offered(config.render(list(WORDS)[:8]))
    choices = keyed(task_data(asked(words=words), NOTHING)["single"][0]["choices"])
    assert choices["roe deer"] == f"1,{words['roe deer']}"
    assert choices["lynx"] == words["lynx"]
    assert choices["lynx"] in keys.LETTERS
    moved = task_data(asked(crop(likeliest=(("lynx", 0.9),)), suggested="lynx", words=words), NOTHING)
    assert keyed(moved["single"][0]["choices"])["lynx"] == f"1,{words['lynx']}"


def test_people_and_vehicles_have_the_words_of_the_project() -> None:
    words = {"fox": "", "human": "", "car": "", "empty": "0", "unsure": "-"}
    choices = keyed(task_data(asked(words=words), NOTHING)["single"][0]["choices"])
    assert (choices["human"], choices["car"]) == (keys.PERSON, keys.VEHICLE)
    assert "person" not in choices


def test_words_are_shown_as_text_whatever_they_contain() -> None:
    word = 'deer <b onclick="x">& "co"'
    data = task_data(asked(crop(likeliest=((word, 0.5),), place="<i>"), suggested=word), NOTHING)
    first = data["single"][0]["choices"][0]
    assert first["value"] == word
    assert "<b" not in first["html"]
    assert "&lt;i&gt;" in data["head"]


def test_nothing_is_chosen_until_a_person_chooses() -> None:
    (suggested,) = prediction_result(asked(), NOTHING)
    assert suggested == {
        "from_name": controls.SUGGESTED,
        "to_name": controls.CROP,
        "type": "choices",
        "value": {"choices": ["roe deer"]},
        "score": 0.62,
    }
    assert not any(each.get("selected") for each in task_data(asked(), NOTHING)["single"][0]["choices"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not TaskKind.FRAME])
def test_without_a_suggestion_nothing_is_predicted(kind: TaskKind) -> None:
    plain = question(kind, suggested=None, probability=None)
    data = task_data(plain, NOTHING)
    assert prediction_result(plain, NOTHING) == []
    (item,) = data["single"] or data["group"]
    assert item["suggested"] == []
    assert not any("suggested" in each["html"] for each in item["choices"])
    assert (data["species"], data["probability"]) == ("", "")


def test_a_group_is_suggested_for_all_its_crops() -> None:
    (suggested,) = prediction_result(question(TaskKind.BOARD), NOTHING)
    assert (suggested["from_name"], suggested["to_name"]) == (controls.ALL_SUGGESTED, controls.ASK)


def test_boxes_come_in_percent_of_the_photograph() -> None:
    _, box = prediction_result(asked(), EVERYTHING)
    value = box["value"]
    assert (value["x"], value["y"], value["width"], value["height"]) == (25.0, 25.0, 50.0, 25.0)
    assert (box["from_name"], box["to_name"]) == (controls.BOX, controls.PHOTO)


def test_the_original_and_the_sequence_are_loaded_when_they_are_looked_at() -> None:
    pictures = task_data(asked(neighbours=sequence(5, 2)), NOTHING)["single"][0]["pictures"]
    assert keyed(pictures)["original"] == keys.ORIGINAL
    assert 'src="/photos/0.jpg" alt="" loading="lazy"' in pictures[0]["html"]
    assert all(each["html"].count("<img") == each["html"].count('loading="lazy"') for each in pictures)


@pytest.mark.parametrize(
    ("number", "this", "expected"),
    [
        (3, 1, ["left", "", "right"]),
        (5, 2, ["shift+left", "left", "", "right", "shift+right"]),
        (5, 0, ["", "right", "shift+right", "", "end"]),
        (7, 4, ["home", "", "shift+left", "left", "", "right", "shift+right"]),
        (60, 30, ["home", "shift+left", "left", "", "right", "shift+right", "end"]),
        (60, 58, ["home", "", "", "shift+left", "left", "", "right"]),
        (1, 0, [""]),
    ],
)
def test_arrows_step_away_from_the_crop(number: int, this: int, expected: list[str]) -> None:
    pictures = task_data(asked(crop(original=None), neighbours=sequence(number, this)), NOTHING)
    given_keys = [each["hotkey"] for each in pictures["single"][0]["pictures"]]
    assert given_keys == expected


def test_the_options_of_a_board_are_detections() -> None:
    data = task_data(question(TaskKind.BOARD, 48), NOTHING)
    items = data["group"][0]["items"]
    assert words_of(items) == data["detections"] == [f"det{number}" for number in range(48)]
    assert len({each["hotkey"] for each in items}) == 48
    assert [each["hotkey"] for each in items][:9] == list("qwertyuia")


def test_crops_beyond_the_keys_can_still_be_clicked() -> None:
    items = task_data(question(TaskKind.BOARD, 60), NOTHING)["group"][0]["items"]
    assert [each["hotkey"] for each in items[52:]] == [""] * 8


def test_struck_crops_can_be_the_other_likely_species() -> None:
    struck = keyed(task_data(question(TaskKind.SEQUENCE), NOTHING)["group"][0]["struck"])
    assert "roe deer" not in struck  # what the others are
    assert struck["red deer"] == "shift+1"
    assert struck["one by one"] == keys.ONE_BY_ONE


def test_the_largest_number_in_one_frame_is_confirmed_by_a_key() -> None:
    counts = keyed(task_data(question(TaskKind.SEQUENCE, count=2), EVERYTHING)["group"][0]["counts"])
    assert counts["2"] == f"{keys.CONFIRM_COUNT},shift+w"
    assert counts["1"] == "shift+q"
    many = keyed(task_data(question(TaskKind.SEQUENCE, count=14), EVERYTHING)["group"][0]["counts"])
    assert many["10+"].startswith(keys.CONFIRM_COUNT)
    assert task_data(question(TaskKind.BOARD, count=2), EVERYTHING)["group"][0]["counts"] == []
    assert task_data(question(TaskKind.SEQUENCE, count=2), NOTHING)["group"][0]["counts"] == []


def test_photographs_without_animals_are_empty_or_unsure() -> None:
    (item,) = task_data(question(TaskKind.FRAMES, suggested="empty"), NOTHING)["group"]
    assert words_of(item["choices"]) == ["empty", "unsure"]
    assert item["struck"] == []


def test_a_photograph_can_be_without_animals() -> None:
    data = task_data(question(TaskKind.FRAME, suggested=None), NOTHING)
    assert keyed(data["photo"][0]["choices"]) == {controls.NO_ANIMAL: "0"}
    assert data["photo"][0]["labels"][0]["selected"]
    assert data["single"] == data["group"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_that_the_config_draws_is_in_the_task(kind: TaskKind) -> None:
    data = task_data(question(kind), EVERYTHING)
    root = ET.fromstring(config.render(["fox"], options=EVERYTHING))
    assert "head" in data
    for repeater in root.iter("Repeater"):
        name = repeater.get("on", "").removeprefix("$")
        fields = {
            each.get("value", "").partition("].")[2]
            for each in repeater.iter()
            if each.get("value", "").startswith("$")
        }
        for item in data[name]:
            assert fields == set(item) - {"leave"}


@pytest.mark.parametrize(
    ("purpose", "told"),
    [
        (Purpose.AUDIT, "random check, no suggestion on purpose"),
        (Purpose.OPINION, "second opinion"),
        (Purpose.EXPERT, "an annotator asks for an expert"),
    ],
)
def test_people_are_told_why_they_are_asked(purpose: Purpose, told: str) -> None:
    assert told in task_data(asked(purpose=purpose), NOTHING)["head"]
    assert (
        "<em>resembles lynx</em>"
        in task_data(asked(purpose=purpose, reason="resembles lynx"), NOTHING)["head"]
    )


def test_the_head_says_where_and_when() -> None:
    head = task_data(asked(), NOTHING)["head"]
    assert "<b>Site A</b><span>2026-05-02 03:14:00</span><span>infrared</span>" in head
    assert "<small>v7</small>" in head
    several = task_data(question(TaskKind.SEQUENCE, 3), NOTHING)["head"]
    assert "2026-05-02 03:14:00 – 03:14:02" in several
    assert "3 crops" in several
    apart = asked(crop(1), crop(2, place="Site B", infrared=None), kind=TaskKind.BOARD)
    assert "Site" not in task_data(apart, NOTHING)["head"]
    assert task_data(apart, NOTHING)["place"] == ""


@given(st.integers(1, 60), st.sampled_from([1.0, 4 / 3]), st.floats(0.5, 4))
def test_pictures_of_a_board_are_as_large_as_the_place_allows(number: int, shape: float, area: float) -> None:
    def height(beside: int) -> float:
        return min(area / beside / shape, 1 / -(-number // beside))

    chosen = columns(number, shape, area)
    assert height(chosen) >= max(map(height, range(1, number + 1))) - 1e-5


def test_options_survive_their_storage() -> None:
    assert ScreenOptions.from_json(EVERYTHING.to_json()) == EVERYTHING
    assert ScreenOptions.from_json(None) == NOTHING
    assert ScreenOptions.from_json({"sex": True, "of a later release": 1}) == ScreenOptions(sex=True)
