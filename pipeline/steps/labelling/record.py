"""Label Studio's annotations -> oracle, and in the same transaction, the detections' current labels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation
from pipeline.records import AnnotationRecord, Verdict, utc_now
from pipeline.store import categories, detections, oracle, tasks
from pipeline.store.oracle import LatestRevision
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What was recorded of some annotations."""

    new: int = 0  # revisions that the oracle did not have
    foreign: int = 0  # annotations of tasks that show no detection of the store


def record_annotations(
    workspace: Workspace,
    project_id: int,
    annotations: Sequence[Annotation],
    *,
    shows: Mapping[int, str] | None = None,
    deleted: Iterable[LatestRevision] = (),
    fetched_at: dt.datetime | None = None,
) -> Recorded:
    """Append annotations of the project to the oracle, and mark others as deleted, in one transaction.

    `shows` is the detection that each task names in its own data (`data.detection_id`), for tasks that
    are not stored because a publication was interrupted. A choice that is not a category yet becomes one:
    somebody has added a species in Label Studio. `deleted` are the last stored states of deleted
    annotations. `fetched_at` is as in `store.oracle.append`. Raises LabelStudioError for an annotation
    without a unique id.
    """
    with workspace.database.write() as conn:
        detection_of = _detections(conn, project_id, annotations, shows or {})
        category = categories.numbers(conn)
        unknown = {annotation.choice for annotation in annotations if annotation.choice} - category.keys()
        if unknown:
            category |= categories.ensure(conn, sorted(unknown))
        states = [
            _state(project_id, detection_of[annotation.task_id], annotation, category)
            for annotation in annotations
            if annotation.task_id in detection_of
        ]
        foreign = len(annotations) - len(states)
        states += [_deletion(state) for state in deleted]
        return Recorded(new=_append(conn, states, fetched_at), foreign=foreign)


def delete_annotations(workspace: Workspace, project_id: int, annotation_ids: Iterable[int]) -> int:
    """Mark the annotations that have these ids now as deleted; returns how many were active."""
    with workspace.database.write() as conn:
        active = oracle.active_annotations(conn, project_id, annotation_ids=annotation_ids)
        return _append(conn, [_deletion(state) for state in active], None)


def forget_tasks(
    workspace: Workspace,
    project_id: int,
    task_ids: Iterable[int],
    *,
    fetched_at: dt.datetime | None = None,
) -> int:
    """Mark the annotations of tasks deleted in Label Studio as deleted, and forget the tasks.

    Their detections can then be published again. Returns how many annotations were active.
    """
    ids = sorted(set(task_ids))
    with workspace.database.write() as conn:
        active = oracle.active_annotations(conn, project_id, task_ids=ids)
        deleted = _append(conn, [_deletion(state) for state in active], fetched_at)
        tasks.remove(conn, project_id, ids)
        return deleted


def _append(conn: sa.Connection, states: list[AnnotationRecord], fetched_at: dt.datetime | None) -> int:
    new = oracle.append(conn, states, fetched_at=fetched_at)
    if new:
        oracle.update_labels(conn, {state.detection_id for state in states})
    return new


def _detections(
    conn: sa.Connection, project_id: int, annotations: Sequence[Annotation], shows: Mapping[int, str]
) -> dict[int, str]:
    """The detection that each annotated task shows; tasks that show none of the store have no entry."""
    task_ids = {annotation.task_id for annotation in annotations}
    stored = dict(tasks.by_task(conn, project_id, sorted(task_ids)))
    claims = {task: shows[task] for task in task_ids - stored.keys() if task in shows}
    existing = detections.get(conn, sorted(set(claims.values()))) if claims else {}
    return stored | {task: detection for task, detection in claims.items() if detection in existing}


def _state(
    project_id: int, detection_id: str, annotation: Annotation, category: Mapping[str, int]
) -> AnnotationRecord:
    if annotation.uid is None:
        raise LabelStudioError(f"annotation {annotation.id} came without its unique_id")
    return AnnotationRecord(
        project_id=project_id,
        detection_id=detection_id,
        annotation_uid=annotation.uid,
        annotation_id=annotation.id,
        task_id=annotation.task_id,
        verdict=annotation.verdict,
        label=category[annotation.choice] if annotation.choice else None,
        annotator=annotation.annotator,
        annotated_at=annotation.updated_at,
        lead_time=annotation.lead_time,
        ground_truth=annotation.ground_truth,
        model_version=annotation.model_version,
        shown=category.get(annotation.shown) if annotation.shown else None,
        result=annotation.result,
    )


def _deletion(state: LatestRevision) -> AnnotationRecord:
    return replace(state.annotation, verdict=Verdict.DELETED, label=None, annotated_at=utc_now())
