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
from pipeline.label_studio.results import read_verdict
from pipeline.records import Verdict


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One state of one annotation, with the names that the store replaces by ids."""

    uid: str | None  # None in a list of tasks
    id: int
    task_id: int
    verdict: Verdict
    choice: str | None  # category name, with Verdict.LABEL only
    shown: str | None  # category name of the prediction that the annotator saw
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
    result = payload.get("result")
    try:
        verdict, choice = read_verdict(result or [], bool(payload.get("was_cancelled")))
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise LabelStudioError(f"annotation {number} has a result of an unknown format: {exc!r}") from exc
    prediction = payload.get("prediction")
    uid = payload.get("unique_id")
    return Annotation(
        uid=str(uid) if uid else None,
        id=number,
        task_id=_integer(payload, "task"),
        verdict=verdict,
        choice=choice,
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
        return read_verdict(prediction.get("result") or [], False)[1]
    except (AttributeError, LabelStudioError, LookupError, TypeError, ValueError):
        return None  # a prediction by another program, without a category


def _model_version(prediction: Any) -> str | None:
    version = prediction.get("model_version") if isinstance(prediction, Mapping) else None
    return str(version) if version else None
