"""Reviews: further tasks for labelled detections whose label is expected to be wrong.

The details of such a task name the label that it is about: of one crop, or of all crops of a board.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa

from pipeline.records import Purpose, TaskKind, TaskRecord, Verdict
from pipeline.store import categories, oracle, tasks
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, task

LABEL = "label"  # key in the details: a category id

Pair = tuple[str, int]  # a detection, and the category that it is called


def requested_labels(conn: sa.Connection, project_id: int) -> set[Pair]:
    """All labels that were ever put up for review, answered or not."""
    return set(_pairs(conn, _all(conn, project_id)))


def unanswered(conn: sa.Connection, project_id: int) -> list[TaskRecord]:
    """The open reviews of the project, in the order in which they are served.

    A review is closed by a vote on its task (a skip is not a vote), or when no crop has the label any more
    that it is about; one whose category was merged is the same.
    """
    records = _all(conn, project_id, task.c.answered_at.is_(None), task.c.deleted_at.is_(None))
    return sorted(_with_label(conn, records), key=lambda record: (record.score or 0.0, record.task_id))


def waiting_crops(conn: sa.Connection, project_id: int) -> int:
    """The number of crops that open reviews ask about."""
    return len({crop for record in unanswered(conn, project_id) for crop in record.detections})


def objections(conn: sa.Connection, project_id: int) -> list[Pair]:
    """The labels that somebody struck out of a review board, and that nobody was asked about alone yet.

    What is named otherwise on the board is among them: on a board people see small pictures. Boards that a
    version suggests because labels disagree with their neighbours count as review boards.
    """
    records = _all(conn, project_id, purposes=(Purpose.REVIEW, Purpose.SUGGESTION))
    boards = {record.task_id: record for record in records if record.kind is not TaskKind.SINGLE}
    answered = [number for number, record in boards.items() if record.answered_at is not None]
    if not answered:
        return []
    numbers = categories.resolved(conn)
    asked_alone = set(_pairs(conn, [record for record in records if record.kind is TaskKind.SINGLE]))
    found: dict[Pair, None] = {}
    for state in oracle.active_annotations(conn, project_id, task_ids=answered):
        said = state.annotation
        label = numbers[_label(boards[said.task_id or 0])]
        if said.verdict is Verdict.SKIPPED or (said.verdict is Verdict.LABEL and said.label == label):
            continue
        found[said.detection_id, label] = None
    current = _labels(conn, {crop for crop, _ in found})
    return sorted(pair for pair in found if pair not in asked_alone and current.get(pair[0]) == pair[1])


def _all(
    conn: sa.Connection,
    project_id: int,
    *conditions: sa.ColumnElement[bool],
    purposes: Iterable[Purpose] = (Purpose.REVIEW,),
) -> list[TaskRecord]:
    """The tasks of these purposes that are about a label."""
    query = sa.select(task.c.task_id).where(
        task.c.project_id == project_id, task.c.purpose.in_([each.value for each in purposes]), *conditions
    )
    records = tasks.get(conn, project_id, conn.scalars(query).all()).values()
    # One that an interrupted run left in Label Studio has no details, and is not asked for.
    return [record for record in records if LABEL in (record.details or {})]


def _label(record: TaskRecord) -> int:
    return int((record.details or {})[LABEL])


def _pairs(conn: sa.Connection, records: Iterable[TaskRecord]) -> Iterator[Pair]:
    numbers = categories.resolved(conn)
    for record in records:
        for crop in record.detections:
            yield crop, numbers[_label(record)]


def _with_label(conn: sa.Connection, records: list[TaskRecord]) -> list[TaskRecord]:
    """The reviews of which some crop still has the label that they are about."""
    numbers = categories.resolved(conn)
    labels = _labels(conn, {crop for record in records for crop in record.detections})
    return [
        record
        for record in records
        if any(labels.get(crop) == numbers[_label(record)] for crop in record.detections)
    ]


def _labels(conn: sa.Connection, detection_ids: set[str]) -> Mapping[str, int | None]:
    """The category of each of these detections that has a current label."""
    labels: dict[str, int | None] = {}
    for batch in chunks(sorted(detection_ids), IN_ROWS):
        query = sa.select(detection.c.id, detection.c.category_id).where(
            detection.c.id.in_(batch), detection.c.kind.in_(RESOLVED)
        )
        labels.update((row.id, row.category_id) for row in conn.execute(query))
    return labels
