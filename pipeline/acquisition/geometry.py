"""Distances between embeddings."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Floats


def squared_distances(points: Floats, others: Floats) -> Floats:
    """Squared Euclidean distance (N, M) of each of `points` (N, D) to each of `others` (M, D)."""
    norms = np.einsum("ij,ij->i", points, points)[:, None]
    other_norms = np.einsum("ij,ij->i", others, others)
    result: Floats = points @ others.T
    result *= -2
    result += norms
    result += other_norms
    np.maximum(result, 0, out=result)
    # Below this, float32 rounding alone makes equal points differ.
    result[result < 1e-5 * max(float(norms.max(initial=0)), float(other_norms.max(initial=0)))] = 0
    return result
