"""Label Studio's annotations -> oracle, and in the same transaction, the detections' current labels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from pipeline.current_label import GROUPS
from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation
from pipeline.records import AnnotationRecord, Purpose, TaskKind, TaskRecord, Verdict, utc_now
from pipeline.steps.labelling.boxes import box_votes
from pipeline.steps.labelling.votes import Vote, votes
from pipeline.store import audits, boxes, categories, detections, oracle, tasks
from pipeline.store.oracle import LatestRevision
from pipeline.workspace import Workspace

ALONE = (TaskKind.SINGLE, TaskKind.FRAME)  # the kinds on which boxes are drawn


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What was recorded of some annotations."""

    new: int = 0  # revisions that the oracle did not have: one for each detection that an annotation is about
    foreign: int = 0  # annotations of tasks that show no detection of the store
    boxes: int = 0  # that people drew or moved: an embed run cuts their crops


def record_annotations(
    workspace: Workspace,
    project_id: int,
    annotations: Sequence[Annotation],
    *,
    claims: Mapping[int, TaskRecord] | None = None,
    deleted: Iterable[LatestRevision] = (),
    fetched_at: dt.datetime | None = None,
) -> Recorded:
    """Append annotations of the project to the oracle, and mark others as deleted, in one transaction.

    `claims` are what tasks say of themselves (see `claimed`): one that is not stored, because its creation
    was interrupted, is stored now. A choice that is not a category yet becomes one: somebody has added a
    species in Label Studio, or typed its name. `deleted` are the last stored states of deleted annotations.
    `fetched_at` is as in `store.oracle.append`. Raises LabelStudioError for an annotation without a unique
    id.
    """
    with workspace.database.write() as conn:
        shown = _stored_tasks(conn, project_id, annotations, claims or {})
        audited = audited_in_groups(conn, project_id, shown.values())
        cast: list[tuple[Annotation, TaskRecord, list[Vote]]] = []
        drawn = 0
        for annotation in annotations:
            task = shown.get(annotation.task_id)
            if task is not None:
                of_task = votes(task, annotation, audited)
                of_boxes = box_votes(conn, task, annotation, of_task)
                cast.append((annotation, task, [*of_task, *of_boxes]))
                drawn += len(of_boxes)
        number = _numbers(conn, [vote for _, _, of_annotation in cast for vote in of_annotation])
        states = [_state(annotation, task, vote, number) for annotation, task, of in cast for vote in of]
        states += _no_longer_said(conn, cast)
        states += _deletions(conn, project_id, list(deleted))
        new = _append(conn, project_id, states, fetched_at)
        return Recorded(new=new, foreign=len(annotations) - len(cast), boxes=drawn)


def delete_annotations(workspace: Workspace, project_id: int, annotation_ids: Iterable[int]) -> int:
    """Mark the annotations that have these ids now as deleted; returns how many labels that takes back."""
    with workspace.database.write() as conn:
        active = oracle.active_annotations(conn, project_id, annotation_ids=annotation_ids)
        return _append(conn, project_id, _deletions(conn, project_id, active), None)


def mark_deleted(workspace: Workspace, project_id: int, states: Iterable[LatestRevision]) -> int:
    """Mark these annotations as deleted; returns how many labels that takes back."""
    with workspace.database.write() as conn:
        return _append(conn, project_id, [_deletion(state) for state in states], None)


def forget_tasks(
    workspace: Workspace,
    project_id: int,
    task_ids: Iterable[int],
    *,
    fetched_at: dt.datetime | None = None,
) -> int:
    """Mark the annotations of tasks that somebody deleted as deleted, and forget the tasks.

    Their detections can then be asked about again. A task that Wildloop itself deleted keeps what people said
    in it. Returns how many labels that takes back.
    """
    with workspace.database.write() as conn:
        ids = sorted(set(task_ids))
        stored = tasks.get(conn, project_id, ids)
        gone = [number for number in ids if number not in stored or stored[number].deleted_at is None]
        active = oracle.active_annotations(conn, project_id, task_ids=gone)
        taken_back = _append(conn, project_id, [_deletion(state) for state in active], fetched_at)
        tasks.remove(conn, project_id, gone)
        return taken_back


def claimed(project_id: int, task: Mapping[str, Any]) -> TaskRecord | None:
    """What a task of Label Studio says of itself in its `data`; None if it names no detection."""
    data, number = task.get("data"), task.get("id")
    if not isinstance(data, Mapping) or not isinstance(number, int):
        return None
    named = data.get("detections")
    named = named if isinstance(named, list) else [data.get("detection_id")]  # of earlier releases
    ids = tuple(dict.fromkeys(id_ for id_ in named if isinstance(id_, str)))
    if not ids:
        return None
    kind, purpose = data.get("kind"), data.get("purpose")
    return TaskRecord(
        project_id=project_id,
        task_id=number,
        detections=ids,
        kind=TaskKind(kind) if kind in list(TaskKind) else TaskKind.SINGLE,
        purpose=Purpose(purpose) if purpose in list(Purpose) else Purpose.QUEUE,
    )


