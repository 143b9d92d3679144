"""Embeddings + a head -> the queue of a model version: the next crops to label."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.acquisition import audit, coverage
from pipeline.acquisition.measures import rarity_weighted_gini
from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import BLOCK, Bools, Doubles, Ints
from pipeline.heads import LinearHead
from pipeline.records import ModelRecord, PredictionRecord
from pipeline.steps.learning.pool_state import PoolState, novelty_detector, sequences_of
from pipeline.store import acceptances, choices, models, predictions
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PreparedVersion:
    """A version that is ready to become current."""

    record: ModelRecord
    queue: Sequence[PredictionRecord]


def build_queue(
    workspace: Workspace, state: PoolState, version: str, head: LinearHead | None, learned: Iterable[str]
) -> list[PredictionRecord]:
    """The next `state.queue_length` crops, by `acquisition.coverage`, with the audit crops among them.

    `head` is the version's and `learned` the detections it was fitted on; a cold start has neither. Crops
    whose prediction is accepted (`wildloop accept`) are left out. Audit crops drawn on request come before
    all others and do not count towards the length. Audit and novel crops come without a suggestion, so
    that people judge them unbiased. The same version and state give the same queue.
    """
    pool, rng = state.pool, np.random.default_rng(zlib.crc32(version.encode()))
    with workspace.database.read() as conn:
        accepted = acceptances.for_version(conn, version)
        thresholds = {} if accepted is None else dict(accepted.thresholds)
        if thresholds:  # somebody may have taken away a choice meanwhile
            offered = choices.offered(conn, models.get(conn, version).project_id)
            thresholds = {number: least for number, least in thresholds.items() if number in offered}
    novelty = novelty_detector(workspace, pool, learned)
    covered = 0 if accepted is None else accepted.pool_size
    waiting, value = _open(state, head, novelty, thresholds, covered)
    chosen = coverage.choose(
        pool.vectors,
        waiting,
        state.seen,
        value,
        lambda places: sequences_of(workspace, pool, waiting[places]),
        state.queue_length,
        rng,
    )
    index = pool.index
    requested, interleaved = (
        np.array([index[crop] for crop in crops if crop in index], np.intp)
        for crops in (state.audit.requested, state.audit.waiting)
    )
    rows = np.concatenate([requested, audit.interleaved(chosen, interleaved)[: state.queue_length]])
    hidden = np.isin(rows, requested) | np.isin(rows, interleaved)
    novel = novelty.is_novel(pool.vectors[rows])
    return _records([pool.ids[row] for row in rows], pool.vectors[rows], head, hidden | novel, novel)


def queue_score(rank: int, length: int) -> float:
    """The score by which Label Studio orders the queue: from 0 up to, not including, 1, lowest first.

    Tasks outside the queue score 1 or more.
    """
    return rank / length


def activate_version(workspace: Workspace, prepared: PreparedVersion) -> ModelRecord:
    """Make the version current with its queue, in one transaction.

    If it is current with this same queue and suggestions, nothing changes and nothing is pushed again. Raises
    EmbedderChangedError if the project's embedder is not the version's any more: the queue would be built
    from vectors that the project does not use.
    """
    record, queue = prepared.record, prepared.queue
    with workspace.database.write() as conn:
        current = models.current(conn, record.project_id)
        if current is not None and current.version == record.version:
            stored = predictions.queue(conn, record.version)
            if _places(stored) == _places(queue):
                return current
        models.activate(conn, record, queue)
        return models.get(conn, record.version)


def _places(queue: Iterable[PredictionRecord]) -> list[tuple[str, int | None]]:
    return [(row.detection_id, row.category_id) for row in queue]


def _open(
    state: PoolState,
    head: LinearHead | None,
    novelty: NoveltyDetector,
    thresholds: Mapping[int, float],
    covered: int,
) -> tuple[Ints, Doubles]:
    """The waiting rows without an accepted prediction, and how much the label of each may teach.

    Accepted are predictions above the `thresholds` of the first `covered` rows of the pool.
    """
    rows = state.waiting
    if head is None:
        return rows, coverage.worth(None, np.zeros(0, np.intp), len(rows))
    column = {category: place for place, category in enumerate(head.classes)}
    labels = np.array([column.get(label, len(column)) for label in state.labels.values()], np.intp)
    needed = np.array([thresholds.get(category, np.inf) for category in head.classes])
    value: Doubles = np.empty(len(rows))
    is_open = np.empty(len(rows), np.bool_)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        vectors = state.pool.vectors[rows[part]]
        probabilities = head.probabilities(vectors)
        value[part] = rarity_weighted_gini(probabilities, labels)
        settled = probabilities.max(axis=1) >= needed[probabilities.argmax(axis=1)]
        if settled.any():
            settled &= rows[part] < covered
            settled[settled] = ~novelty.is_novel(vectors[settled])
        is_open[part] = ~settled
    return rows[is_open], value[is_open]


def _records(
    ids: Sequence[str],
    vectors: npt.NDArray[np.float16],
    head: LinearHead | None,
    hidden: Bools,
    novel: Bools,
) -> list[PredictionRecord]:
    """The K rows of the queue, with the head's prediction for those that are not `hidden` (K,)."""
    suggestions: list[tuple[int, float] | None] = [None] * len(ids)
    if head is not None:
        probabilities = head.probabilities(vectors)
        best = probabilities.argmax(axis=1)
        suggestions = [
            None if hidden[rank] else (head.classes[best[rank]], float(probabilities[rank, best[rank]]))
            for rank in range(len(ids))
        ]
    return [
        PredictionRecord(
            detection_id=crop,
            rank=rank,
            score=queue_score(rank, len(ids)),
            category_id=None if suggestion is None else suggestion[0],
            probability=None if suggestion is None else suggestion[1],
            novel=bool(novel[rank]),
        )
        for rank, (crop, suggestion) in enumerate(zip(ids, suggestions, strict=True))
    ]
