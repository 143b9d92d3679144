"""What a query strategy is told when a round of labelling begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Embeddings = npt.NDArray[Any]  # (N, D), any float type, memory maps among them


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """A pool, who of it is labelled, and what the head says of those who wait.

    Rows are numbers of rows of `embeddings`; a row may be neither labelled nor a candidate.
    """

    embeddings: Embeddings  # (N, D)
    candidates: Ints  # (M,) rows that may be asked for, none of them labelled
    labelled: Ints  # (L,) rows that people have looked at
    labels: Ints  # (L,) their classes: columns of `probabilities`, or C where it has none of that class
    sequences: Ints  # (M,) of each candidate: equal numbers are of one burst
    probabilities: Floats | None = None  # (M, C) calibrated, of each candidate; None before any head
    answer: Callable[[Embeddings], Floats] | None = None  # the head: probabilities (B, C) of rows (B, D)


Strategy = Callable[[Round, int, np.random.Generator], Ints]
"""Up to k distinct candidates as rows of the pool, first to be labelled first; fewer where fewer wait."""
