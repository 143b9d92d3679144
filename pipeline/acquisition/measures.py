"""How uncertain a head is: pure functions of its probabilities."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Floats, Ints


def least_confidence(probabilities: Floats) -> Floats:
    """The highest probability (N,) of each row of (N, C); label the lowest first.

    Lewis and Gale, cmp-lg/9407020.
    """
    top: Floats = probabilities.max(axis=1)
    return top


def margin(probabilities: Floats) -> Floats:
    """The highest minus the second highest probability (N,) of each row of (N, C); label the lowest first.

    With one class, its probability. Scheffer et al., IDA 2001.
    """
    if probabilities.shape[1] == 1:
        return probabilities[:, 0]
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def entropy(probabilities: Floats) -> Floats:
    """The entropy (N,) of each row of (N, C), in nats; label the highest first (Shannon, 1948)."""
    safe = np.where(probabilities > 0, probabilities, np.float32(1))
    result: Floats = -(probabilities * np.log(safe)).sum(axis=1)
    return result


def rarity_weighted_gini(probabilities: Floats, labels: Ints) -> Floats:
    """How much the label of each row may teach (N,): the sum over classes of p (1 - p) / sqrt(n + 1).

    `probabilities` (N, C) are the p. `labels` (L,) are the classes of the labels so far, and n counts those
    of a class: the variance of the prediction (Gini, 1912) weighs most where it concerns rare classes. Label
    the highest first.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)[:classes]
    weights = (1 / np.sqrt(counts + 1)).astype(np.float32)
    result: Floats = ((probabilities * (1 - probabilities)) @ weights).astype(np.float32, copy=False)
    return result
