"""How good predictions on held-out rows are, with an interval that knows bursts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.heads.calibration import calibration_error, log_loss
from pipeline.heads.logistic import Floats, Ints

Z_95 = 1.959964


def evaluate(logits: Floats, y: Ints, sequences: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Figures of held-out calibrated `logits` (N, C) against the classes `y` (N,), ready for JSON.

    A logit of minus infinity says that the fold knew no such class; a row whose own class its fold did
    not know is a mistake in all figures except `log_loss`, which is of the other rows (None without
    any), and is counted as `unknown`. `names` (C,) keys the figures of each class. The interval of the
    accuracy is Wilson's at 95% with the sample size cut to what it is worth where rows of one sequence
    agree with each other.
    """
    classes = len(names)
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihood = np.exp(shifted)
    confidence = 1 / likelihood.sum(axis=1)
    predicted = logits.argmax(axis=1)
    correct = predicted == y
    known = np.isfinite(logits[np.arange(len(y)), y])
    low, high = wilson(correct.mean(), effective_size(correct, sequences))
    labels = np.bincount(y, minlength=classes)
    answers = np.bincount(predicted, minlength=classes)
    hits = np.bincount(y[correct], minlength=classes)
    f1 = 2 * hits / np.maximum(1, labels + answers)
    return {
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1[labels > 0].mean()),
        "log_loss": log_loss(logits[known], y[known]) if known.any() else None,
        "ece": calibration_error(confidence.astype(np.float32), correct),
        "unknown": int((~known).sum()),
        "classes": {
            name: {
                "labels": int(labels[one]),
                "recall": float(hits[one] / labels[one]) if labels[one] else None,
                "precision": float(hits[one] / answers[one]) if answers[one] else None,
            }
            for one, name in enumerate(names)
        },
    }


def effective_size(correct: npt.NDArray[np.bool_], sequences: Sequence[str]) -> float:
    """How many independent rows `correct` (N,) is worth, given the sequence of each row.

    N over the design effect: the variance of a mean of whole sequences (ratio estimator) over that of
    N independent rows (Korn and Graubard, Survey Methodology 24, 1998). Between the number of
    sequences and N; the number of sequences where all rows are right or all are wrong.
    """
    count = len(correct)
    clusters = np.unique(np.asarray(sequences, dtype=object).astype(str), return_inverse=True)[1]
    groups = int(clusters.max()) + 1
    share = correct.mean()
    if groups < 2 or share in (0.0, 1.0):
        return float(groups)
    sums = np.bincount(clusters, weights=correct - share)
    variance = groups / (groups - 1) * float(np.sum(sums**2)) / count**2
    independent = share * (1 - share) / count
    return float(np.clip(count * independent / variance, groups, count)) if variance > 0 else float(count)


def wilson(share: float, size: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval (JASA 22, 1927) for `share` of `size` trials; size need not be whole."""
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