def audited_in_groups(conn: sa.Connection, project_id: int, shown: Iterable[TaskRecord]) -> set[str]:
    """The crops of the audit that these tasks show in a group."""
    grouped = {id_ for task in shown if task.way in GROUPS for id_ in task.detections}
    return audits.drawn_among(conn, project_id, sorted(grouped))


def _stored_tasks(
    conn: sa.Connection, project_id: int, annotations: Sequence[Annotation], claims: Mapping[int, TaskRecord]
) -> dict[int, TaskRecord]:
    """The annotated tasks, by id; those that show no detection of the store have no entry."""
    numbers = {annotation.task_id for annotation in annotations}
    stored = tasks.get(conn, project_id, sorted(numbers))
    missing = [claims[number] for number in sorted(numbers - stored.keys()) if number in claims]
    existing = detections.get(conn, sorted({id_ for claim in missing for id_ in claim.detections}))
    for claim in missing:
        present = tuple(id_ for id_ in claim.detections if id_ in existing)
        if present:
            stored[claim.task_id] = replace(claim, detections=present)
    tasks.add(conn, [stored[claim.task_id] for claim in missing if claim.task_id in stored])
    return stored


def _numbers(conn: sa.Connection, cast: Sequence[Vote]) -> Mapping[str, int]:
    """The number of every category; new ones get theirs."""
    number = categories.numbers(conn)
    new = {vote.category for vote in cast if vote.category is not None} - number.keys()
    return number | categories.ensure(conn, sorted(new)) if new else number


def _append(
    conn: sa.Connection, project_id: int, states: Sequence[AnnotationRecord], fetched_at: dt.datetime | None
) -> int:
    new = oracle.append(conn, states, fetched_at=fetched_at)
    if new:
        oracle.update_labels(conn, {state.detection_id for state in states})
        boxes.settle(conn, {state.detection_id for state in states})
        _note_answers(conn, project_id, {state.task_id for state in states if state.task_id is not None})
    return new


def _note_answers(conn: sa.Connection, project_id: int, task_ids: set[int]) -> None:
    moments: dict[int, dt.datetime | None] = dict.fromkeys(task_ids)
    tasks.set_answered(conn, project_id, moments | oracle.answered_at(conn, project_id, task_ids))


def _state(
    annotation: Annotation, task: TaskRecord, vote: Vote, number: Mapping[str, int]
) -> AnnotationRecord:
    if annotation.uid is None:
        raise LabelStudioError(f"annotation {annotation.id} came without its unique_id")
    label = None if vote.category is None else number[vote.category]
    shown = None if vote.shown is None else number.get(vote.shown)
    is_answer = vote.verdict is not Verdict.SKIPPED and shown is not None
    return AnnotationRecord(
        project_id=task.project_id,
        detection_id=vote.detection_id,
        annotation_uid=annotation.uid,
        annotation_id=annotation.id,
        task_id=annotation.task_id,
        verdict=vote.verdict,
        label=label,
        annotator=annotation.annotator,
        annotated_at=annotation.updated_at,
        lead_time=None if annotation.lead_time is None else annotation.lead_time / len(task.detections),
        ground_truth=annotation.ground_truth,
        model_version=annotation.model_version,
        shown=shown,
        result=annotation.result,
        way=task.way,
        kept=label == shown if is_answer else None,
        attributes=dict(vote.attributes) or None,
    )


def _no_longer_said(
    conn: sa.Connection, cast: Sequence[tuple[Annotation, TaskRecord, Sequence[Vote]]]
) -> list[AnnotationRecord]:
    """The deletion of what annotations said of boxes that are not in them any more."""
    alone = [(each, {vote.detection_id for vote in of}) for each, task, of in cast if task.kind in ALONE]
    stored = oracle.latest(conn, (each.uid for each, _ in alone if each.uid is not None))
    return [
        replace(_deletion(state), annotated_at=each.updated_at)
        for each, said in alone
        for (uid, detection_id), state in stored.items()
        if uid == each.uid
        and detection_id not in said
        and state.annotation.verdict is not Verdict.DELETED
        and state.annotation.annotated_at < each.updated_at
    ]


def _deletions(
    conn: sa.Connection, project_id: int, states: Sequence[LatestRevision]
) -> list[AnnotationRecord]:
    """The deletion of each of these, except in tasks that Wildloop itself deleted."""
    numbers = {state.annotation.task_id for state in states if state.annotation.task_id is not None}
    kept = {number for number, task in tasks.get(conn, project_id, numbers).items() if task.deleted_at}
    return [_deletion(state) for state in states if state.annotation.task_id not in kept]


def _deletion(state: LatestRevision) -> AnnotationRecord:
    return replace(state.annotation, verdict=Verdict.DELETED, label=None, annotated_at=utc_now())
