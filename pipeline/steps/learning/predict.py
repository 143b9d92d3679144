"""A head + embeddings -> what it says of each crop, and whether it can know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import BLOCK
from pipeline.heads import LinearHead
from pipeline.heads.pooling import pooled


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a head says, row by row."""

    said: npt.NDArray[np.intp]  # (N,) category ids, the likeliest
    probability: npt.NDArray[np.float32]  # (N,) calibrated, of what is said
    novel: npt.NDArray[np.bool_]  # (N,) far from everything labelled: what is said is a guess


def predict_rows(
    head: LinearHead,
    known: NoveltyDetector,
    vectors: npt.NDArray[np.float16],
    rows: npt.NDArray[np.intp],
    sequences: npt.NDArray[np.intp] | None = None,
) -> Predictions:
    """The answers for `rows` (N,) of `vectors`, which are read a block at a time.

    With `sequences` (N,) the rows of each sequence answer together (`heads.pooling`).
    """
    classes = np.array(head.classes, np.intp)
    said, probability = np.empty(len(rows), np.intp), np.empty(len(rows), np.float32)
    novel = np.empty(len(rows), np.bool_)
    for part in _blocks(np.arange(len(rows)) if sequences is None else sequences):
        block = vectors[rows[part]]
        probabilities = head.probabilities(block)
        if sequences is not None:
            probabilities = pooled(probabilities, sequences[part])
        said[part], probability[part] = classes[probabilities.argmax(axis=1)], probabilities.max(axis=1)
        novel[part] = known.is_novel(block)
    return Predictions(said=said, probability=probability, novel=novel)


def _blocks(sequences: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """The rows of `sequences` (N,) in blocks that part no sequence."""
    order = np.argsort(sequences, kind="stable")
    ends = np.flatnonzero(np.diff(sequences[order], append=-1)) + 1
    start = 0
    while start < len(order):
        end = int(ends[min(int(np.searchsorted(ends, start + BLOCK)), len(ends) - 1)])
        yield order[start:end]
        start = end
