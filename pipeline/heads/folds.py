"""Folds for cross-validation that never part a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.heads.logistic import Ints

FOLDS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """Which fold holds each row out, and what a group was."""

    of: Ints  # (N,) fold of each row, 0..count-1
    count: int
    held_out_by: str  # location, sequence or detection
    groups: int  # how many


def grouped(
    sequences: Sequence[str], locations: Sequence[str | None], rng: np.random.Generator
) -> Folds | None:
    """At most five folds by location where there are two of them, else by sequence, else by row.

    Held-out locations tell how the head does at a camera that it has never seen. A row without a
    location belongs to one nameless place. Groups go largest first to the emptiest fold, ties in an
    order drawn from `rng`. None where there is but one row.
    """
    ways: list[tuple[str, Sequence[object]]] = [
        ("location", locations),
        ("sequence", sequences),
        ("detection", range(len(sequences))),
    ]
    held_out_by, keys = next(((way, keys) for way, keys in ways if len(set(keys)) > 1), (None, ()))
    if held_out_by is None:
        return None
    group = _numbered(keys)
    sizes = np.bincount(group)
    count = min(FOLDS, len(sizes))
    fold_of_group = np.empty(len(sizes), np.intp)
    filled = np.zeros(count, np.intp)
    shuffled = rng.permutation(len(sizes))
    for one in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of_group[one] = filled.argmin()
        filled[fold_of_group[one]] += sizes[one]
    return Folds(of=fold_of_group[group], count=count, held_out_by=held_out_by, groups=len(sizes))


def _numbered(keys: Sequence[object]) -> npt.NDArray[np.intp]:
    seen: dict[object, int] = {}
    return np.fromiter((seen.setdefault(key, len(seen)) for key in keys), np.intp, len(keys))
