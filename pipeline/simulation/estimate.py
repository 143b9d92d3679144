"""A mean over seeds with a 95 % interval, and how both are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COVERAGE = 0.95
NOT_REACHED = "not reached"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean, and the interval of Student's t about it, cut to what is possible: None with one seed."""

    mean: float
    low: float | None
    high: float | None

    def text(self, digits: int, *, sign: bool = False) -> str:
        """`0.71 [0.65, 0.77]`, or `0.71` with one seed; with `sign`, +0.71."""
        form = f"{'+' if sign else ''}.{digits}f"
        if self.low is None or self.high is None:
            return f"{self.mean:{form}}"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def estimate(values: Sequence[float], *, least: float = 0.0, most: float = 1.0) -> Estimate:
    """The mean of `values`, of which there is at least one and none beyond `least` and `most`."""
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return Estimate(mean=mean, low=None, high=None)
    half = float(t.ppf((1 + COVERAGE) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return Estimate(mean=mean, low=max(least, mean - half), high=min(most, mean + half))


def reached(values: Sequence[float | None], *, most: float = 1.0, digits: int = 0) -> str:
    """The estimate, from 0 to `most`, in words; where some seeds (None) did not get there, how many did."""
    there = [value for value in values if value is not None]
    if not there:
        return NOT_REACHED
    if len(there) < len(values):
        return f"in {len(there)} of {len(values)} seeds"
    return estimate(there, most=most).text(digits)
