"""Metrics of predictions on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Floats, Ints
from pipeline.heads.calibration import calibration_error, log_loss
from pipeline.heads.linear import softmax
from pipeline.statistics import effective_size, f1_scores, wilson


def evaluate(logits: Floats, y: Ints, sequences: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Metrics of held-out calibrated `logits` (N, C) against the classes `y` (N,), ready for JSON.

    A logit of minus infinity marks a class that the row's fold had no label of. A row whose own class is
    such a class counts as a mistake in all metrics except `log_loss`, which covers the other rows (None if
    there are none), and is counted as `unknown`. `names` (C,) are the keys of the metrics of each class. The
    interval of the accuracy is Wilson's at 95%, with the sample size reduced to what it is worth when rows
    of one sequence (`sequences`, N) agree with each other.
    """
    classes = len(names)
    predicted = logits.argmax(axis=1)
    correct = predicted == y
    known = np.isfinite(logits[np.arange(len(y)), y])
    low, high = wilson(correct.mean(), effective_size(correct, sequences))
    labels = np.bincount(y, minlength=classes)
    predictions = np.bincount(predicted, minlength=classes)
    hits = np.bincount(y[correct], minlength=classes)
    return {
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1_scores(labels, predictions, hits)[labels > 0].mean()),
        "log_loss": log_loss(logits[known], y[known]) if known.any() else None,
        "ece": calibration_error(softmax(logits).max(axis=1), correct),
        "unknown": int((~known).sum()),
        "classes": {
            name: {
                "labels": int(labels[number]),
                "recall": float(hits[number] / labels[number]) if labels[number] else None,
                "precision": float(hits[number] / predictions[number]) if predictions[number] else None,
            }
            for number, name in enumerate(names)
        },
    }
