"""BADGE: diverse and doubtful at once, as gradients of the head."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.acquisition.baselines.uncertainty import after_a_head
from pipeline.acquisition.geometry import blocks, unit
from pipeline.acquisition.round import Floats, Ints, Round

PROPOSALS = 512  # drawn between two passes over the pool


class Gradients(NamedTuple):
    """Of the head's loss at its own answer, one a row, never multiplied out: g = residual x point."""

    residuals: Floats  # (N, C) probabilities less 1 at the likeliest
    points: Floats  # (N, D) embeddings of length 1

    def squared_norms(self) -> Floats:
        """|g|^2 (N,)."""
        result: Floats = np.einsum("ij,ij->i", self.residuals, self.residuals)
        result *= np.einsum("ij,ij->i", self.points, self.points)
        return result

    def squared_distances(self, others: Gradients) -> Floats:
        """|g - h|^2 (N, M) for each h of `others` (M)."""
        norms = self.squared_norms()[:, None] + others.squared_norms()
        inner = self.residuals @ others.residuals.T
        inner *= self.points @ others.points.T
        result: Floats = norms - 2 * inner
        # Below, float32 tells equal gradients apart by rounding alone.
        result[result <= 1e-5 * norms] = 0
        return result


@after_a_head
def badge(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """k-means++ seeding of gradient embeddings (Ash et al., arXiv 1906.03671).

    As in the authors' code, the longest gradient first, then each drawn in proportion to its squared
    distance to the nearest chosen one. Embeddings have length 1 here, as the head sees them but for scale.

    The draws are those of the paper at a few passes over the pool instead of one a pick: distances
    only ever shrink, so that a proposal drawn by old ones and kept with probability new / old is a draw
    by the new. Copies of chosen ones come last, in random order.
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
    """Up to `k` distinct draws, at least one, by the squared `distance` (N,) as each draw shrinks it."""
    mass = np.cumsum(distance, dtype=np.float64)
    drawn = np.searchsorted(mass, rng.random(PROPOSALS) * mass[-1], side="right")
    drawn = np.minimum(drawn, np.flatnonzero(distance)[-1])  # where rounding reached the end
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
