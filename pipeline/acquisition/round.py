"""What a query strategy receives when a round of labelling begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """A pool, its labelled rows, and the head's predictions for the rows that wait.

    Rows are row numbers of `embeddings`. A row may be neither labelled nor a candidate.
    """

    embeddings: Embeddings  # (N, D)
    candidates: Ints  # (M,) rows that a strategy may choose, none of them labelled
    labelled: Ints  # (L,) rows that people have looked at
    labels: Ints  # (L,) their classes: columns of `probabilities`, or C if the head has no such class
    sequences: Ints  # (M,) the sequence of each candidate, as a number
    probabilities: Floats | None = None  # (M, C) calibrated, of each candidate; None before the first head
    predict_proba: Callable[[Embeddings], Floats] | None = None  # the head: (B, C) for embeddings (B, D)


Strategy = Callable[[Round, int, np.random.Generator], Ints]
"""Returns up to k distinct candidates as rows of the pool, in the order in which to label them.

There are fewer than k only if there are fewer candidates.
"""
