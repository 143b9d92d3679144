"""Temperature scaling (Guo et al., arXiv 1706.04599) by minimising over one number."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Bools, Floats, Ints

LOWEST, HIGHEST = 0.05, 20.0
TYPICAL_SCALE, HIGHEST_SCALE = 50.0, 1_000.0  # of a discriminant of few labels in hundreds of dimensions
SCALE_SPREAD = 1.0
RESOLUTION = 0.01  # of the logarithm of a temperature
PRIOR_SPREAD = 0.5  # of the logarithm of a temperature around 0, so that a handful of rows changes little
BINS = 15


def temperature(logits: Floats, y: Ints) -> float:
    """The temperature at which `logits` (N, C) explain the classes `y` (N,) best.

    Between 0.05 and 20, drawn towards 1 by a log-normal prior worth a few rows; 1 without rows. Classes
    that `y` lacks do no harm.
    """
    return _best(logits, y, (LOWEST, HIGHEST), 1.0, PRIOR_SPREAD)


def scale(logits: Floats, y: Ints) -> float:
    """As `temperature`, for the logits of a discriminant: between 1 and 1,000, drawn towards 50."""
    return _best(logits, y, (1.0, HIGHEST_SCALE), TYPICAL_SCALE, SCALE_SPREAD)


def _best(logits: Floats, y: Ints, bounds: tuple[float, float], typical: float, spread: float) -> float:
    if not len(y):
        return typical
    from scipy.optimize import minimize_scalar

    result = minimize_scalar(
        lambda log: (
            log_loss(logits / np.float32(np.exp(log)), y)
            + ((log - np.log(typical)) / spread) ** 2 / (2 * len(y))
        ),
        bounds=np.log(bounds),
        method="bounded",
        options={"xatol": RESOLUTION},
    )
    return float(np.exp(result.x))


def log_loss(logits: Floats, y: Ints) -> float:
    """Mean negative log-probability, in nats, of the classes `y` (N,) under `logits` (N, C)."""
    from scipy.special import log_softmax

    return -float(np.mean(log_softmax(logits, axis=1)[np.arange(len(y)), y], dtype=np.float64))


def calibration_error(confidence: Floats, correct: Bools) -> float:
    """Expected calibration error over 15 equal bins of `confidence` (N,) (Guo et al., section 2)."""
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gap = np.bincount(bins, weights=confidence, minlength=BINS) - np.bincount(
        bins, weights=correct, minlength=BINS
    )
    return float(np.abs(gap).sum() / max(1, len(confidence)))
