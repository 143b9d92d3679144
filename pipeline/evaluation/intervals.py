"""How far figures would move had other places been watched: intervals by the bootstrap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DRAWS = 1000
CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]


def bootstrap(
    values: Floats, clusters: npt.NDArray[np.intp], *, draws: int = DRAWS, seed: int = 0
) -> tuple[Floats, Floats] | None:
    """Limits (low, high), each (K,), of the means of `values` (Q, K) over Q queries.

    They are percentiles of means over whole clusters drawn with replacement: queries of one place are
    right or wrong together. `clusters` (Q,) numbers these. None with fewer than two, which tell no spread.
    """
    _, numbers = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(numbers)
    if len(sizes) < 2:
        return None
    sums = np.stack([np.bincount(numbers, weights=column) for column in values.T], axis=1)
    rng = np.random.default_rng(seed)
    means = np.empty((draws, values.shape[1]))
    for mean in means:
        times = np.bincount(rng.integers(len(sizes), size=len(sizes)), minlength=len(sizes))
        mean[:] = times @ sums / (times @ sizes)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
