"""Whether one set of predictions is better than another, on the same crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Ints
from pipeline.statistics import DRAWS, f1_scores, resampled


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Metrics of the old and the new predictions."""

    crops: int
    clusters: int  # places, whose crops are right or wrong together
    old_accuracy: float
    new_accuracy: float
    old_macro_f1: float
    new_macro_f1: float
    surer: float  # share of bootstrap draws in which the new predictions have the higher macro-F1


def compare(
    truth: Ints, old: Ints, new: Ints, clusters: Ints, *, draws: int = DRAWS, seed: int = 0
) -> Comparison:
    """Compare two predictions for N crops: `truth`, `old` and `new` (N,) are class numbers from 0.

    `clusters` (N,) are the numbers of the crops' clusters, which are drawn whole, the same ones for both
    predictions. Macro-F1 is over the classes of the crops.
    """
    _, numbers = np.unique(clusters, return_inverse=True)
    classes = int(max(truth.max(), old.max(), new.max())) + 1
    tables = [_tables(truth, predicted, numbers, classes) for predicted in (old, new)]
    whole = [_macro_f1(table.sum(axis=0)) for table in tables]
    better = 0
    for times in resampled(len(tables[0]), draws, np.random.default_rng(seed)):
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


def _tables(truth: Ints, predicted: Ints, clusters: Ints, classes: int) -> npt.NDArray[np.int64]:
    """(clusters, 3, classes): crops of each class, predictions of it, and how many of these are right."""
    right = predicted == truth
    counted = [(clusters, truth), (clusters, predicted), (clusters[right], truth[right])]
    shape = (int(clusters.max()) + 1, classes)
    tables = [
        np.bincount(cluster * classes + category, minlength=shape[0] * classes)
        for cluster, category in counted
    ]
    return np.stack([table.reshape(shape) for table in tables], axis=1)


def _macro_f1(table: npt.NDArray[np.int64]) -> float:
    labels, predictions, hits = table
    return float(f1_scores(labels, predictions, hits)[labels > 0].mean())
