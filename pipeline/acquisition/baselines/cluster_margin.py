"""Cluster-Margin: doubt, asked all over the map."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.baselines.uncertainty import margin
from pipeline.acquisition.geometry import assigned, sampled_kmeans, turns
from pipeline.acquisition.round import Ints, Round

REACH = 10  # candidates of low margin for each pick


def cluster_margin(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """The `10 k` lowest margins, taken in turn from their clusters, smallest first (arXiv 2107.14263).

    Citovsky et al. cluster the whole pool once by average linkage and take a random member each time. Here
    k-means parts only those of low margin, into k clusters, and of each cluster the lowest margin comes
    first, so that what gets labelled of a batch is its most doubtful part.
    """
    k = min(k, len(state.candidates))
    if k == 0:
        return state.candidates[:0]
    near = margin(state, REACH * k, rng)
    centres = sampled_kmeans(state.embeddings, near, k, rng)
    cluster, _ = assigned(state.embeddings, near, centres)
    size = np.bincount(cluster)[cluster]
    result: Ints = near[np.lexsort((size, turns(cluster)))[:k]]
    return result
