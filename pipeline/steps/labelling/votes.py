"""What an annotation says of each detection that its task asks about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.label_studio.annotations import Annotation
from pipeline.label_studio.answers import Answer, Pick
from pipeline.records import EMPTY, TaskKind, TaskRecord, Verdict


@dataclass(frozen=True, kw_only=True)
class Vote:
    """What an annotation says of one detection, with names of categories."""

    detection_id: str
    verdict: Verdict
    category: str | None = None  # with Verdict.LABEL only
    shown: str | None = None  # the category that was suggested
    attributes: Mapping[str, Any] = field(default_factory=dict)


def votes(task: TaskRecord, annotation: Annotation, audited: Set[str]) -> list[Vote]:
    """One vote for each detection of the task; ids of others in the answer are ignored.

    What was struck out of a group has the species that was named with it, or none: then it waits to be asked
    about alone. So does a crop of the audit (`audited`), which is only ever judged alone and without a
    suggestion. Submitting without an answer is a skip, with the attribute `blank`: Label Studio leaves a task
    that somebody skips to others, and this one to nobody.
    """
    if is_marker(task, annotation):
        return []
    if annotation.is_skip:
        given = annotation.answer.attributes
        said = {name: given[name] for name in ("comment", "expert") if name in given}
        return [Vote(detection_id=id_, verdict=Verdict.SKIPPED, attributes=said) for id_ in task.detections]
    return [
        replace(vote, attributes={**vote.attributes, "blank": True})
        if vote.verdict is Verdict.SKIPPED
        else vote
        for vote in _submitted(task, annotation, audited)
    ]


def is_marker(task: TaskRecord, annotation: Annotation) -> bool:
    """Whether the task was created with this skip, which keeps it from an annotator."""
    return annotation.is_skip and task.kept_from is not None and annotation.annotator == task.kept_from


def _submitted(task: TaskRecord, annotation: Annotation, audited: Set[str]) -> Iterable[Vote]:
    answer = annotation.answer
    if task.kind is TaskKind.SINGLE:
        shown = answer.single.suggested or annotation.shown
        return [_alone(id_, answer, shown) for id_ in task.detections]
    if task.kind is TaskKind.FRAME:
        return [_of_photograph(id_, answer) for id_ in task.detections]
    return _of_group(task, annotation, audited)


def _alone(detection_id: str, answer: Answer, shown: str | None) -> Vote:
    attributes = dict(answer.attributes)
    if answer.boxes:
        attributes["boxes"] = _corners(answer)
    return _vote(detection_id, answer.single, shown, attributes)


def _of_photograph(detection_id: str, answer: Answer) -> Vote:
    """A photograph with a box shows something, which the detection of the box is asked about."""
    if answer.boxes:
        return Vote(detection_id=detection_id, verdict=Verdict.UNSURE, attributes={"boxes": _corners(answer)})
    if answer.shows_no_animal:
        return Vote(detection_id=detection_id, verdict=Verdict.LABEL, category=EMPTY)
    return Vote(detection_id=detection_id, verdict=Verdict.SKIPPED)


def _of_group(task: TaskRecord, annotation: Annotation, audited: Set[str]) -> Iterator[Vote]:
    answer = annotation.answer
    shown = answer.every.suggested or annotation.shown
    struck = set(answer.struck)
    counted = answer.group_attributes
    uncounted = {name: value for name, value in counted.items() if name != "sequence_count"}
    for detection_id in task.detections:
        is_struck = detection_id in struck
        pick = answer.struck_are if is_struck else answer.every
        if detection_id in audited:
            yield Vote(detection_id=detection_id, verdict=Verdict.STRUCK)
        elif is_struck and pick.verdict is Verdict.SKIPPED:
            yield Vote(detection_id=detection_id, verdict=Verdict.STRUCK, shown=shown)
        else:
            # What was counted is what the others show.
            yield _vote(detection_id, pick, shown, uncounted if is_struck else counted)


def _vote(detection_id: str, pick: Pick, shown: str | None, attributes: Mapping[str, Any]) -> Vote:
    if pick.proposed is not None:
        attributes = {**attributes, "proposed": pick.proposed}
    return Vote(
        detection_id=detection_id,
        verdict=pick.verdict,
        category=pick.category,
        shown=shown,
        attributes=attributes,
    )


def _corners(answer: Answer) -> list[list[float]]:
    boxes = [each.box for each in answer.boxes]
    return [[round(side, 6) for side in (box.x1, box.y1, box.x2, box.y2)] for box in boxes]
