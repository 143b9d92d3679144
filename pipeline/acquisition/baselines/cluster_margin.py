"""Cluster-Margin: uncertain crops from all clusters."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.baselines.kmeans import assigned, sampled_kmeans, turns
from pipeline.acquisition.baselines.uncertainty import margin
from pipeline.acquisition.round import Round
from pipeline.arrays import Ints

REACH = 10  # candidates of low margin per pick


def cluster_margin(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """The `10 k` lowest margins, in turn from their clusters, smallest cluster first (arXiv 2107.14263).

    Citovsky et al. cluster the whole pool once by average linkage and take a random member each time. Here
    k-means clusters only the crops of low margin, into k clusters, and each cluster gives its lowest margin
    first, so the part of a batch that gets labelled is its most uncertain part.
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
