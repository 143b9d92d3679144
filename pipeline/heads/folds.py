"""Folds for cross-validation that never divide a group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Ints, numbered

FOLDS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """The fold that holds each row out, and what a group is."""

    of: Ints  # (N,) the fold of each row, 0..count-1
    count: int
    held_out_by: str  # location, sequence or detection
    groups: int  # how many


def grouped(
    sequences: Sequence[str], locations: Sequence[str | None], rng: np.random.Generator
) -> Folds | None:
    """At most five folds of N rows: by location if there are two, else by sequence, else by row.

    Held-out locations show how the head does at a camera that it has no labels of. Rows without a location
    form one group. Groups go to the fold with the fewest rows, largest group first, and groups of equal
    size in an order drawn from `rng`. None if there is only one row.

    scikit-learn's GroupKFold does the same without a seed; with `shuffle=True` it gives each fold the same
    number of groups, whatever their sizes, so one large location could leave folds of very unequal size.
    """
    ways: list[tuple[str, Sequence[Hashable]]] = [
        ("location", locations),
        ("sequence", sequences),
        ("detection", range(len(sequences))),
    ]
    held_out_by, keys = next(((way, keys) for way, keys in ways if len(set(keys)) > 1), (None, ()))
    if held_out_by is None:
        return None
    _, group_of_row = numbered(keys, sort=False)  # None does not sort
    sizes = np.bincount(group_of_row)
    count = min(FOLDS, len(sizes))
    fold_of_group = np.empty(len(sizes), np.intp)
    filled = np.zeros(count, np.intp)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of_group[group] = filled.argmin()
        filled[fold_of_group[group]] += sizes[group]
    return Folds(of=fold_of_group[group_of_row], count=count, held_out_by=held_out_by, groups=len(sizes))
