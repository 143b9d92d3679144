"""A mean over seeds with its 95% interval, and how both are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.statistics import mean_interval

NOT_REACHED = "not reached"


@dataclass(frozen=True, kw_only=True)
class SeedMean:
    """A mean and Student's t interval around it, cut to possible values; no interval (None) for one seed."""

    mean: float
    low: float | None
    high: float | None

    def text(self, digits: int, *, sign: bool = False) -> str:
        """`0.71 [0.65, 0.77]`, or `0.71` for one seed; with `sign`, +0.71."""
        form = f"{'+' if sign else ''}.{digits}f"
        if self.low is None or self.high is None:
            return f"{self.mean:{form}}"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def mean_over_seeds(values: Sequence[float], *, least: float = 0.0, most: float = 1.0) -> SeedMean:
    """The mean of `values`, one for each seed and at least one, all between `least` and `most`."""
    mean = float(np.mean(values))
    if len(values) == 1:
        return SeedMean(mean=mean, low=None, high=None)
    low, high = mean_interval(values)
    return SeedMean(mean=mean, low=max(least, low), high=min(most, high))


def reached(values: Sequence[float | None], *, most: float = 1.0, digits: int = 0) -> str:
    """The mean of `values`, from 0 to `most`, as text. Some seeds did not reach it (None): how many did."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return NOT_REACHED
    if len(numbers) < len(values):
        return f"in {len(numbers)} of {len(values)} seeds"
    return mean_over_seeds(numbers, most=most).text(digits)
