"""Label Studio's results: what Wildloop writes, it reads back unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.label_studio.results import choice_result, read_verdict
from pipeline.records import Verdict, category_name
from pipeline.vocabulary import meaning_of

NAMES = st.text(min_size=1).map(category_name).filter(lambda name: name and meaning_of(name) is None)


@given(NAMES, st.none() | st.floats(0, 1))
def test_a_category_in_a_prediction_reads_back_as_a_label(name: str, probability: float | None) -> None:
    assert read_verdict(choice_result(name, probability), False) == (Verdict.LABEL, category_name(name))


def test_the_result_contains_the_probability() -> None:
    assert choice_result("fox", 0.75)[0]["score"] == 0.75
    assert "score" not in choice_result("fox", None)[0]


@pytest.mark.parametrize(
    ("choices", "verdict"),
    [
        (["Red  Fox"], (Verdict.LABEL, "red fox")),
        (["empty"], (Verdict.LABEL, "empty")),
        (["unsure"], (Verdict.UNSURE, None)),
        (["Nothing"], (Verdict.LABEL, "empty")),
        (["__background__", "no animal"], (Verdict.LABEL, "empty")),
        (["Unidentifiable"], (Verdict.UNSURE, None)),
        (["animal"], (Verdict.UNSURE, None)),
        (["Person"], (Verdict.LABEL, "person")),
        (["fox", "deer"], (Verdict.UNSURE, None)),
        (["fox", "Fox"], (Verdict.LABEL, "fox")),
        ([], (Verdict.SKIPPED, None)),
    ],
)
def test_choices_give_a_verdict(choices: list[str], verdict: tuple[Verdict, str | None]) -> None:
    result = [{"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": choices}}]
    assert read_verdict(result, False) == verdict


def test_a_skipped_task_has_no_label_even_with_a_choice() -> None:
    assert read_verdict(choice_result("fox", None), True) == (Verdict.SKIPPED, None)


def test_results_of_other_controls_are_ignored() -> None:
    comment: dict[str, Any] = {"from_name": "comment", "type": "textarea", "value": {"text": ["odd"]}}
    assert read_verdict([comment], False) == (Verdict.SKIPPED, None)
    assert read_verdict([comment, *choice_result("fox", None)], False) == (Verdict.LABEL, "fox")
