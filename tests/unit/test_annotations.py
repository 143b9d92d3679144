"""Reading annotations as Label Studio sends them, and JSON that is invalid."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import moment, read
from pipeline.label_studio.answers import Pick
from pipeline.records import Verdict


def choice(name: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "k3",
            "from_name": "species",
            "to_name": "crop",
            "type": "choices",
            "value": {"choices": [name]},
        }
    ]


def webhook_annotation(**changes: Any) -> dict[str, Any]:
    """As label-studio 1.23.2 sends it."""
    return {
        "id": 12,
        "result": choice("deer"),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-22T18:54:50.289432Z",
        "updated_at": "2026-11-22T18:54:50.940825Z",
        "lead_time": 2.5,
        "prediction": {"model_version": "v3", "score": 0.1, "result": choice("fox")},
        "result_count": 1,
        "unique_id": "1efab9c1-2642-4668-859d-90ef5beda8d2",
        "task": 5,
        "project": 1,
        "completed_by": 3,
        "updated_by": 3,
        **changes,
    }


def test_all_fields_of_an_annotation_in_a_webhook_are_read() -> None:
    annotation = read(webhook_annotation())
    assert annotation.uid == "1efab9c1-2642-4668-859d-90ef5beda8d2"
    assert (annotation.id, annotation.task_id, annotation.annotator) == (12, 5, "3")
    assert annotation.answer.single == Pick(verdict=Verdict.LABEL, category="deer")
    assert (annotation.is_skip, annotation.shown) == (False, "fox")
    assert annotation.updated_at == dt.datetime(2026, 11, 22, 18, 54, 50, 940825, tzinfo=dt.UTC)
    assert (annotation.lead_time, annotation.ground_truth, annotation.model_version) == (2.5, False, "v3")
    assert annotation.result == choice("deer")


@pytest.mark.parametrize(
    ("changes", "is_skip", "category"),
    [
        ({"was_cancelled": True, "result": []}, True, None),
        ({"was_cancelled": True}, True, "deer"),
        ({"was_cancelled": True, "result": [None]}, True, None),
        ({"result": []}, False, None),
        ({"result": None}, False, None),
        ({"result": choice("unsure")}, False, None),
        ({"result": choice("empty")}, False, "empty"),
        ({"result": choice("Snow Leopard")}, False, "snow leopard"),
    ],
)
def test_skips_and_answers_are_distinguished(
    changes: dict[str, Any], is_skip: bool, category: str | None
) -> None:
    annotation = read(webhook_annotation(**changes))
    assert (annotation.is_skip, annotation.answer.single.category) == (is_skip, category)


@pytest.mark.parametrize(
    ("control", "seen"), [("species", "fox"), ("suggested_0", "fox"), ("all_suggested_0", "fox"), ("x", None)]
)
def test_the_suggestion_of_a_prediction_is_read_from_every_screen(control: str, seen: str | None) -> None:
    prediction = {"result": [{**choice("fox")[0], "from_name": control}], "model_version": "v1"}
    assert read(webhook_annotation(prediction=prediction)).shown == seen


def test_a_task_list_contains_no_unique_id_and_the_whole_user() -> None:
    payload = webhook_annotation(completed_by={"id": 3, "email": "a@b.org"})
    del payload["unique_id"], payload["prediction"]
    annotation = read(payload)
    assert (annotation.uid, annotation.annotator) == (None, "3")
    assert (annotation.shown, annotation.model_version) == (None, None)


@pytest.mark.parametrize("prediction", [None, {}, {"result": None}, {"result": "x"}, {"result": [3]}, "x"])
def test_a_prediction_of_unknown_format_shows_no_category(prediction: Any) -> None:
    assert read(webhook_annotation(prediction=prediction)).shown is None


def test_an_annotation_of_a_deleted_user_has_no_annotator() -> None:
    assert read(webhook_annotation(completed_by=None)).annotator is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "annotation",
        {},
        webhook_annotation(id="12"),
        webhook_annotation(id=True),
        webhook_annotation(task=None),
        webhook_annotation(updated_at=None),
        webhook_annotation(updated_at="yesterday"),
        webhook_annotation(result="deer"),
        webhook_annotation(result=[None]),
        webhook_annotation(result=[{"from_name": "species"}]),
        webhook_annotation(result=[{"from_name": "species", "value": {"choices": [7]}}]),
    ],
)
def test_an_invalid_annotation_is_an_error(broken: Any) -> None:
    with pytest.raises(LabelStudioError):
        read(broken)


def test_times_without_a_zone_are_utc() -> None:
    assert moment("2026-11-22T18:54:50") == dt.datetime(2026, 11, 22, 18, 54, 50, tzinfo=dt.UTC)
