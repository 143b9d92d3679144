"""Annotations as Label Studio sends them: in webhooks, lists of tasks and exports.

Webhooks and exports contain the annotation's `unique_id` and the prediction that the annotator saw; lists
of tasks contain neither (Label Studio 1.23.2). A webhook about a deleted annotation contains only its id,
and Label Studio reuses ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio.answers import Answer, read_answer


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One state of one annotation of one task, with the names that the store replaces by ids."""

    uid: str | None  # None in a list of tasks
    id: int
    task_id: int
    answer: Answer
    is_skip: bool
    shown: str | None  # category of the prediction that the annotator saw
    annotator: str | None
    updated_at: dt.datetime  # with a time zone
    lead_time: float | None  # seconds
    ground_truth: bool
    model_version: str | None  # of the prediction that the annotator saw
    result: Any  # the `result` JSON of Label Studio, unchanged


def read(payload: Any) -> Annotation:
    """The annotation in `payload`, as Label Studio's JSON. Raises LabelStudioError if it is invalid."""
    if not isinstance(payload, Mapping):
        raise LabelStudioError(f"an annotation must be an object, not {type(payload).__name__}")
    number = _integer(payload, "id")
    result, is_skip = payload.get("result"), bool(payload.get("was_cancelled"))
    try:
        answer = read_answer(result or [])
    except LabelStudioError as exc:
        if not is_skip:
            raise LabelStudioError(f"annotation {number}: {exc}") from exc
        answer = Answer()
    prediction = payload.get("prediction")
    uid = payload.get("unique_id")
    return Annotation(
        uid=str(uid) if uid else None,
        id=number,
        task_id=_integer(payload, "task"),
        answer=answer,
        is_skip=is_skip,
        shown=_shown(prediction),
        annotator=_annotator(payload.get("completed_by")),
        updated_at=moment(payload.get("updated_at")),
        lead_time=_number(payload.get("lead_time")),
        ground_truth=bool(payload.get("ground_truth")),
        model_version=_model_version(prediction),
        result=result,
    )


def moment(text: Any) -> dt.datetime:
    """A time in Label Studio's JSON, with a time zone. Raises LabelStudioError if it is not a time."""
    try:
        parsed = text if isinstance(text, dt.datetime) else dt.datetime.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise LabelStudioError(f"{text!r} is not a valid time") from exc
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _integer(payload: Mapping[str, Any], name: str) -> int:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise LabelStudioError(f"{name!r} of an annotation must be a number, not {value!r}")
    return value


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _annotator(completed_by: Any) -> str | None:
    """The annotator's user id; lists of tasks sometimes contain the whole user."""
    user = completed_by.get("id") if isinstance(completed_by, Mapping) else completed_by
    return None if user is None else str(user)


def _shown(prediction: Any) -> str | None:
    if not isinstance(prediction, Mapping):
        return None
    try:
        seen = read_answer(prediction.get("result") or [])
    except LabelStudioError:
        return None  # a prediction by another program, without a category
    return seen.single.category or seen.every.category


def _model_version(prediction: Any) -> str | None:
    version = prediction.get("model_version") if isinstance(prediction, Mapping) else None
    return str(version) if version else None
