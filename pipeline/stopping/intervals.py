"""Confidence intervals of shares: exact, aware of bursts, and of means of several shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.heads.evaluation import effective_size


def clopper_pearson(successes: float, size: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval (Clopper and Pearson, Biometrika 26, 1934) of a share of `size` trials.

    Neither number need be whole; `successes` lies between 0 and `size`. 0 of 0 gives (0, 1).
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    failures = size - successes
    low = betaincinv(successes, failures + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures > 0 else 1.0
    return float(low), float(high)


def clustered(
    correct: npt.NDArray[np.bool_], sequences: Sequence[str], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Limits of the share of `correct` (N,) and the size that they stand on: (low, high, size).

    Clopper and Pearson's interval at the size that N rows are worth when rows of one sequence agree
    (Korn and Graubard, Survey Methodology 24, 1998), which is never more than N. A simple random sample
    needs no such cut, however its pool clusters: the cut errs on the safe side, and guards a sample that
    holds whole bursts. No rows give (0, 1, 0).
    """
    if not len(correct):
        return 0.0, 1.0, 0.0
    from scipy.special import stdtrit

    tail = (1 - confidence) / 2
    bursts = len(set(sequences))
    size = effective_size(correct, sequences)
    if 1 < bursts < len(correct):
        size *= float(stdtrit(len(correct) - 1, tail) / stdtrit(bursts - 1, tail)) ** 2
    low, high = clopper_pearson(float(correct.mean()) * size, size, confidence)
    return low, high, size


def mean_of_shares(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> tuple[float, float]:
    """Limits of the mean of K >= 1 independent shares from each one's `values`, `lows`, `highs` (K,).

    MOVER, the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008):
    distances from a value to its limits add up as variances do, each side on its own, so that a share
    known from few trials widens the interval. But no distance counts less than half its interval: a
    share of 1 from one trial leaves MOVER no room above, and the mean of many such is a biased guess
    (coverage 0.89 where 0.95 is asked, for 100 classes of about 4 trials each; so it is 0.99).
    """
    halves = np.subtract(highs, lows) / 2
    below = np.linalg.norm(np.maximum(np.subtract(values, lows), halves)) / len(values)
    above = np.linalg.norm(np.maximum(np.subtract(highs, values), halves)) / len(values)
    middle = float(np.mean(values))
    return max(0.0, middle - float(below)), min(1.0, middle + float(above))
