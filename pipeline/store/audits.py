"""The audit sample of each project: crops drawn at random, by which every version is judged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.identity import digest
from pipeline.oracle import current_label
from pipeline.records import LABEL_STUDIO_SOURCE, Verdict, utc_now
from pipeline.store import oracle
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import audit, detection


@dataclass(frozen=True, kw_only=True)
class AuditSample:
    """What became of the crops drawn. The lists are in the order in which they were drawn."""

    asked: tuple[str, ...]  # wait for a person, and somebody asked for them: before the queue
    waiting: tuple[str, ...]  # wait for a person, among the queue
    labelled: tuple[str, ...]  # by people: a source labels whole places, which is no random sample
    unanswered: int  # people looked and passed, are unsure, or disagree


def draw(
    conn: sa.Connection, project_id: int, waiting: Iterable[str], count: int, *, asked: bool = False
) -> int:
    """Add up to `count` of the crops `waiting` to the project's sample; returns how many.

    They come in an order that depends on the project and the crop's own id alone, so that each draw is
    a simple random sample of what waits, and crops imported later are as likely to come as earlier ones.
    """
    drawn = ids(conn, project_id)
    key = str(project_id)
    open_ids = (one for one in waiting if one not in drawn)
    chosen = heapq.nsmallest(count, open_ids, key=lambda one: digest("audit", key, one, size=8))
    now = utc_now()
    rows = (
        {"project_id": project_id, "detection_id": one, "asked": asked, "drawn_at": now} for one in chosen
    )
    return insert_new(conn, audit, rows)


def ids(conn: sa.Connection, project_id: int | None = None) -> set[str]:
    """Every crop that was ever drawn for the project, or for any: no version learns from it."""
    query = sa.select(audit.c.detection_id)
    return set(conn.scalars(query if project_id is None else query.where(audit.c.project_id == project_id)))


def among(conn: sa.Connection, project_id: int, detection_ids: Iterable[str]) -> set[str]:
    """Which of these detections were ever drawn for the project."""
    found: set[str] = set()
    mine = sa.select(audit.c.detection_id).where(audit.c.project_id == project_id)
    for batch in chunks(detection_ids, IN_ROWS):
        found.update(conn.scalars(mine.where(audit.c.detection_id.in_(batch))))
    return found


def label_count(conn: sa.Connection, project_id: int) -> int:
    """How many crops of the sample have a label."""
    query = (
        sa.select(sa.func.count())
        .select_from(audit.join(detection, detection.c.id == audit.c.detection_id))
        .where(
            audit.c.project_id == project_id,
            detection.c.kind.in_(oracle.RESOLVED),
            detection.c.category_id.is_not(None),
        )
    )
    return int(conn.execute(query).scalar_one())


def sample(conn: sa.Connection, project_id: int) -> AuditSample:
    """The project's sample as it stands."""
    query = (
        sa.select(audit.c.detection_id, audit.c.asked, detection.c.kind, detection.c.category_id)
        .join(detection, detection.c.id == audit.c.detection_id)
        .where(audit.c.project_id == project_id)
    )
    key = str(project_id)
    rows = sorted(conn.execute(query), key=lambda row: digest("audit", key, row.detection_id, size=8))
    named = [row for row in rows if row.kind in oracle.RESOLVED and row.category_id is not None]
    voices = oracle.histories(conn, [row.detection_id for row in named])
    labelled = [row for row in named if current_label(voices[row.detection_id]).source == LABEL_STUDIO_SOURCE]
    unsure = [row for row in rows if row.kind in oracle.RESOLVED and row.category_id is None]
    still = [row for row in rows if row.kind not in oracle.RESOLVED]
    spoken = oracle.histories(conn, [row.detection_id for row in still])
    passed = {
        one
        for one, history in spoken.items()
        if (answer := current_label(history)).disputed or answer.verdict is Verdict.SKIPPED
    }
    return AuditSample(
        asked=tuple(row.detection_id for row in still if row.asked and row.detection_id not in passed),
        waiting=tuple(row.detection_id for row in still if not row.asked and row.detection_id not in passed),
        labelled=tuple(row.detection_id for row in labelled),
        unanswered=len(unsure) + len(passed),
    )
