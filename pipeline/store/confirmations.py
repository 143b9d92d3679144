"""Labels that annotators gave several crops at once, and what they say of some of these crops alone."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import GROUPS
from pipeline.identity import digest
from pipeline.records import Purpose, TaskKind, Verdict, Way
from pipeline.store import categories
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, oracle, task, task_crop

_RANGE = 2**64


@dataclass(frozen=True, kw_only=True)
class GroupLabel:
    """What an annotator said of a crop together with others."""

    detection_id: str
    label: int  # a category id
    way: Way
    task_id: int  # of the group
    answer: int | None = None  # the category id that people gave the crop alone; None: nobody answered yet


def group_labels(conn: sa.Connection, project_id: int) -> list[GroupLabel]:
    """The latest such label of each crop, with the answer to the confirmation if there is one, by crop.

    An annotation that was deleted, or in which the crop is struck out by now, gives no label.
    """
    newest = sa.select(
        oracle.c.detection_id,
        oracle.c.label,
        oracle.c.verdict,
        oracle.c.way,
        oracle.c.task_id,
        oracle.c.annotated_at,
        oracle.c.id,
        sa.func.row_number()
        .over(
            partition_by=(oracle.c.annotation_uid, oracle.c.detection_id), order_by=oracle.c.revision.desc()
        )
        .label("age"),
    ).where(oracle.c.project_id == project_id, oracle.c.way.in_([way.value for way in GROUPS]))
    states = newest.subquery()
    query = (
        sa.select(states)
        .where(states.c.age == 1, states.c.verdict == Verdict.LABEL.value)
        .order_by(states.c.detection_id, states.c.annotated_at, states.c.id)
    )
    numbers = categories.resolved(conn)
    answers = _answers(conn, project_id)
    latest = {
        row.detection_id: GroupLabel(
            detection_id=row.detection_id,
            label=numbers[row.label],
            way=Way(row.way),
            task_id=row.task_id,
            answer=answers.get(row.detection_id),
        )
        for row in conn.execute(query)
    }
    return list(latest.values())


def asked_ids(conn: sa.Connection, project_id: int) -> set[str]:
    """The crops that a confirmation in Label Studio asks about, or has asked about."""
    query = _tasks(project_id, sa.or_(task.c.deleted_at.is_(None), task.c.answered_at.is_not(None)))
    return {row.detection_id for row in conn.execute(query)}


def is_drawn(project_id: int, detection_id: str, share: float) -> bool:
    """Whether the crop is among the random `share` of crops that are asked about again.

    A hash decides, so each crop has the same chance whenever it is confirmed, and no draw has to be stored.
    It is another one than that of the audit, which would draw its own crops again.
    """
    return int(digest("confirmation", str(project_id), detection_id, size=8), 16) < share * _RANGE


def _answers(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The present label of each crop whose confirmation was answered; one without a label has no entry."""
    query = _tasks(project_id, task.c.answered_at.is_not(None)).join(
        detection, detection.c.id == task_crop.c.detection_id
    )
    rows = conn.execute(
        query.add_columns(detection.c.category_id).where(
            detection.c.kind.in_(RESOLVED), detection.c.category_id.is_not(None)
        )
    )
    return {row.detection_id: row.category_id for row in rows}


def _tasks(project_id: int, *conditions: sa.ColumnElement[bool]) -> sa.Select[tuple[str]]:
    same = sa.and_(task.c.project_id == task_crop.c.project_id, task.c.task_id == task_crop.c.task_id)
    return (
        sa.select(task_crop.c.detection_id)
        .join(task, same)
        .where(
            task.c.project_id == project_id,
            task.c.purpose == Purpose.CONFIRMATION.value,
            task.c.kind == TaskKind.SINGLE.value,
            *conditions,
        )
    )
