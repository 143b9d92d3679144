"""k-center: the crops farthest from everything labelled."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.baselines.kmeans import lower
from pipeline.acquisition.geometry import squared_distances
from pipeline.acquisition.round import Round
from pipeline.arrays import Floats, Ints, unit

FARTHEST = 5000  # candidates to choose among before the next pass over the pool


def k_center(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """Greedily the candidate farthest from all labelled or chosen (Sener and Savarese, arXiv 1708.00489).

    Exactly the greedy picks on embeddings of length 1 (without the paper's robust mixed-integer programme),
    found lazily: distances only shrink, so picks come from the farthest few until the best of these falls
    below the largest distance of any other candidate at the last pass over the pool.

    With nothing labelled, the first is random. Duplicates of labelled or chosen crops come last, in random
    order.
    """
    rows = state.candidates
    k = min(k, len(rows))
    if k == 0:
        return rows[:0]
    distance = np.full(len(rows), np.inf, np.float32)
    chosen: list[int] = []
    if len(state.labelled):
        lower(distance, state.embeddings, rows, unit(state.embeddings[state.labelled]))
    else:
        chosen.append(int(rng.integers(len(rows))))
        lower(distance, state.embeddings, rows, unit(state.embeddings[rows[chosen]]))
    while len(chosen) < k and distance.max() > 0:
        picks = _farthest(state, distance, k - len(chosen))
        chosen += picks
        if len(chosen) < k:
            lower(distance, state.embeddings, rows, unit(state.embeddings[rows[picks]]))
            distance[chosen] = 0
    rest = rng.permutation(np.setdiff1d(np.arange(len(rows)), chosen))
    result: Ints = rows[np.concatenate([np.array(chosen, np.intp), rest])[:k]]
    return result


def _farthest(state: Round, distance: Floats, k: int) -> list[int]:
    """Up to `k` greedy picks, at least one, that the farthest candidates alone decide."""
    bound = np.float32(0)
    near: Ints = np.arange(len(distance))
    if len(distance) > FARTHEST:
        near = np.argpartition(distance, len(distance) - FARTHEST - 1)
        bound = distance[near[-FARTHEST - 1]]
        near = np.sort(near[-FARTHEST:])
    points = unit(state.embeddings[state.candidates[near]])
    left = distance[near]
    picks: list[int] = []
    while len(picks) < k:
        best = int(left.argmax())
        if left[best] <= 0 or left[best] < bound:
            break
        picks.append(int(near[best]))
        np.minimum(left, squared_distances(points, points[best : best + 1])[:, 0], out=left)
        left[best] = 0
    return picks
