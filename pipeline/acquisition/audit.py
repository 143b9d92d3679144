"""Crops drawn at random among the chosen ones: what the machine is judged by."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.round import Ints

EVERY = 10  # of ten crops in a queue, the last is an audit crop


def interleaved(chosen: Ints, audit: Ints) -> Ints:
    """`chosen` in its order with one of `audit` at every tenth place; no row is in both.

    The audit rows keep their order; those that find no place among the chosen come after them.
    """
    taken = audit[: len(chosen) // (EVERY - 1)]
    result = np.empty(len(chosen) + len(taken), np.intp)
    audited = np.zeros(len(result), np.bool_)
    audited[EVERY * np.arange(1, len(taken) + 1) - 1] = True
    result[audited], result[~audited] = taken, chosen
    return np.concatenate([result, audit[len(taken) :]])
