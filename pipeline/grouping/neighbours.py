"""Search by example: the crops that are most like a given one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import AnyFloats, Embeddings, Floats, Ints, blocks, unit


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """K rows, most alike first."""

    rows: Ints  # (K,)
    similarity: Floats  # (K,) cosine to the example, -1 to 1


def nearest(embeddings: Embeddings, rows: Ints, example: AnyFloats, count: int) -> Found:
    """Up to `count` of the `rows` (M,) of `embeddings` (N, D) that are most like the `example` (D,).

    Likeness is the cosine of the angle between two vectors. The pool is read a block at a time and may be a
    memory map: a million rows take seconds and 20 MB.
    """
    direction = unit(example[None])[0]
    similarity = np.empty(len(rows), np.float32)
    for part in blocks(len(rows)):
        similarity[part] = unit(embeddings[rows[part]]) @ direction
    count = min(count, len(rows))
    best = np.argpartition(-similarity, count - 1)[:count] if count else np.zeros(0, np.intp)
    best = best[np.lexsort((best, -similarity[best]))]
    return Found(rows=rows[best], similarity=similarity[best])
