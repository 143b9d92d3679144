"""Embeddings + a head -> the next crops to label: the queue of a model version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.acquisition import REACH, margin, margin_with_diversity, typical_cover
from pipeline.heads import LinearHead
from pipeline.records import ModelRecord, PredictionRecord
from pipeline.store import candidates, models, predictions
from pipeline.store.database import Database
from pipeline.store.pool import Pool

BLOCK = 16_384  # rows scored at a time

Rows = npt.NDArray[np.intp]


def waiting_rows(pool: Pool, waiting: Iterable[str]) -> Rows:
    """The pool's rows of these detections, ascending; one that is not embedded yet has none."""
    index = pool.index
    return np.sort(np.fromiter((index[one] for one in waiting if one in index), np.intp))


def covering_queue(pool: Pool, rows: Rows, top_k: int, seed: int) -> list[PredictionRecord]:
    """The first `top_k` of `rows` in an order that covers them, with no answer yet."""
    order = typical_cover(pool.vectors, top_k, np.random.default_rng(seed), rows=rows)
    return [
        PredictionRecord(
            detection_id=pool.ids[row],
            rank=rank,
            score=queue_score(rank, len(order)),
            category_id=None,
            probability=None,
        )
        for rank, row in enumerate(order)
    ]


def learning_queue(
    database: Database, pool: Pool, rows: Rows, head: LinearHead, top_k: int, seed: int
) -> list[PredictionRecord]:
    """The `top_k` of `rows` whose labels should teach the head most, with its answers.

    A head of one class doubts everything alike: the order then is one that covers the rows.
    """
    if len(head.classes) == 1:
        order = typical_cover(pool.vectors, top_k, np.random.default_rng(seed), rows=rows)
    else:
        order = _doubtful(database, pool, rows, head, top_k, seed)
    answers = head.probabilities(pool.vectors[order])
    best = answers.argmax(axis=1)
    return [
        PredictionRecord(
            detection_id=pool.ids[row],
            rank=rank,
            score=queue_score(rank, len(order)),
            category_id=head.classes[best[rank]],
            probability=float(answers[rank, best[rank]]),
        )
        for rank, row in enumerate(order)
    ]


def queue_score(rank: int, length: int) -> float:
    """Label Studio's order within a queue: 0 up to 1, lowest first. What is in no queue scores above."""
    return rank / length


def settle(database: Database, record: ModelRecord, queue: Sequence[PredictionRecord]) -> ModelRecord:
    """Make the version current with this queue, in one transaction.

    Where it is current with this very queue nothing changes, and nothing is pushed a second time.
    """
    with database.write() as conn:
        current = models.current(conn, record.project_id)
        if current is not None and current.version == record.version:
            stored = predictions.of(conn, record.version)
            if [one.detection_id for one in stored] == [one.detection_id for one in queue]:
                return current
        models.activate(conn, record, queue)
        return models.get(conn, record.version)


def _doubtful(database: Database, pool: Pool, rows: Rows, head: LinearHead, top_k: int, seed: int) -> Rows:
    doubt = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        doubt[part] = margin(head.probabilities(pool.vectors[rows[part]]))
    order = rows[np.argsort(doubt, kind="stable")]
    # Sequences are looked up only as far down the margins as the choice reaches.
    wanted = REACH * top_k
    reach = 2 * wanted
    while True:
        near = order[:reach]
        ids = [pool.ids[row] for row in near]
        with database.read() as conn:
            places = candidates.places(conn, ids)
        sequences = [places[one].sequence for one in ids]
        if reach >= len(order) or len(set(sequences)) >= wanted:
            break
        reach *= 2
    vectors = pool.vectors[near]
    rng = np.random.default_rng(seed)
    picks = margin_with_diversity(head.probabilities(vectors), vectors, sequences, top_k, rng)
    return near[picks]
