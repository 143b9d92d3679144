"""Which groups of labelled rows are held out to test on: whole groups, every class in its share."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

MOST_FOLDS = 20
MANY = 20_000  # groups: so many, drawn at random, hold each class in its share
DRAWS = 20

Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]


def held_out(classes: Ints, groups: Ints, fraction: float, seed: int) -> Bools:
    """Which groups to test on: (G,) of G groups, at least one and never all of them.

    classes (N,) numbers of the rows' classes; groups (N,) numbers 0..G-1 of their groups, each with a
    row; `fraction` (0 to 1) of the rows, of each class as well as whole groups allow. Of the ways to take
    it, one that leaves the fewest classes of several groups on one side. The same arguments give the same
    answer. Raises ValueError where there is but one group.
    """
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        raise ValueError("one group cannot be split")
    if count > MANY:
        return _draws(count, fraction, seed)[0]
    _, classes = np.unique(classes, return_inverse=True)
    folds, taken = _ways(fraction, min(count, MOST_FOLDS))
    rows = np.zeros((int(classes.max()) + 1, count), np.int32)  # of each class in each group
    np.add.at(rows, (classes, groups), 1)
    ways: list[Bools] = []
    if rows.sum(axis=1).max() >= folds:  # fewer are too few to stratify by
        fold_of_group = _folds(classes, groups, count, folds, seed)
        ways = [np.isin(fold_of_group, (first + np.arange(taken)) % folds) for first in range(folds)]
    whole = [chosen for chosen in ways if chosen.any() and not chosen.all()]
    return min(whole or _draws(count, fraction, seed), key=lambda chosen: _cost(rows, chosen, fraction))


def place_name(location: str | None, sequence: str) -> str:
    """What a crop's place is called: its location, or the sequence where that is not known."""
    return f"in {sequence}" if location is None else f"at {location}"


def _ways(fraction: float, most: int) -> tuple[int, int]:
    """How many folds to make, and how many of them to test on, to come nearest to `fraction`."""
    ways = [(folds, min(folds - 1, max(1, round(fraction * folds)))) for folds in range(2, most + 1)]
    return min(ways, key=lambda way: (round(abs(way[1] / way[0] - fraction), 9), way[0]))


def _folds(classes: Ints, groups: Ints, count: int, folds: int, seed: int) -> Ints:
    """The fold (0..folds-1) of each group, by scikit-learn's stratified folds of whole groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros(count, np.intp)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes rarer than folds: they come as they may
        for number, (_, rows) in enumerate(splitter.split(classes, classes, groups)):
            found[groups[rows]] = number
    return found


def _cost(rows: npt.NDArray[np.int32], chosen: Bools, fraction: float) -> tuple[int, float]:
    """How many classes could be on both sides and are not, and how far the shares are off, summed."""
    tested, total = rows[:, chosen].sum(axis=1), rows.sum(axis=1)
    one_sided = ((tested == 0) | (tested == total)) & ((rows > 0).sum(axis=1) > 1)
    off = np.abs(tested / total - fraction).mean() + abs(tested.sum() / total.sum() - fraction)
    return int(one_sided.sum()), round(float(off), 9)


def _draws(count: int, fraction: float, seed: int) -> list[Bools]:
    """Groups drawn without a look at classes, several times: where rows are few, or fit no fold."""
    rng = np.random.default_rng(seed)
    taken = min(count - 1, max(1, round(fraction * count)))
    return [np.isin(np.arange(count), rng.permutation(count)[:taken]) for _ in range(DRAWS)]
