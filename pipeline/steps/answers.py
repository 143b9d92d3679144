"""A head + embeddings -> what it says of each crop, and whether it can know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.acquisition.novelty import Familiar
from pipeline.heads import LinearHead
from pipeline.heads.linear import BLOCK


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a head says, row by row."""

    said: npt.NDArray[np.intp]  # (N,) category ids, the likeliest
    probability: npt.NDArray[np.float32]  # (N,) calibrated, of what is said
    novel: npt.NDArray[np.bool_]  # (N,) far from everything labelled: what is said is a guess


def answer(
    head: LinearHead, known: Familiar, vectors: npt.NDArray[np.float16], rows: npt.NDArray[np.intp]
) -> Answers:
    """The answers for `rows` (N,) of `vectors`, which are read a block at a time."""
    classes = np.array(head.classes, np.intp)
    said, probability = np.empty(len(rows), np.intp), np.empty(len(rows), np.float32)
    novel = np.empty(len(rows), np.bool_)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = vectors[rows[part]]
        probabilities = head.probabilities(block)
        said[part], probability[part] = classes[probabilities.argmax(axis=1)], probabilities.max(axis=1)
        novel[part] = known.novel(block)
    return Answers(said=said, probability=probability, novel=novel)
