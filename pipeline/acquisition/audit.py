"""Crops drawn at random among the chosen ones: what the machine is judged by."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.round import Ints

EVERY = 10  # of ten crops in a queue, the last is an audit crop


def interleaved(chosen: Ints, audit: Ints) -> Ints:
    """`chosen` in its order with one of `audit` at every tenth place; no row is in both.

    The audit rows keep their order; those that find no place among the chosen are left out, but for one
    at the end of fewer than nine. Without any chosen row, all of the audit.
    """
    if not len(chosen):
        return audit
    taken = audit[: (len(chosen) + EVERY - 2) // (EVERY - 1)]
    length = len(chosen) + len(taken)
    places = np.minimum(EVERY * np.arange(1, len(taken) + 1), length) - 1
    result = np.empty(length, np.intp)
    audited = np.zeros(length, np.bool_)
    audited[places] = True
    result[audited], result[~audited] = taken, chosen
    return result
