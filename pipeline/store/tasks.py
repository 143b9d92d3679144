"""Which detection is which Label Studio task, and which have none yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Role, TaskRecord, utc_now
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection, image, task


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """A detection with a crop and no task, and what its task will show."""

    detection_id: str
    crop_path: str  # below the data folder
    frame_path: str | None
    bbox_confidence: float | None
    file_name: str
    location: str | None
    datetime: dt.datetime | None  # the camera's clock
    sequence: str | None


def add(conn: sa.Connection, records: Iterable[TaskRecord]) -> int:
    """Insert the tasks that are not there yet; returns how many were."""
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
    """The id of every task of the project."""
    return list(conn.scalars(sa.select(task.c.task_id).where(task.c.project_id == project_id)))


def count(conn: sa.Connection, project_id: int) -> int:
    """How many tasks the project has."""
    query = sa.select(sa.func.count()).select_from(task).where(task.c.project_id == project_id)
    return int(conn.execute(query).scalar_one())


def by_detection(conn: sa.Connection, project_id: int, detection_ids: Iterable[str]) -> dict[str, int]:
    """The project's task of each of these detections; one that is not published has no entry."""
    found: dict[str, int] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        query = sa.select(task.c.detection_id, task.c.task_id).where(
            task.c.project_id == project_id, task.c.detection_id.in_(batch)
        )
        found.update((row.detection_id, row.task_id) for row in conn.execute(query))
    return found


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, str]:
    """The detection that each of these tasks shows; a task that is none of ours has no entry."""
    found: dict[int, str] = {}
    for batch in chunks(task_ids, IN_ROWS):
        query = sa.select(task.c.task_id, task.c.detection_id).where(
            task.c.project_id == project_id, task.c.task_id.in_(batch)
        )
        found.update((row.task_id, row.detection_id) for row in conn.execute(query))
    return found


def remove(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> int:
    """Forget tasks that Label Studio has no more; returns how many were known."""
    removed = 0
    for batch in chunks(task_ids, IN_ROWS):
        statement = sa.delete(task).where(task.c.project_id == project_id, task.c.task_id.in_(batch))
        removed += conn.execute(statement).rowcount
    return removed


def unpublished(conn: sa.Connection, project_id: int, after: str, limit: int) -> list[TaskContent]:
    """Up to `limit` detections by rising id, later than `after`, with a crop and without a task here."""
    query = (
        sa.select(
            detection.c.id,
            detection.c.crop_path,
            detection.c.frame_path,
            detection.c.bbox_confidence,
            image.c.file_name,
            image.c.location,
            image.c.datetime,
            image.c.seq_id,
        )
        .join(image, image.c.id == detection.c.image_id)
        .where(
            detection.c.id > after,
            detection.c.crop_path.is_not(None),
            image.c.role == Role.TARGET,
            _lacks_task(project_id),
        )
        .order_by(detection.c.id)
        .limit(limit)
    )
    return [
        TaskContent(
            detection_id=row.id,
            crop_path=row.crop_path,
            frame_path=row.frame_path,
            bbox_confidence=row.bbox_confidence,
            file_name=row.file_name,
            location=row.location,
            datetime=row.datetime,
            sequence=row.seq_id,
        )
        for row in conn.execute(query)
    ]


def unpublished_count(conn: sa.Connection, project_id: int) -> int:
    """How many detections have a crop and no task in the project."""
    query = (
        sa.select(sa.func.count())
        .select_from(detection.join(image, image.c.id == detection.c.image_id))
        .where(detection.c.crop_path.is_not(None), image.c.role == Role.TARGET, _lacks_task(project_id))
    )
    return int(conn.execute(query).scalar_one())


def any_crop(conn: sa.Connection, project_id: int) -> str | None:
    """The crop of one published detection, below the data folder; None where there is none."""
    query = (
        sa.select(detection.c.crop_path)
        .join(task, task.c.detection_id == detection.c.id)
        .where(task.c.project_id == project_id, detection.c.crop_path.is_not(None))
        .limit(1)
    )
    return conn.execute(query).scalar_one_or_none()


def _lacks_task(project_id: int) -> sa.ColumnElement[bool]:
    published = sa.select(sa.literal(1)).where(
        task.c.project_id == project_id, task.c.detection_id == detection.c.id
    )
    return sa.not_(sa.exists(published))
