"""Reading what annotators answered, from the results of the screens' controls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LabelStudioError
from pipeline.label_studio.answers import Answer, Pick, read_answer
from pipeline.label_studio.results import choice_result
from pipeline.label_studio.screen import controls
from pipeline.records import Box, Verdict, category_name
from pipeline.vocabulary import meaning_of
from tests.helpers.results import chose, drew, typed

NAMES = (
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
    .map(category_name)
    .filter(lambda name: name and meaning_of(name) is None)
)
NOTHING = Pick()


def label(category: str, *, suggested: str | None = None, proposed: str | None = None) -> Pick:
    return Pick(verdict=Verdict.LABEL, category=category, suggested=suggested, proposed=proposed)


# --- one crop


@given(NAMES, st.none() | st.floats(0, 1))
def test_a_category_in_a_prediction_of_earlier_releases_reads_back(
    name: str, probability: float | None
) -> None:
    assert read_answer(choice_result(name, probability)).single == label(category_name(name))


def test_a_result_of_earlier_releases_contains_the_probability() -> None:
    assert choice_result("fox", 0.75)[0]["score"] == 0.75
    assert "score" not in choice_result("fox", None)[0]


@pytest.mark.parametrize("control", ["species", "species_0"])
@pytest.mark.parametrize(
    ("choices", "pick"),
    [
        (["Red  Fox"], label("red fox")),
        (["empty"], label("empty")),
        (["unsure"], Pick(verdict=Verdict.UNSURE)),
        (["Nothing"], label("empty")),
        (["__background__", "no animal"], label("empty")),
        (["Unidentifiable"], Pick(verdict=Verdict.UNSURE)),
        (["animal"], Pick(verdict=Verdict.UNSURE)),
        (["Person"], label("person")),
        (["fox", "deer"], Pick(verdict=Verdict.UNSURE)),
        (["fox", "unsure"], Pick(verdict=Verdict.UNSURE)),
        (["fox", "Fox"], label("fox")),
        ([], NOTHING),
    ],
)
def test_choices_name_a_category_or_leave_it_open(control: str, choices: list[str], pick: Pick) -> None:
    assert read_answer([chose(control, *choices)]).single == pick


def test_without_an_answer_the_suggestion_on_the_screen_is_kept() -> None:
    suggested = chose("suggested_0", "Roe deer")
    assert read_answer([suggested]).single == label("roe deer", suggested="roe deer")
    assert read_answer([suggested, chose("species_0", "red fox")]).single == label(
        "red fox", suggested="roe deer"
    )
    assert read_answer([suggested, chose("species_0", "unsure")]).single == Pick(
        verdict=Verdict.UNSURE, suggested="roe deer"
    )
    assert read_answer([]).single == NOTHING


def test_another_species_comes_from_the_list_and_else_from_what_was_typed() -> None:
    another = chose("species_0", "another species")
    assert read_answer([another, chose("another_0", "Wild boar")]).single == label("wild boar")
    unlisted = [another, chose("another_0", "not in the list")]
    assert read_answer([*unlisted, typed("name_0", "Kinkajou ")]).single == label(
        "kinkajou", proposed="kinkajou"
    )


@pytest.mark.parametrize(
    ("name", "pick"),
    [
        ("don't know", label("don't know", proposed="don't know")),
        ("unknown", Pick(verdict=Verdict.UNSURE)),
        ("nothing", label("empty")),
        ("x" * 81, NOTHING),
        ("$name", NOTHING),
        ("fox\x00", NOTHING),
        ("  ", NOTHING),
    ],
)
def test_a_typed_name_is_checked_like_one_of_a_species_list(name: str, pick: Pick) -> None:
    unlisted = [chose("species_0", "another species"), chose("another_0", "not in the list")]
    assert (
        read_answer([chose("count_0", "2"), chose("struck_0", "d1"), *unlisted, typed("name_0", name)]).single
        == pick
    )


def test_another_species_that_nobody_named_is_no_answer_and_does_not_keep_the_suggestion() -> None:
    started = [chose("suggested_0", "deer"), chose("species_0", "another species")]
    assert read_answer(started).single == Pick(suggested="deer")
    assert read_answer([*started, chose("another_0", "not in the list")]).single == Pick(suggested="deer")


def test_a_list_that_nobody_opened_is_ignored() -> None:
    stray = [chose("another_0", "wild boar"), typed("name_0", "kinkajou")]
    assert read_answer([*stray, chose("species_0", "fox")]).single == label("fox")
    assert read_answer([*stray, chose("suggested_0", "deer")]).single == label("deer", suggested="deer")
    assert read_answer(stray).single == NOTHING


def test_attributes_of_a_crop_are_read() -> None:
    answer = read_answer(
        [
            chose("species_0", "deer"),
            chose("count_0", "4 or more"),
            chose("sex_0", "female"),
            chose("age_0", "adult"),
            chose("behaviour_0", "eating", "drinking"),
            chose("also_0", "Red Fox", "empty", "unknown"),
            typed("comment_0", "by the water ", "and gone"),
            chose("flags_0", "expert"),
        ]
    )
    assert answer.attributes == {
        "count": 4,
        "sex": "female",
        "age": "adult",
        "behaviour": ["eating", "drinking"],
        "also": ["red fox"],
        "comment": "by the water\nand gone",
        "expert": True,
    }
    assert read_answer([chose("species_0", "deer")]).attributes == {}


@pytest.mark.parametrize("words", [("many",), ("0",), ("2", "3"), ("",), ("٣",)])
def test_a_count_that_is_no_number_is_left_out(words: tuple[str, ...]) -> None:
    assert read_answer([chose("species_0", "deer"), chose("count_0", *words)]).attributes == {}


# --- a group


def test_of_a_group_all_that_is_not_struck_has_one_answer() -> None:
    suggested = chose("all_suggested_0", "deer")
    answer = read_answer([suggested, chose("struck_0", "d3", "d1", "d3")])
    assert answer.every == label("deer", suggested="deer")
    assert (answer.struck, answer.struck_are) == (("d3", "d1"), NOTHING)
    assert answer.single == NOTHING
    assert read_answer([suggested, chose("all_0", "hare")]).every == label("hare", suggested="deer")


def test_what_was_struck_can_get_its_species_at_once() -> None:
    struck = chose("struck_0", "d3")
    named = [struck, chose("struck_species_0", "another species"), chose("struck_another_0", "Wild Boar")]
    assert read_answer([struck, chose("struck_species_0", "fox")]).struck_are == label("fox")
    assert read_answer([struck, chose("struck_species_0", "one by one")]).struck_are == NOTHING
    assert read_answer(named).struck_are == label("wild boar")
    named[2] = chose("struck_another_0", "not in the list")
    assert read_answer([*named, typed("struck_name_0", "kinkajou")]).struck_are == label(
        "kinkajou", proposed="kinkajou"
    )


def test_count_and_comment_of_a_group_are_read() -> None:
    answer = read_answer([chose("all_0", "deer"), chose("group_count_0", "3"), typed("group_comment_0", "a")])
    assert (answer.attributes, answer.group_attributes) == ({}, {"sequence_count": 3, "comment": "a"})


# --- a whole photograph


def test_boxes_that_a_person_drew_or_moved_are_read_and_the_others_not() -> None:
    answer = read_answer(
        [
            drew("prediction", x=1, y=1, width=5, height=5),
            drew("prediction-changed", x=10, y=20, width=30, height=40),
            drew("manual", x=-5, y=50.0, width=10, height=100),
            drew("manual", x=50, y=50, width=0, height=5),
            drew("manual", x="50", y=50, width=5, height=5),
            drew("manual", x=50, y=50, width=5, height=5, rotation=30),
        ]
    )
    sides = [(each.box.x1, each.box.y1, each.box.x2, each.box.y2) for each in answer.boxes]
    assert [[round(side, 6) for side in of_box] for of_box in sides] == [
        [0.1, 0.2, 0.4, 0.6],
        [0.0, 0.5, 0.05, 1.0],
    ]
    assert [each.moved for each in answer.boxes] == [True, False]


def test_a_photograph_can_show_no_animal() -> None:
    assert read_answer([chose("photo_empty_0", "no animal")]).shows_no_animal
    assert not read_answer([]).shows_no_animal


# --- what cannot be read


@pytest.mark.parametrize(
    "result",
    [
        "deer",
        {"species": "deer"},
        7,
        [None],
        [{"from_name": 3}],
        [{"from_name": "species"}],
        [{"from_name": "species_0", "value": None}],
        [{"from_name": "species_0", "value": "deer"}],
        [chose("species_0", 7)],
        [chose("species_0", "\ud800")],
        [drew("manual", x=None)],
    ],
)
def test_a_result_of_which_nothing_can_be_read_is_an_error(result: Any) -> None:
    with pytest.raises(LabelStudioError):
        read_answer(result)


def test_a_malformed_value_costs_itself() -> None:
    broken = {"from_name": "count_0", "value": None}
    answer = read_answer([None, broken, chose("sex_0", 3), chose("species_0", "fox", None)])
    assert answer == Answer(single=label("fox"))


def test_a_malformed_answer_does_not_keep_the_suggestion() -> None:
    with pytest.raises(LabelStudioError, match="species_0"):
        read_answer([chose("suggested_0", "deer"), {"from_name": "species_0", "value": None}])


def test_if_it_is_not_known_what_was_struck_nothing_is_confirmed() -> None:
    for struck in ({"from_name": "struck_0"}, chose("struck_0", "d1", 7)):
        with pytest.raises(LabelStudioError, match="struck_0"):
            read_answer([chose("all_0", "deer"), struck])


def test_results_of_other_controls_are_ignored() -> None:
    others = [
        typed("note", "odd"),
        chose("view_0", "brighter"),
        chose("species_1", "deer"),
        {"from_name": "x"},
    ]
    assert read_answer(others) == Answer()
    assert read_answer([*others, chose("species_0", "fox")]) == Answer(single=label("fox"))


CONTROLS = sorted(
    value for value in vars(controls).values() if isinstance(value, str) and value.endswith("_0")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
WORDS = st.lists(
    st.sampled_from(["deer", "another species", "not in the list", "d1", "3"]) | JSON, max_size=3
)
VALUES = JSON | st.fixed_dictionaries(
    {},
    optional={
        "choices": WORDS,
        "text": WORDS | JSON,
        **dict.fromkeys(("x", "y", "width", "height"), st.floats() | JSON),
    },
)
ITEMS = JSON | st.fixed_dictionaries(
    {"from_name": st.sampled_from([*CONTROLS, "species"]) | JSON}, optional={"value": VALUES}
)


@given(JSON | st.lists(ITEMS, max_size=6))
def test_whatever_comes_is_read_or_refused(result: Any) -> None:
    try:
        answer = read_answer(result)
    except LabelStudioError:
        return
    for pick in (answer.single, answer.every, answer.struck_are):
        assert (pick.category is not None) == (pick.verdict is Verdict.LABEL)
        assert pick.category is None or pick.category == category_name(pick.category)
        assert pick.category is None or pick.category.encode()
    assert all(isinstance(each.box, Box) for each in answer.boxes)
    assert set(answer.attributes) <= {"count", "sex", "age", "behaviour", "also", "comment", "expert"}


@given(st.lists(ITEMS, max_size=5))
def test_garbage_beside_an_answer_never_changes_it(garbage: list[Any]) -> None:
    mine = {"species_0", "species", "another_0", "name_0", "struck_0"}
    garbage = [
        item
        for item in garbage
        if not isinstance(item, dict)
        or not isinstance(item.get("from_name"), str)
        or item["from_name"] not in mine
    ]
    pick = read_answer([chose("species_0", "fox"), *garbage]).single
    assert (pick.verdict, pick.category) == (Verdict.LABEL, "fox")
