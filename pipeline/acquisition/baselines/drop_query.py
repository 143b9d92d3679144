"""DropQuery: crops whose predicted class changes when part of the embedding is dropped."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition import measures
from pipeline.acquisition.baselines.kmeans import assigned, sampled_kmeans, turns
from pipeline.acquisition.baselines.uncertainty import needs_head, random
from pipeline.acquisition.round import Round
from pipeline.arrays import Floats, Ints, blocks

COPIES = 3  # of each candidate, with dropout; the paper's M
RATE = 0.75  # share of entries dropped; the paper's p


@needs_head
def drop_query(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Candidates whose prediction changes under dropout, those nearest to k centres (arXiv 2401.14555).

    Gupte et al.: candidates whose prediction differs in at least half of three copies with three quarters
    of the embedding dropped are clustered by k-means. The paper does not state the order; here the largest
    cluster comes first. If fewer than k changed, all of these come first, then the others by most changes
    and lowest margin. k-means looks at a sample of embeddings of length 1.
    """
    if state.predict_proba is None:
        return random(state, k, rng)
    predicted = probabilities.argmax(axis=1)
    changes = np.zeros(len(predicted), np.intp)
    for part in blocks(len(predicted)):
        rows = np.asarray(state.embeddings[state.candidates[part]], np.float32)
        for _ in range(COPIES):
            kept = rng.random(rows.shape, np.float32) >= RATE
            dropped = rows * kept / np.float32(1 - RATE)
            changes[part] += state.predict_proba(dropped).argmax(axis=1) != predicted[part]
    order = np.lexsort((rng.random(len(predicted)), measures.margin(probabilities), -changes))
    changed = np.count_nonzero(2 * changes >= COPIES)
    if changed <= k:
        few: Ints = state.candidates[order[:k]]
        return few
    near = state.candidates[order[:changed]]
    centres = sampled_kmeans(state.embeddings, near, k, rng)
    cluster, distance = assigned(state.embeddings, near, centres)
    closest = np.argsort(distance, kind="stable")
    near, cluster = near[closest], cluster[closest]
    size = np.bincount(cluster)[cluster]
    result: Ints = near[np.lexsort((-size, turns(cluster)))[:k]]
    return result
