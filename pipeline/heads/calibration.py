"""Temperature scaling (Guo et al., arXiv 1706.04599) by minimising over one number."""

from __future__ import annotations

import numpy as np

from pipeline.heads.logistic import Floats, Ints

LOWEST, HIGHEST = 0.05, 20.0
TYPICAL, WILDEST = 50.0, 1_000.0  # of a discriminant of few labels in hundreds of dimensions
SCALE_SPREAD = 1.0
RESOLUTION = 0.01  # of the logarithm of a temperature
PRIOR_SPREAD = 0.5  # of the logarithm of a temperature about 0: what a handful of rows cannot outvote
BINS = 15


def temperature(logits: Floats, y: Ints) -> float:
    """The temperature at which `logits` (N, C) explain the classes `y` (N,) best.

    Between 0.05 and 20, drawn towards 1 by a log-normal prior worth a few rows; 1 where there are no
    rows. A class that `y` lacks does no harm.
    """
    return _coolest(logits, y, (LOWEST, HIGHEST), 1.0, PRIOR_SPREAD)


def scale(logits: Floats, y: Ints) -> float:
    """As `temperature`, for the logits of a discriminant: between 1 and 1,000, drawn towards 50."""
    return _coolest(logits, y, (1.0, WILDEST), TYPICAL, SCALE_SPREAD)


def _coolest(logits: Floats, y: Ints, bounds: tuple[float, float], typical: float, spread: float) -> float:
    if not len(y):
        return typical
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: (
            log_loss(logits / np.float32(np.exp(log)), y)
            + ((log - np.log(typical)) / spread) ** 2 / (2 * len(y))
        ),
        bounds=np.log(bounds),
        method="bounded",
        options={"xatol": RESOLUTION},
    )
    return float(np.exp(found.x))


def log_loss(logits: Floats, y: Ints) -> float:
    """Mean negative log-probability, in nats, of the classes `y` (N,) under `logits` (N, C)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(total - shifted[np.arange(len(y)), y], dtype=np.float64))


def calibration_error(confidence: Floats, correct: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Expected calibration error over 15 equal bins of `confidence` (N,) (Guo et al., section 2)."""
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gap = np.bincount(bins, weights=confidence, minlength=BINS) - np.bincount(
        bins, weights=correct, minlength=BINS
    )
    return float(np.abs(gap).sum() / max(1, len(confidence)))
