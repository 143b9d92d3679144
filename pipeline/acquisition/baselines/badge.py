"""BADGE: uncertain and diverse crops, by gradients of the head."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.acquisition.baselines.uncertainty import needs_head
from pipeline.acquisition.round import Round
from pipeline.arrays import Floats, Ints, blocks, unit

PROPOSALS = 512  # drawn between two passes over the pool


class Gradients(NamedTuple):
    """Gradients of the head's loss at its own prediction, one per row.

    g is the outer product of residual and point, which is never computed.
    """

    residuals: Floats  # (N, C) probabilities, less 1 for the predicted class
    points: Floats  # (N, D) embeddings of length 1

    def squared_norms(self) -> Floats:
        """The squared norm (N,) of each gradient."""
        result: Floats = np.einsum("ij,ij->i", self.residuals, self.residuals)
        result *= np.einsum("ij,ij->i", self.points, self.points)
        return result

    def squared_distances(self, others: Gradients) -> Floats:
        """The squared distance (N, M) of each gradient to each of `others` (M of them)."""
        norms = self.squared_norms()[:, None] + others.squared_norms()
        inner = self.residuals @ others.residuals.T
        inner *= self.points @ others.points.T
        result: Floats = norms - 2 * inner
        # Below this, float32 rounding alone makes equal gradients differ.
        result[result <= 1e-5 * norms] = 0
        return result


@needs_head
def badge(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """k-means++ seeding of gradient embeddings (Ash et al., arXiv 1906.03671).

    As in the authors' code, the longest gradient comes first; then each is drawn in proportion to its
    squared distance to the nearest chosen one. Embeddings have length 1 here: the head scales them anyway.

    The draws have the distribution of the paper with a few passes over the pool instead of one per pick:
    distances only shrink, so a proposal drawn by old distances and kept with probability new / old is a draw
    by new ones. Duplicates of chosen crops come last, in random order.
    """

    def gradients(positions: Ints | slice) -> Gradients:
        residuals = np.array(probabilities[positions], np.float32)
        residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1
        return Gradients(residuals, unit(state.embeddings[state.candidates[positions]]))

    count = len(state.candidates)
    parts = list(blocks(count))
    chosen = [int(np.concatenate([gradients(part).squared_norms() for part in parts]).argmax())]
    picks = chosen
    distance = np.full(count, np.inf, np.float32)
    while len(chosen) < k:
        newest = gradients(np.array(picks))
        for part in parts:
            closest = gradients(part).squared_distances(newest).min(axis=1)
            np.minimum(distance[part], closest, out=distance[part])
        distance[chosen] = 0
        if not distance.any():
            break
        picks = _draw(distance, gradients, k - len(chosen), rng)
        chosen = chosen + picks
    rest = rng.permutation(np.setdiff1d(np.arange(count), chosen))
    result: Ints = state.candidates[np.concatenate([np.array(chosen, np.intp), rest])[:k]]
    return result


def _draw(
    distance: Floats, gradients: Callable[[Ints], Gradients], k: int, rng: np.random.Generator
) -> list[int]:
    """Up to `k` distinct draws, at least one, by the squared `distance` (N,), which each draw lowers."""
    mass = np.cumsum(distance, dtype=np.float64)
    drawn = np.searchsorted(mass, rng.random(PROPOSALS) * mass[-1], side="right")
    drawn = np.minimum(drawn, np.flatnonzero(distance)[-1])  # rounding may exceed the end
    proposals = gradients(drawn)
    between = proposals.squared_distances(proposals)
    limit = distance[drawn] * rng.random(PROPOSALS, np.float32)
    left = distance[drawn]
    picks: list[int] = []
    for number, row in enumerate(drawn.tolist()):
        if limit[number] < left[number] and row not in picks:
            picks.append(row)
            if len(picks) == k:
                break
            np.minimum(left, between[number], out=left)
    return picks
