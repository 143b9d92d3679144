"""The audit sample of each project: randomly drawn crops that judge every version."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import CurrentLabel, current_label
from pipeline.identity import digest
from pipeline.records import LABEL_STUDIO_SOURCE, Verdict, utc_now
from pipeline.store import oracle
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import audit, detection


@dataclass(frozen=True, kw_only=True)
class AuditSample:
    """The drawn crops by their state. The tuples are in the order in which crops are drawn."""

    requested: tuple[str, ...]  # unlabelled, drawn by `wildloop audit`: shown before the queue
    waiting: tuple[str, ...]  # unlabelled, drawn for a queue: shown within it
    # By people who looked at the crop alone and without a suggestion. Sources label whole locations, which is
    # no random sample.
    labelled: tuple[str, ...]
    unanswered: int  # people skipped the crop, are unsure, disagree, or saw a suggestion or a group with it


def draw(
    conn: sa.Connection, project_id: int, waiting: Iterable[str], count: int, *, requested: bool = False
) -> int:
    """Add up to `count` of the crops `waiting` to the project's sample; returns the number added.

    The order of drawing is a hash of project and crop id. So each draw is a simple random sample of the
    waiting crops, and crops that are imported later have the same chance as earlier ones.
    """
    drawn = drawn_ids(conn, project_id)
    candidates = (detection_id for detection_id in waiting if detection_id not in drawn)
    chosen = heapq.nsmallest(count, candidates, key=lambda detection_id: _order(project_id, detection_id))
    now = utc_now()
    rows = (
        {"project_id": project_id, "detection_id": detection_id, "asked": requested, "drawn_at": now}
        for detection_id in chosen
    )
    return insert_new(conn, audit, rows)


def inherit(conn: sa.Connection, former: int, new: int) -> int:
    """Give project `new` the sample of `former`, whose labels judge it as well; returns its size."""
    rows = conn.execute(sa.select(audit).where(audit.c.project_id == former)).mappings().all()
    return insert_new(conn, audit, [{**row, "project_id": new} for row in rows])


def drawn_ids(conn: sa.Connection, project_id: int | None = None) -> set[str]:
    """All crops ever drawn for the project, or for any project if None. No version learns from them."""
    query = sa.select(audit.c.detection_id)
    return set(conn.scalars(query if project_id is None else query.where(audit.c.project_id == project_id)))


def drawn_among(conn: sa.Connection, project_id: int, detection_ids: Iterable[str]) -> set[str]:
    """Those of `detection_ids` that were ever drawn for the project."""
    drawn: set[str] = set()
    query = sa.select(audit.c.detection_id).where(audit.c.project_id == project_id)
    for batch in chunks(detection_ids, IN_ROWS):
        drawn.update(conn.scalars(query.where(audit.c.detection_id.in_(batch))))
    return drawn


def take_over(conn: sa.Connection, former: str, new: str) -> None:
    """Let a box that a person drew stand in every sample for the one that it replaces."""
    query = sa.select(audit.c.project_id, audit.c.asked, audit.c.drawn_at).where(
        audit.c.detection_id == former
    )
    rows = [
        {
            "project_id": row.project_id,
            "detection_id": new,
            "asked": row.asked,
            "drawn_at": row.drawn_at,
        }
        for row in conn.execute(query)
    ]
    insert_new(conn, audit, rows)


def label_count(conn: sa.Connection, project_id: int, *, requested: bool = True) -> int:
    """The number of crops in the sample that have a label; unless `requested`, of those drawn for queues."""
    query = (
        sa.select(sa.func.count())
        .select_from(audit.join(detection, detection.c.id == audit.c.detection_id))
        .where(
            audit.c.project_id == project_id,
            detection.c.replaced_by.is_(None),
            detection.c.kind.in_(oracle.RESOLVED),
            detection.c.category_id.is_not(None),
        )
    )
    if not requested:
        query = query.where(audit.c.asked.is_(False))
    return int(conn.execute(query).scalar_one())


def sample(conn: sa.Connection, project_id: int) -> AuditSample:
    """The project's current sample."""
    query = (
        sa.select(audit.c.detection_id, audit.c.asked, detection.c.kind, detection.c.category_id)
        .join(detection, detection.c.id == audit.c.detection_id)
        .where(audit.c.project_id == project_id, detection.c.replaced_by.is_(None))
    )
    rows = sorted(conn.execute(query), key=lambda row: _order(project_id, row.detection_id))
    histories = oracle.histories(conn, [row.detection_id for row in rows])
    current = {detection_id: current_label(history) for detection_id, history in histories.items()}
    labelled: list[str] = []
    requested: list[str] = []
    waiting: list[str] = []
    unanswered = 0
    for row in rows:
        label = current.get(row.detection_id, CurrentLabel(verdict=None))
        if row.kind not in oracle.RESOLVED and not label.disputed and label.verdict is not Verdict.SKIPPED:
            (requested if row.asked else waiting).append(row.detection_id)
        elif row.category_id is None or (label.source == LABEL_STUDIO_SOURCE and not label.unprompted):
            unanswered += 1
        elif label.source == LABEL_STUDIO_SOURCE:
            labelled.append(row.detection_id)
    return AuditSample(
        requested=tuple(requested),
        waiting=tuple(waiting),
        labelled=tuple(labelled),
        unanswered=unanswered,
    )


def _order(project_id: int, detection_id: str) -> str:
    return digest("audit", str(project_id), detection_id, size=8)
