"""Reviews: additional tasks for labelled detections whose label looks wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Verdict, utc_now
from pipeline.store import categories, oracle
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import category, detection, review

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
    now = utc_now()
    rows = (
        {
            "project_id": record.project_id,
            "task_id": record.task_id,
            "detection_id": record.detection_id,
            "label": record.label,
            "quality": record.quality,
            "requested_at": now,
        }
        for record in records
    )
    return insert_new(conn, review, rows)


def ids(conn: sa.Connection, project_id: int) -> list[int]:
    """The task ids of all reviews of the project."""
    return list(conn.scalars(sa.select(review.c.task_id).where(review.c.project_id == project_id)))


def requested_labels(conn: sa.Connection, project_id: int) -> set[tuple[str, int]]:
    """All (detection id, category id) pairs that were ever put up for review, answered or not."""
    query = sa.select(review.c.detection_id, review.c.label).where(review.c.project_id == project_id)
    numbers = categories.resolved(conn)
    return {(row.detection_id, numbers[row.label]) for row in conn.execute(query)}


def unanswered(conn: sa.Connection, project_id: int) -> list[Review]:
    """The open reviews of the project, lowest quality first.

    A review is closed by a vote on its task (a skip is not a vote) or when the detection gets another
    label; one whose category was merged is the same.
    """
    query = (
        sa.select(review)
        .join(detection, detection.c.id == review.c.detection_id)
        .join(category, category.c.id == review.c.label)
        .where(
            review.c.project_id == project_id,
            detection.c.kind.in_(RESOLVED),
            detection.c.category_id == sa.func.coalesce(category.c.merged_into, category.c.id),
        )
        .order_by(review.c.quality, review.c.task_id)
    )
    reviews = [_record(row) for row in conn.execute(query)]
    states = oracle.active_annotations(conn, project_id, task_ids=[record.task_id for record in reviews])
    with_vote = {
        state.annotation.task_id for state in states if state.annotation.verdict is not Verdict.SKIPPED
    }
    return [record for record in reviews if record.task_id not in with_vote]


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, Review]:
    """The review of each of these tasks; a task that is not a review has no entry."""
    review_of: dict[int, Review] = {}
    for batch in chunks(task_ids, IN_ROWS):
        query = sa.select(review).where(review.c.project_id == project_id, review.c.task_id.in_(batch))
        review_of.update((row.task_id, _record(row)) for row in conn.execute(query))
    return review_of


def remove(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> int:
    """Remove reviews whose tasks no longer exist in Label Studio; returns the number of stored ones."""
    removed = 0
    for batch in chunks(task_ids, IN_ROWS):
        statement = sa.delete(review).where(review.c.project_id == project_id, review.c.task_id.in_(batch))
        removed += conn.execute(statement).rowcount
    return removed


def _record(row: sa.Row[tuple[object, ...]]) -> Review:
    return Review(
        project_id=row.project_id,
        task_id=row.task_id,
        detection_id=row.detection_id,
        label=row.label,
        quality=row.quality,
    )
