"""A model version + embeddings -> its predictions, and which of them are guesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline import version_files
from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import BLOCK, Ints, blocks
from pipeline.heads import LinearHead
from pipeline.heads.pooling import pooled
from pipeline.records import ModelRecord
from pipeline.steps.learning.pool_state import novelty_detector
from pipeline.store import categories, choices
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """The predictions for N crops."""

    category: Ints  # (N,) ids of the most likely categories
    probability: npt.NDArray[np.float32]  # (N,) calibrated, of these categories
    novel: npt.NDArray[np.bool_]  # (N,) far from everything labelled: the prediction is a guess
    offered: npt.NDArray[np.bool_]  # (N,) people can choose the category in the project


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedVersion:
    """A model version that has a head, with all that it needs to predict."""

    record: ModelRecord
    pool: Pool  # of the version's embedder
    head: LinearHead
    novelty: NoveltyDetector
    offered: frozenset[int]  # the categories that the project offers

    def likeliest(self, rows: Ints) -> tuple[Ints, npt.NDArray[np.float32]]:
        """The most likely category (N,) of the pool's `rows` (N,), and its probability (N,).

        Says nothing of novelty, which takes ten times as long.
        """
        classes = np.array(self.head.classes, np.intp)
        category, probability = np.empty(len(rows), np.intp), np.empty(len(rows), np.float32)
        for part in blocks(len(rows)):
            probabilities = self.head.probabilities(self.pool.vectors[rows[part]])
            category[part] = classes[probabilities.argmax(axis=1)]
            probability[part] = probabilities.max(axis=1)
        return category, probability

    def predict(self, rows: Ints, sequences: Ints | None = None) -> Predictions:
        """The predictions for the pool's `rows` (N,); the pool is read a block at a time.

        With `sequences` (N,), the predictions of each sequence are pooled (`heads.pooling`).
        """
        classes = np.array(self.head.classes, np.intp)
        category, probability = np.empty(len(rows), np.intp), np.empty(len(rows), np.float32)
        novel = np.empty(len(rows), np.bool_)
        for part in _blocks(np.arange(len(rows)) if sequences is None else sequences):
            vectors = self.pool.vectors[rows[part]]
            probabilities = self.head.probabilities(vectors)
            if sequences is not None:
                probabilities = pooled(probabilities, sequences[part])
            category[part] = classes[probabilities.argmax(axis=1)]
            probability[part] = probabilities.max(axis=1)
            novel[part] = self.novelty.is_novel(vectors)
        offered = np.isin(category, list(self.offered))
        return Predictions(category=category, probability=probability, novel=novel, offered=offered)


def load_version(workspace: Workspace, record: ModelRecord) -> LoadedVersion:
    """Load the version's head and its pool. Raises ModelError if it has no head or its files are damaged."""
    pool = workspace.pool(record.embedder)
    with workspace.database.read() as conn:
        offered = frozenset(choices.offered(conn, record.project_id))
    return LoadedVersion(
        record=record,
        pool=pool,
        offered=offered,
        head=load_head(workspace, record),
        novelty=novelty_detector(workspace, pool, version_files.learned(workspace.data_dir, record)),
    )


def load_head(workspace: Workspace, record: ModelRecord) -> LinearHead:
    """The version's head, for the categories as they are merged now. Raises ModelError as `load_version`."""
    head = version_files.load_head(workspace.data_dir, record)
    with workspace.database.read() as conn:
        return head.merged(categories.resolved(conn))


def _blocks(sequences: Ints) -> Iterator[Ints]:
    """The positions in `sequences` (N,), in blocks that never split a sequence."""
    order = np.argsort(sequences, kind="stable")
    ends = np.flatnonzero(np.diff(sequences[order], append=-1)) + 1
    start = 0
    while start < len(order):
        end = int(ends[min(int(np.searchsorted(ends, start + BLOCK)), len(ends) - 1)])
        yield order[start:end]
        start = end
