"""Reviews: additional tasks for labelled detections whose label looks wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Purpose, TaskRecord
from pipeline.store import categories, tasks
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, task

MARK = "review"  # key in the data of a review task, which identifies those left by an interrupted run
FIRST_SCORE = -2.0  # reviews come before the queue: their scores are -2 to -1, all others are 0 or higher


@dataclass(frozen=True, kw_only=True)
class Review:
    """A task that asks for a second opinion about a labelled detection."""

    project_id: int
    task_id: int
    detection_id: str
    label: int  # category id of the label that looks wrong
    quality: float  # estimated probability that the label is right, 0 to 1

    @property
    def score(self) -> float:
        """The place in Label Studio's queue, lowest first: before the queue, lowest quality first."""
        return FIRST_SCORE + self.quality


def add(conn: sa.Connection, records: Iterable[Review]) -> int:
    """Insert the reviews that are not stored yet; returns their number."""
    return tasks.add(
        conn,
        (
            TaskRecord(
                project_id=record.project_id,
                task_id=record.task_id,
                detections=(record.detection_id,),
                purpose=Purpose.REVIEW,
                score=record.score,
                details={"label": record.label, "quality": record.quality},
            )
            for record in records
        ),
    )


def requested_labels(conn: sa.Connection, project_id: int) -> set[tuple[str, int]]:
    """All (detection id, category id) pairs that were ever put up for review, answered or not."""
    numbers = categories.resolved(conn)
    return {(record.detection_id, numbers[record.label]) for record in all(conn, project_id)}


def unanswered(conn: sa.Connection, project_id: int) -> list[Review]:
    """The open reviews of the project, lowest quality first.

    A review is closed by a vote on its task (a skip is not a vote) or when the detection gets another
    label; one whose category was merged is the same.
    """
    numbers = categories.resolved(conn)
    every = all(conn, project_id, task.c.answered_at.is_(None), task.c.deleted_at.is_(None))
    labels = _labels(conn, {record.detection_id for record in every})
    waiting = [record for record in every if labels.get(record.detection_id) == numbers[record.label]]
    return sorted(waiting, key=lambda record: (record.quality, record.task_id))


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, Review]:
    """The review of each of these tasks; a task that is not a review has no entry."""
    return {
        number: _record(record)
        for number, record in tasks.get(conn, project_id, task_ids).items()
        if record.purpose is Purpose.REVIEW
    }


def all(conn: sa.Connection, project_id: int, *conditions: sa.ColumnElement[bool]) -> list[Review]:
    query = sa.select(task.c.task_id).where(
        task.c.project_id == project_id, task.c.purpose == Purpose.REVIEW.value, *conditions
    )
    return [_record(record) for record in tasks.get(conn, project_id, conn.scalars(query).all()).values()]


def _labels(conn: sa.Connection, detection_ids: set[str]) -> dict[str, int | None]:
    """The category of each of these detections that has a current label."""
    labels: dict[str, int | None] = {}
    for batch in chunks(sorted(detection_ids), IN_ROWS):
        query = sa.select(detection.c.id, detection.c.category_id).where(
            detection.c.id.in_(batch), detection.c.kind.in_(RESOLVED)
        )
        labels.update((row.id, row.category_id) for row in conn.execute(query))
    return labels


def _record(record: TaskRecord) -> Review:
    details = record.details or {}
    return Review(
        project_id=record.project_id,
        task_id=record.task_id,
        detection_id=record.detections[0],
        label=int(details["label"]),
        quality=float(details["quality"]),
    )
