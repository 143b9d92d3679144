"""Whether one set of answers is better than another, on the same crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 1000

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures of the old answers and the new ones."""

    crops: int
    clusters: int  # places, which are right or wrong together
    old_accuracy: float
    new_accuracy: float
    old_macro_f1: float
    new_macro_f1: float
    surer: float  # share of bootstrap draws in which the new answers have the higher macro-F1


def compare(
    truth: Ints, old: Ints, new: Ints, clusters: Ints, *, draws: int = DRAWS, seed: int = 0
) -> Comparison:
    """Of N crops the truth and two answers, all (N,) class numbers from 0, and the number of its cluster.

    The draws are of whole clusters with replacement, the same for both. Macro-F1 is over the classes that
    the crops show.
    """
    _, numbers = np.unique(clusters, return_inverse=True)
    classes = int(max(truth.max(), old.max(), new.max())) + 1
    tables = [_tables(truth, answers, numbers, classes) for answers in (old, new)]
    whole = [_macro_f1(table.sum(axis=0)) for table in tables]
    rng = np.random.default_rng(seed)
    better = 0
    for _ in range(draws):
        times = np.bincount(rng.integers(len(tables[0]), size=len(tables[0])), minlength=len(tables[0]))
        drawn = [_macro_f1(np.tensordot(times, table, 1)) for table in tables]
        better += drawn[1] > drawn[0]
    return Comparison(
        crops=len(truth),
        clusters=len(tables[0]),
        old_accuracy=float((old == truth).mean()),
        new_accuracy=float((new == truth).mean()),
        old_macro_f1=whole[0],
        new_macro_f1=whole[1],
        surer=better / draws,
    )


def _tables(truth: Ints, answers: Ints, clusters: Ints, classes: int) -> npt.NDArray[np.int64]:
    """(clusters, 3, classes): crops of each class, answers that name it, and those that are right."""
    right = answers == truth
    counted = [(clusters, truth), (clusters, answers), (clusters[right], truth[right])]
    shape = (int(clusters.max()) + 1, classes)
    tables = [np.bincount(at * classes + one, minlength=shape[0] * classes) for at, one in counted]
    return np.stack([table.reshape(shape) for table in tables], axis=1)


def _macro_f1(table: npt.NDArray[np.int64]) -> float:
    crops, answers, right = table
    f1 = 2 * right / np.maximum(1, crops + answers)
    return float(f1[crops > 0].mean())
