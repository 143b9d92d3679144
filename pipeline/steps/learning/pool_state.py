"""Which crops of a project are labelled, wait for a label, or belong to the audit, as rows of its pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from pipeline.acquisition import audit
from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import Ints
from pipeline.steps.learning.schedule import queue_length
from pipeline.steps.learning.training_set import training_labels
from pipeline.store import audits, candidates, oracle
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolState:
    """The state of a project at one moment. Rows are ascending; crops without an embedding have none."""

    pool: Pool
    waiting: Ints  # published and not labelled, without the audit's
    seen: Ints  # labelled, or found unsure, by people; without the audit's
    labels: Mapping[int, int]  # the category of each labelled row of `seen`
    audit: audits.AuditSample
    queue_length: int  # for a queue that is built now


def read_pool_state(workspace: Workspace, pool: Pool, project_id: int) -> PoolState:
    """Read the project's state; draws audit crops first if its queue has room for more of them."""
    settings = workspace.settings
    with workspace.database.read() as conn:
        labels = oracle.label_count(conn)
        length = queue_length(labels, top_k=settings.top_k, retrain_every=settings.retrain_every)
        waiting = _waiting(conn, pool)
        room = min(length, len(waiting)) // audit.EVERY
        missing = room - len(audits.sample(conn, project_id).waiting)
        if missing <= 0:
            return _read(conn, pool, project_id, waiting, length)
    with workspace.database.write() as conn:
        waiting = _waiting(conn, pool)  # again: labels may have come in meanwhile
        audits.draw(conn, project_id, waiting, missing)
        return _read(conn, pool, project_id, waiting, length)


def rows_of(pool: Pool, detections: Iterable[str]) -> Ints:
    """The pool's rows of these detections, ascending; detections without an embedding are left out."""
    index = pool.index
    return np.sort(np.fromiter((index[crop] for crop in detections if crop in index), np.intp))


def sequences_of(workspace: Workspace, pool: Pool, rows: Ints) -> Ints:
    """A number for the sequence of each of the pool's `rows` (R,): equal numbers, the same sequence."""
    ids = [pool.ids[row] for row in rows]
    with workspace.database.read() as conn:
        places = candidates.places(conn, ids)
    return np.unique([places[crop].sequence for crop in ids], return_inverse=True)[1].astype(np.intp)


def novelty_detector(workspace: Workspace, pool: Pool, learned: Iterable[str]) -> NoveltyDetector:
    """A detector of crops that are far from all that a version has `learned` from."""
    rows = rows_of(pool, learned)
    return NoveltyDetector(pool.vectors[rows], sequences_of(workspace, pool, rows))


def _waiting(conn: sa.Connection, pool: Pool) -> list[str]:
    return [crop for crop in candidates.waiting_ids(conn) if crop in pool.index]


def _read(conn: sa.Connection, pool: Pool, project_id: int, waiting: Sequence[str], length: int) -> PoolState:
    audited = audits.drawn_ids(conn, project_id)
    labels = training_labels(conn, project_id)
    return PoolState(
        pool=pool,
        waiting=rows_of(pool, (crop for crop in waiting if crop not in audited)),
        seen=rows_of(pool, (oracle.resolved_ids(conn) | labels.keys()) - audited),
        labels={pool.index[crop]: label for crop, label in labels.items() if crop in pool.index},
        audit=audits.sample(conn, project_id),
        queue_length=length,
    )
