"""What people said -> oracle, with the current label of each detection refreshed in the same breath."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation
from pipeline.records import AnnotationRecord, Verdict, utc_now
from pipeline.store import categories, detections, oracle, reviews, tasks
from pipeline.store.oracle import LatestRevision
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of some annotations."""

    new: int = 0  # states that the oracle did not have
    foreign: int = 0  # annotations of tasks that show no detection of ours


def record_heard(
    workspace: Workspace,
    project_id: int,
    heard: Sequence[Annotation],
    *,
    shows: Mapping[int, str] | None = None,
    retracted: Iterable[LatestRevision] = (),
    fetched_at: dt.datetime | None = None,
) -> Recorded:
    """Append what Label Studio told of the project, deletions among it, in one transaction.

    `shows` says which detection a task claims to show (`data.detection_id`), for tasks that publishing
    did not get round to store. A choice that is no category yet becomes one: somebody added a species
    in Label Studio. `retracted` are states whose annotations were taken back. `fetched_at` as in
    `store.oracle.append`.
    """
    with workspace.database.write() as conn:
        detection_of = _detections(conn, project_id, heard, shows or {})
        category = {name: number for number, name in categories.names(conn).items()}
        unheard = {one.choice for one in heard if one.choice} - category.keys()
        if unheard:
            category |= categories.ensure(conn, sorted(unheard))
        states = [
            _state(project_id, detection_of[one.task_id], one, category)
            for one in heard
            if one.task_id in detection_of
        ]
        states += [_retraction(state) for state in retracted]
        new = _append(conn, states, fetched_at)
        return Recorded(new=new, foreign=sum(one.task_id not in detection_of for one in heard))


def retract(workspace: Workspace, project_id: int, annotation_ids: Iterable[int]) -> int:
    """Take back the annotations that have these ids now; returns how many stood."""
    with workspace.database.write() as conn:
        gone = oracle.active_annotations(conn, project_id, annotation_ids=annotation_ids)
        return _append(conn, [_retraction(state) for state in gone], None)


def forget_tasks(
    workspace: Workspace,
    project_id: int,
    task_ids: Iterable[int],
    *,
    fetched_at: dt.datetime | None = None,
) -> int:
    """Tasks deleted in Label Studio: take their annotations back and let them be published again.

    Returns how many annotations stood.
    """
    ids = sorted(set(task_ids))
    with workspace.database.write() as conn:
        gone = oracle.active_annotations(conn, project_id, task_ids=ids)
        retracted = _append(conn, [_retraction(state) for state in gone], fetched_at)
        tasks.remove(conn, project_id, ids)
        reviews.remove(conn, project_id, ids)
        return retracted


def _append(conn: sa.Connection, states: list[AnnotationRecord], fetched_at: dt.datetime | None) -> int:
    new = oracle.append(conn, states, fetched_at=fetched_at)
    if new:
        oracle.update_labels(conn, {state.detection_id for state in states})
    return new


def _detections(
    conn: sa.Connection, project_id: int, heard: Sequence[Annotation], shows: Mapping[int, str]
) -> dict[int, str]:
    """The detection that each task shows; tasks that show none of ours are absent."""
    ids = {one.task_id for one in heard}
    known = dict(tasks.by_task(conn, project_id, sorted(ids)))
    claimed = {task: shows[task] for task in ids - known.keys() if task in shows}
    ours = detections.get(conn, sorted(set(claimed.values()))) if claimed else {}
    return known | {task: detection for task, detection in claimed.items() if detection in ours}


def _state(
    project_id: int, detection_id: str, one: Annotation, category: Mapping[str, int]
) -> AnnotationRecord:
    if one.uid is None:
        raise LabelStudioError(f"annotation {one.id} came without its unique_id")
    return AnnotationRecord(
        project_id=project_id,
        detection_id=detection_id,
        annotation_uid=one.uid,
        annotation_id=one.id,
        task_id=one.task_id,
        verdict=one.verdict,
        label=category[one.choice] if one.choice else None,
        annotator=one.annotator,
        annotated_at=one.updated_at,
        lead_time=one.lead_time,
        ground_truth=one.ground_truth,
        model_version=one.model_version,
        shown=category.get(one.shown) if one.shown else None,
        result=one.result,
    )


def _retraction(state: LatestRevision) -> AnnotationRecord:
    return replace(state.annotation, verdict=Verdict.DELETED, label=None, annotated_at=utc_now())
