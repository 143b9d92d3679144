"""Where audit crops, which are drawn at random, come in a queue."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Ints

EVERY = 10  # the last of every ten crops in a queue is an audit crop


def interleaved(chosen: Ints, audit: Ints) -> Ints:
    """The rows `chosen` (K,) in their order, with one of `audit` (A,) at every tenth place.

    No row may be in both. Audit rows keep their order; those for which `chosen` is too short come last.
    """
    taken = audit[: len(chosen) // (EVERY - 1)]
    result = np.empty(len(chosen) + len(taken), np.intp)
    is_audit = np.zeros(len(result), np.bool_)
    is_audit[EVERY * np.arange(1, len(taken) + 1) - 1] = True
    result[is_audit], result[~is_audit] = taken, chosen
    return np.concatenate([result, audit[len(taken) :]])
