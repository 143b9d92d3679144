"""How much a head doubts: pure functions of its probabilities."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.round import Floats, Ints


def least_confidence(probabilities: Floats) -> Floats:
    """Probability (N,) of the likeliest of (N, C), lowest first (Lewis and Gale, cmp-lg/9407020)."""
    top: Floats = probabilities.max(axis=1)
    return top


def margin(probabilities: Floats) -> Floats:
    """Likeliest minus second likeliest (N,) of (N, C), lowest first (Scheffer et al., IDA 2001).

    With one class, its probability.
    """
    if probabilities.shape[1] == 1:
        return probabilities[:, 0]
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def entropy(probabilities: Floats) -> Floats:
    """Entropy (N,) of (N, C) in nats, highest first (Shannon, 1948)."""
    safe = np.where(probabilities > 0, probabilities, np.float32(1))
    result: Floats = -(probabilities * np.log(safe)).sum(axis=1)
    return result


def rarity_weighted_gini(probabilities: Floats, labels: Ints) -> Floats:
    """What labelling each row may still teach (N,), highest first: sum of p (1 - p) / sqrt(n + 1).

    `probabilities` (N, C); `labels` (L,) are the classes labelled so far, so that n is how many labels
    a class has: the variance of the answer (Gini, 1912) weighs most where it speaks of rare classes.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)[:classes]
    weights = (1 / np.sqrt(counts + 1)).astype(np.float32)
    result: Floats = ((probabilities * (1 - probabilities)) @ weights).astype(np.float32, copy=False)
    return result
