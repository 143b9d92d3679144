"""DropQuery: what the head calls something else as soon as it sees less."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition import measures
from pipeline.acquisition.baselines.uncertainty import after_a_head, random
from pipeline.acquisition.geometry import assigned, blocks, sampled_kmeans, turns
from pipeline.acquisition.round import Floats, Ints, Round

COPIES = 3  # with dropout, of each candidate; M of the paper
RATE = 0.75  # entries dropped; p of the paper


@after_a_head
def drop_query(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Those whose label changes under dropout, the one nearest to each of k centres (arXiv 2401.14555).

    Gupte et al.: candidates whose label differs in at least half of three copies with three quarters of
    the embedding dropped are clustered by k-means. The paper leaves the order open: largest cluster
    first. Where fewer than k changed, all of these, then the others, most changes first, then lowest
    margin. k-means looks at a sample, at embeddings of length 1.
    """
    if state.answer is None:
        return random(state, k, rng)
    label = probabilities.argmax(axis=1)
    changes = np.zeros(len(label), np.intp)
    for part in blocks(len(label)):
        rows = np.asarray(state.embeddings[state.candidates[part]], np.float32)
        for _ in range(COPIES):
            kept = rng.random(rows.shape, np.float32) >= RATE
            dropped = rows * kept / np.float32(1 - RATE)
            changes[part] += state.answer(dropped).argmax(axis=1) != label[part]
    order = np.lexsort((rng.random(len(label)), measures.margin(probabilities), -changes))
    doubtful = np.count_nonzero(2 * changes >= COPIES)
    if doubtful <= k:
        few: Ints = state.candidates[order[:k]]
        return few
    near = state.candidates[order[:doubtful]]
    centres = sampled_kmeans(state.embeddings, near, k, rng)
    cluster, distance = assigned(state.embeddings, near, centres)
    closest = np.argsort(distance, kind="stable")
    near, cluster = near[closest], cluster[closest]
    size = np.bincount(cluster)[cluster]
    result: Ints = near[np.lexsort((-size, turns(cluster)))[:k]]
    return result
