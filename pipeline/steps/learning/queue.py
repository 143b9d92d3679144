"""Embeddings + a head -> the next crops to label: the queue of a model version."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
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
from pipeline.store import acceptances, models, predictions
from pipeline.store.acceptances import Acceptance
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PreparedVersion:
    """A version that may become current as it is."""

    record: ModelRecord
    queue: Sequence[PredictionRecord]


def build_queue(
    workspace: Workspace,
    state: PoolState,
    version: str,
    head: LinearHead | None,
    learned: Iterable[str],
) -> list[PredictionRecord]:
    """The next crops: by `acquisition.coverage`, with the audit crops among them.

    `head` is the version's and `learned` what it was fitted on; None and nothing before any label.
    Crops that the version's answers settle (`wildloop accept`) are left out. Audit crops that were asked
    for come before all, and beyond the length. Audit and novel crops come without an answer: a person shall
    look at them with open eyes. The same version and the same standing give the same queue.
    """
    pool, rng = state.pool, np.random.default_rng(zlib.crc32(version.encode()))
    with workspace.database.read() as conn:
        accepted = acceptances.for_version(conn, version)
    known = novelty_detector(workspace, pool, learned)
    waiting, value = _open(state, head, known, accepted)
    chosen = coverage.choose(
        pool.vectors,
        waiting,
        state.seen,
        value,
        lambda at: sequences_of(workspace, pool, waiting[at]),
        state.queue_length,
        rng,
    )
    index = pool.index
    first, among = (
        np.array([index[one] for one in drawn if one in index], np.intp)
        for drawn in (state.audit.requested, state.audit.waiting)
    )
    rows = np.concatenate([first, audit.interleaved(chosen, among)[: state.queue_length]])
    hidden = np.isin(rows, first) | np.isin(rows, among)
    novel = known.is_novel(pool.vectors[rows])
    return _records([pool.ids[row] for row in rows], pool.vectors[rows], head, hidden | novel, novel)


def queue_score(rank: int, length: int) -> float:
    """Label Studio's order within a queue: 0 up to 1, lowest first. What is in no queue scores above."""
    return rank / length


def activate_version(workspace: Workspace, ready: PreparedVersion) -> ModelRecord:
    """Make the version current with its queue, in one transaction.

    Where it is current with this very queue nothing changes, and nothing is pushed a second time.
    EmbedderChangedError where the project went over to another embedder than the version's: its queue
    is in vectors that the project has left.
    """
    record, queue = ready.record, ready.queue
    with workspace.database.write() as conn:
        current = models.current(conn, record.project_id)
        if current is not None and current.version == record.version:
            stored = predictions.queue(conn, record.version)
            if [one.detection_id for one in stored] == [one.detection_id for one in queue]:
                return current
        models.activate(conn, record, queue)
        return models.get(conn, record.version)


def _open(
    state: PoolState, head: LinearHead | None, known: NoveltyDetector, accepted: Acceptance | None
) -> tuple[Ints, Doubles]:
    """The waiting rows that no accepted answer settles, and what the label of each may teach."""
    rows = state.waiting
    if head is None:
        return rows, coverage.worth(None, np.zeros(0, np.intp), len(rows))
    column = {category: at for at, category in enumerate(head.classes)}
    labels = np.array([column.get(one, len(column)) for one in state.labels.values()], np.intp)
    least = {} if accepted is None else accepted.thresholds
    needed = np.array([least.get(one, np.inf) for one in head.classes])
    value: Doubles = np.empty(len(rows))
    left = np.empty(len(rows), np.bool_)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = state.pool.vectors[rows[part]]
        probabilities = head.probabilities(block)
        value[part] = rarity_weighted_gini(probabilities, labels)
        settled = probabilities.max(axis=1) >= needed[probabilities.argmax(axis=1)]
        if accepted is not None and settled.any():
            settled &= rows[part] < accepted.pool_size
            settled[settled] = ~known.is_novel(block[settled])
        left[part] = ~settled
    return rows[left], value[left]


def _records(
    ids: Sequence[str],
    vectors: npt.NDArray[np.float16],
    head: LinearHead | None,
    hidden: Bools,
    novel: Bools,
) -> list[PredictionRecord]:
    """The queue's rows, with the head's answer where it is not `hidden` (K,)."""
    answers: list[tuple[int, float] | None] = [None] * len(ids)
    if head is not None:
        probabilities = head.probabilities(vectors)
        best = probabilities.argmax(axis=1)
        answers = [
            None if hidden[rank] else (head.classes[best[rank]], float(probabilities[rank, best[rank]]))
            for rank in range(len(ids))
        ]
    return [
        PredictionRecord(
            detection_id=one,
            rank=rank,
            score=queue_score(rank, len(ids)),
            category_id=None if answer is None else answer[0],
            probability=None if answer is None else answer[1],
            novel=bool(novel[rank]),
        )
        for rank, (one, answer) in enumerate(zip(ids, answers, strict=True))
    ]
