"""Which groups of labelled rows are held out for testing: whole groups, with a share of every class."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Ints

MOST_FOLDS = 20
MANY = 20_000  # groups: this many, drawn at random, contain a share of every class
DRAWS = 20


def held_out(classes: Ints, groups: Ints, fraction: float, seed: int) -> Bools:
    """Which groups to hold out: (G,) of G groups, at least one and never all of them.

    `classes` (N,) are the class numbers of the rows; `groups` (N,) are the numbers 0..G-1 of their groups,
    each with at least one row. Holds out `fraction` (0 to 1) of the rows, and of the rows of each class, as
    far as whole groups allow. Of the possible choices, it takes one that leaves the fewest classes with
    several groups on one side only. The same arguments give the same result. Raises ValueError if there is
    only one group.
    """
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        raise ValueError("one group cannot be split")
    if count > MANY:
        return _draws(count, fraction, seed)[0]
    _, classes = np.unique(classes, return_inverse=True)
    folds, taken = _fold_counts(fraction, min(count, MOST_FOLDS))
    rows = np.zeros((int(classes.max()) + 1, count), np.int32)  # of each class in each group
    np.add.at(rows, (classes, groups), 1)
    choices: list[Bools] = []
    if rows.sum(axis=1).max() >= folds:  # with fewer rows nothing can be stratified
        fold_of_group = _folds(classes, groups, count, folds, seed)
        choices = [np.isin(fold_of_group, (first + np.arange(taken)) % folds) for first in range(folds)]
    usable = [chosen for chosen in choices if chosen.any() and not chosen.all()]
    return min(usable or _draws(count, fraction, seed), key=lambda chosen: _cost(rows, chosen, fraction))


def place_name(location: str | None, sequence: str) -> str:
    """The name of a crop's place: its location, or its sequence if the location is not known."""
    return f"in {sequence}" if location is None else f"at {location}"


def _fold_counts(fraction: float, most: int) -> tuple[int, int]:
    """How many folds to make and how many of them to hold out, to come closest to `fraction`."""
    counts = [(folds, min(folds - 1, max(1, round(fraction * folds)))) for folds in range(2, most + 1)]
    return min(counts, key=lambda count: (round(abs(count[1] / count[0] - fraction), 9), count[0]))


def _folds(classes: Ints, groups: Ints, count: int, folds: int, seed: int) -> Ints:
    """The fold (0..folds-1) of each group (count,), by scikit-learn's stratified folds of whole groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    fold_of_group = np.zeros(count, np.intp)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer rows than folds
        for number, (_, rows) in enumerate(splitter.split(classes, classes, groups)):
            fold_of_group[groups[rows]] = number
    return fold_of_group


def _cost(rows: npt.NDArray[np.int32], chosen: Bools, fraction: float) -> tuple[int, float]:
    """How many classes are on one side only though they have several groups, and how far the shares are off.

    The latter is the sum of the mean over classes and the deviation of the total.
    """
    tested, total = rows[:, chosen].sum(axis=1), rows.sum(axis=1)
    one_sided = ((tested == 0) | (tested == total)) & ((rows > 0).sum(axis=1) > 1)
    off = np.abs(tested / total - fraction).mean() + abs(tested.sum() / total.sum() - fraction)
    return int(one_sided.sum()), round(float(off), 9)


def _draws(count: int, fraction: float, seed: int) -> list[Bools]:
    """Several random choices of groups that ignore classes, for when rows are few or fit no folds."""
    rng = np.random.default_rng(seed)
    taken = min(count - 1, max(1, round(fraction * count)))
    return [np.isin(np.arange(count), rng.permutation(count)[:taken]) for _ in range(DRAWS)]
