"""The Label Studio tasks of detections, and the detections without one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline.records import Role, TaskRecord, utc_now
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection, image, task


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """What the task of a detection shows."""

    detection_id: str
    crop_path: str  # below the data folder
    frame_path: str | None
    bbox_confidence: float | None
    file_name: str
    location: str | None
    datetime: dt.datetime | None  # by the camera's clock
    sequence: str | None


_CONTENT: sa.Select[Any] = (
    sa.select(
        detection.c.id.label("detection_id"),
        detection.c.crop_path,
        detection.c.frame_path,
        detection.c.bbox_confidence,
        image.c.file_name,
        image.c.location,
        image.c.datetime,
        image.c.seq_id.label("sequence"),
    )
    .join(image, image.c.id == detection.c.image_id)
    .where(detection.c.crop_path.is_not(None))
)


def add(conn: sa.Connection, records: Iterable[TaskRecord]) -> int:
    """Insert the tasks that are not stored yet; returns their number."""
    now = utc_now()
    rows = (
        {
            "project_id": record.project_id,
            "detection_id": record.detection_id,
            "task_id": record.task_id,
            "published_at": now,
        }
        for record in records
    )
    return insert_new(conn, task, rows)


def ids(conn: sa.Connection, project_id: int) -> list[int]:
    """The ids of all tasks of the project."""
    return list(conn.scalars(sa.select(task.c.task_id).where(task.c.project_id == project_id)))


def count(conn: sa.Connection, project_id: int) -> int:
    """The number of tasks of the project."""
    query = sa.select(sa.func.count()).select_from(task).where(task.c.project_id == project_id)
    return int(conn.execute(query).scalar_one())


def by_detection(conn: sa.Connection, project_id: int, detection_ids: Iterable[str]) -> dict[str, int]:
    """The task id of each of these detections in the project; an unpublished one has no entry."""
    rows = _select_tasks(conn, project_id, task.c.detection_id, detection_ids)
    return {row.detection_id: row.task_id for row in rows}


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, str]:
    """The detection id of each of these tasks of the project; an unknown task has no entry."""
    rows = _select_tasks(conn, project_id, task.c.task_id, task_ids)
    return {row.task_id: row.detection_id for row in rows}


def remove(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> int:
    """Remove tasks that no longer exist in Label Studio; returns the number of stored ones."""
    removed = 0
    for batch in chunks(task_ids, IN_ROWS):
        statement = sa.delete(task).where(task.c.project_id == project_id, task.c.task_id.in_(batch))
        removed += conn.execute(statement).rowcount
    return removed


def contents(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, TaskContent]:
    """The task content of each of these detections; one without a crop has no entry."""
    content_of: dict[str, TaskContent] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        for row in conn.execute(_CONTENT.where(detection.c.id.in_(batch))).mappings():
            content_of[row["detection_id"]] = TaskContent(**row)
    return content_of


def unpublished(conn: sa.Connection, project_id: int, after: str, limit: int) -> list[TaskContent]:
    """Up to `limit` detections of the target pool with a crop and without a task in the project.

    Sorted by id, with `after` < id.
    """
    query = _CONTENT.where(detection.c.id > after, image.c.role == Role.TARGET, _has_no_task(project_id))
    rows = conn.execute(query.order_by(detection.c.id).limit(limit)).mappings()
    return [TaskContent(**row) for row in rows]


def unpublished_count(conn: sa.Connection, project_id: int) -> int:
    """The number of detections of the target pool with a crop and without a task in the project."""
    query = (
        sa.select(sa.func.count())
        .select_from(detection.join(image, image.c.id == detection.c.image_id))
        .where(detection.c.crop_path.is_not(None), image.c.role == Role.TARGET, _has_no_task(project_id))
    )
    return int(conn.execute(query).scalar_one())


def some_shown(conn: sa.Connection, project_id: int, limit: int) -> list[tuple[int, str]]:
    """The newest `limit` tasks of the project, each with its crop's path below the data folder."""
    query = (
        sa.select(task.c.task_id, detection.c.crop_path)
        .join(task, task.c.detection_id == detection.c.id)
        .where(task.c.project_id == project_id, detection.c.crop_path.is_not(None))
        .order_by(task.c.task_id.desc())
        .limit(limit)
    )
    return [(row.task_id, row.crop_path) for row in conn.execute(query)]


def _select_tasks(
    conn: sa.Connection, project_id: int, column: sa.Column[Any], keys: Iterable[Any]
) -> list[sa.Row[Any]]:
    """The tasks of the project whose `column` is in `keys`."""
    rows: list[sa.Row[Any]] = []
    for batch in chunks(keys, IN_ROWS):
        query = sa.select(task.c.detection_id, task.c.task_id)
        rows += conn.execute(query.where(task.c.project_id == project_id, column.in_(batch)))
    return rows


def _has_no_task(project_id: int) -> sa.ColumnElement[bool]:
    published = sa.select(sa.literal(1)).where(
        task.c.project_id == project_id, task.c.detection_id == detection.c.id
    )
    return sa.not_(sa.exists(published))
