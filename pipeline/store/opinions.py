"""Which crops one annotator alone has named, and who annotates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Purpose, Verdict, Way
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, oracle, task, task_crop

_VOTES = (Verdict.LABEL.value, Verdict.UNSURE.value)
# What is asked for these purposes was chosen because labels disagree, or seem wrong: such answers say nothing
# about how often annotators agree.
CHOSEN_FOR_DOUBT = (Purpose.REVIEW, Purpose.DISPUTED, Purpose.EXPERT)


@dataclass(frozen=True, kw_only=True)
class NamedOnce:
    """A crop that one annotator has named, looking at it alone."""

    detection_id: str
    annotator: str


def named_once(conn: sa.Connection, project_id: int) -> list[NamedOnce]:
    """The resolved crops that only one annotator has named, and that no second opinion was asked about.

    Crops named in groups alone are not among them: confirmed groups have an audit of their own.
    """
    asked = (
        sa.select(task_crop.c.detection_id)
        .join(
            task, sa.and_(task.c.project_id == task_crop.c.project_id, task.c.task_id == task_crop.c.task_id)
        )
        .where(task.c.project_id == project_id, task.c.purpose == Purpose.OPINION.value)
    )
    query = (
        sa.select(oracle.c.detection_id, sa.func.min(oracle.c.annotator).label("annotator"))
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(
            _is_vote(project_id),
            sa.func.coalesce(oracle.c.way, Way.SINGLE.value) == Way.SINGLE.value,
            detection.c.kind.in_(RESOLVED),
            oracle.c.detection_id.not_in(asked),
        )
        .group_by(oracle.c.detection_id)
        .having(sa.func.count(sa.distinct(oracle.c.annotator)) == 1)
        .order_by(oracle.c.detection_id)
    )
    return [NamedOnce(detection_id=row.detection_id, annotator=row.annotator) for row in conn.execute(query)]


def annotators(conn: sa.Connection, project_id: int, since: dt.datetime) -> set[str]:
    """Who has voted in the project since this moment."""
    query = sa.select(oracle.c.annotator).where(_is_vote(project_id), oracle.c.annotated_at >= since)
    return set(conn.scalars(query.distinct()))


def chosen_for_doubt(conn: sa.Connection, project_id: int) -> set[int]:
    """The tasks whose answers say nothing about how often annotators agree."""
    purposes = [purpose.value for purpose in CHOSEN_FOR_DOUBT]
    query = sa.select(task.c.task_id).where(task.c.project_id == project_id, task.c.purpose.in_(purposes))
    return set(conn.scalars(query))


def _is_vote(project_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        oracle.c.project_id == project_id,
        oracle.c.annotator.is_not(None),
        oracle.c.verdict.in_(_VOTES),
    )
