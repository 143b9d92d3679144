"""An order in which neighbours are alike."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Doubles, Embeddings, Ints, unit

MOST = 1_000  # rows: a thousand take half a second, two thousand ten


def alike_order(embeddings: Embeddings) -> Ints:
    """An order (N,) of the rows (N, D), N at most about `MOST`, in which neighbours are alike.

    Average linkage of cosine distances, whose leaves are ordered so that the sum of distances between
    neighbours is the least that the tree allows (Bar-Joseph, Gifford and Jaakkola, Bioinformatics 17,
    2001). A row that resembles no other is at an end of the order, or between two groups.
    """
    if len(embeddings) < 3:
        return np.arange(len(embeddings))
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    distances = cosine_distances(embeddings)
    tree = optimal_leaf_ordering(linkage(distances, "average"), distances)
    order: Ints = leaves_list(tree).astype(np.intp)
    return order


def cosine_distances(embeddings: Embeddings) -> Doubles:
    """1 minus the cosine similarity of each pair of rows (N, D), as SciPy lists pairs: (N (N - 1) / 2,)."""
    points = unit(embeddings)
    first, second = np.triu_indices(len(points), 1)
    distances: Doubles = np.maximum(0, 1 - points @ points.T)[first, second].astype(np.float64)
    return distances
