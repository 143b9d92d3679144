"""Search by example: the crops that are most like given ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints, blocks, unit


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """K rows, most alike first."""

    rows: Ints  # (K,)
    similarity: Floats  # (K,) cosine to the nearest example, -1 to 1
    example: Ints  # (K,) which example that is


def nearest(embeddings: Embeddings, rows: Ints, examples: Embeddings, count: int) -> Found:
    """Up to `count` of the `rows` (M,) of `embeddings` (N, D) that are most like any of `examples` (E, D).

    Likeness is the cosine of the angle between two vectors. The pool is read a block at a time and may be a
    memory map: only the numbers of likeness, 4 bytes for each row, are kept for all of it.
    """
    points = unit(examples)
    similarity = np.empty(len(rows), np.float32)
    for part in blocks(len(rows)):
        similarity[part] = (unit(embeddings[rows[part]]) @ points.T).max(axis=1)
    count = min(count, len(rows))
    best = np.argpartition(-similarity, count - 1)[:count] if count else np.zeros(0, np.intp)
    best = best[np.lexsort((best, -similarity[best]))]
    return Found(
        rows=rows[best],
        similarity=similarity[best],
        example=(unit(embeddings[rows[best]]) @ points.T).argmax(axis=1).astype(np.intp),
    )
