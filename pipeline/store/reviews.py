"""Labelled detections that people look at again: a further task each, and the label that looked wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Verdict, utc_now
from pipeline.store import oracle
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, image, review
from pipeline.store.tasks import TaskContent

MARK = "review"  # of a task's data: what an interrupted run left in Label Studio is known by it
AHEAD = -2.0  # of the queue: scores of reviews are -2 to -1, those of everything else higher


@dataclass(frozen=True, kw_only=True)
class Review:
    """A task that asks people again what a detection shows."""

    project_id: int
    task_id: int
    detection_id: str
    label: int  # the category id that looked wrong
    quality: float  # 0 to 1: how likely the label is right

    @property
    def score(self) -> float:
        """Its place in Label Studio's queue, lowest first: before the queue, the worst label first."""
        return AHEAD + self.quality


def add(conn: sa.Connection, records: Iterable[Review]) -> int:
    """Insert the reviews that are not there yet; returns how many were."""
    now = utc_now()
    rows = (
        {
            "project_id": one.project_id,
            "task_id": one.task_id,
            "detection_id": one.detection_id,
            "label": one.label,
            "quality": one.quality,
            "requested_at": now,
        }
        for one in records
    )
    return insert_new(conn, review, rows)


def ids(conn: sa.Connection, project_id: int) -> list[int]:
    """The id of every review task of the project."""
    return list(conn.scalars(sa.select(review.c.task_id).where(review.c.project_id == project_id)))


def asked(conn: sa.Connection, project_id: int) -> set[tuple[str, int]]:
    """Every detection and label that people were asked to look at again, answered or not."""
    query = sa.select(review.c.detection_id, review.c.label).where(review.c.project_id == project_id)
    return {(row.detection_id, row.label) for row in conn.execute(query)}


def unanswered(conn: sa.Connection, project_id: int) -> list[Review]:
    """Reviews that wait, the worst label first.

    One ends with a vote on its task (a skip is none), or once the detection's label is another.
    """
    query = (
        sa.select(review)
        .join(detection, detection.c.id == review.c.detection_id)
        .where(
            review.c.project_id == project_id,
            detection.c.kind.in_(RESOLVED),
            detection.c.category_id == review.c.label,
        )
        .order_by(review.c.quality, review.c.task_id)
    )
    found = [_record(row) for row in conn.execute(query)]
    standing = oracle.active_annotations(conn, project_id, task_ids=[one.task_id for one in found])
    votes = {one.annotation.task_id for one in standing if one.annotation.verdict is not Verdict.SKIPPED}
    return [one for one in found if one.task_id not in votes]


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, Review]:
    """The review that each of these tasks is; a task that is none has no entry."""
    found: dict[int, Review] = {}
    for batch in chunks(task_ids, IN_ROWS):
        query = sa.select(review).where(review.c.project_id == project_id, review.c.task_id.in_(batch))
        found.update((row.task_id, _record(row)) for row in conn.execute(query))
    return found


def remove(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> int:
    """Forget reviews whose tasks Label Studio has no more; returns how many were known."""
    removed = 0
    for batch in chunks(task_ids, IN_ROWS):
        statement = sa.delete(review).where(review.c.project_id == project_id, review.c.task_id.in_(batch))
        removed += conn.execute(statement).rowcount
    return removed


def shown(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, TaskContent]:
    """What a task of each of these detections will show; one without a crop has no entry."""
    found: dict[str, TaskContent] = {}
    query = (
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
    for batch in chunks(detection_ids, IN_ROWS):
        for row in conn.execute(query.where(detection.c.id.in_(batch))):
            found[row.detection_id] = TaskContent(**row._mapping)
    return found


def file_names(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, str]:
    """The photograph of each of these detections, by its file name."""
    found: dict[str, str] = {}
    query = sa.select(detection.c.id, image.c.file_name).join(image, image.c.id == detection.c.image_id)
    for batch in chunks(detection_ids, IN_ROWS):
        rows = conn.execute(query.where(detection.c.id.in_(batch)))
        found.update((row.id, row.file_name) for row in rows)
    return found


def _record(row: sa.Row[tuple[object, ...]]) -> Review:
    return Review(
        project_id=row.project_id,
        task_id=row.task_id,
        detection_id=row.detection_id,
        label=row.label,
        quality=row.quality,
    )
