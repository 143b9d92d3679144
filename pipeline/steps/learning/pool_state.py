"""Store -> who of a project is labelled, who waits and who is drawn for the audit, as rows of its pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from pipeline import heads
from pipeline.acquisition import audit
from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import Ints
from pipeline.steps.learning.schedule import queue_length
from pipeline.store import audits, candidates, oracle
from pipeline.store.candidates import CropPlace
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolState:
    """How a project stands at one moment."""

    pool: Pool
    waiting: Ints  # published, embedded, drawn for no audit; ascending
    seen: Ints  # people have looked at them: labelled or unsure, the audit's not among them; ascending
    labels: Mapping[int, int]  # the category of each labelled row of `seen`
    audit: audits.AuditSample
    queue_length: int  # of a version that is made or activated now


def read_pool_state(workspace: Workspace, pool: Pool, project_id: int) -> PoolState:
    """Read how the project stands, after drawing the audit crops that its queue has room for."""
    with workspace.database.read() as conn:
        waiting = [one for one in candidates.waiting_ids(conn, project_id) if one in pool.index]
        sample = audits.sample(conn, project_id)
        length = queue_length(
            oracle.label_count(conn, project_id),
            top_k=workspace.settings.top_k,
            retrain_every=workspace.settings.retrain_every,
        )
    missing = min(length, len(waiting)) // audit.EVERY - len(sample.waiting)
    if missing > 0:
        with workspace.database.write() as conn:  # what waits is read again: a label may have come meanwhile
            still = (one for one in candidates.waiting_ids(conn, project_id) if one in pool.index)
            audits.draw(conn, project_id, still, missing)
    with workspace.database.read() as conn:
        drawn = audits.drawn_ids(conn, project_id)
        labels = learned(conn, project_id)
        return PoolState(
            pool=pool,
            waiting=rows_of(pool, (one for one in waiting if one not in drawn)),
            seen=rows_of(pool, (oracle.resolved_ids(conn, project_id) | labels.keys()) - drawn),
            labels={pool.index[one]: label for one, label in labels.items() if one in pool.index},
            audit=audits.sample(conn, project_id),
            queue_length=length,
        )


def learned(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The category of each labelled detection that versions may learn from: all but the audit's."""
    drawn = audits.drawn_ids(conn, project_id)
    return {one: label for one, label in oracle.labels(conn, project_id).items() if one not in drawn}


def examples_of(
    pool: Pool, labels: Mapping[str, int], places: Mapping[str, CropPlace], names: Mapping[int, str]
) -> heads.Examples:
    """The detections of `places`, sorted by id, as a head learns them."""
    ids = sorted(places)
    return heads.Examples(
        embeddings=pool.rows(ids),
        labels=[labels[one] for one in ids],
        sequences=[places[one].sequence for one in ids],
        locations=[places[one].location for one in ids],
        names=names,
    )


def rows_of(pool: Pool, detections: Iterable[str]) -> Ints:
    """The pool's rows of these detections, ascending; one that is not embedded yet has none."""
    index = pool.index
    return np.sort(np.fromiter((index[one] for one in detections if one in index), np.intp))


def sequences_of(workspace: Workspace, pool: Pool, rows: Ints) -> Ints:
    """A number for the sequence of each of the pool's `rows` (R,); equal numbers are of one sequence."""
    ids = [pool.ids[row] for row in rows]
    with workspace.database.read() as conn:
        places = candidates.places(conn, ids)
    return np.unique([places[one].sequence for one in ids], return_inverse=True)[1].astype(np.intp)


def novelty_detector(workspace: Workspace, pool: Pool, learned: Iterable[str]) -> NoveltyDetector:
    """What a version has `learned`, for telling which crops are far from all of it."""
    rows = rows_of(pool, learned)
    return NoveltyDetector(pool.vectors[rows], sequences_of(workspace, pool, rows))
