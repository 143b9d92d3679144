"""Crops that are far from everything labelled: a head's answer to them is a guess, however sure it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.acquisition.geometry import blocks, squared_distances, unit
from pipeline.acquisition.round import Embeddings, Floats, Ints

# Of labelled crops that lie nearer to another one than what counts as far. With one species left out of
# 300 labels of fish, 0.99 flags 19% of its crops, 0.95 35%, 0.9 47%, beside 2, 5 and 12% of the others.
QUANTILE = 0.95
LEAST_LABELS = 20  # below, nothing can be told
MOST_LABELS = 4_096  # compared with: distances to more take minutes in a pool of a million


class NoveltyDetector:
    """What is labelled, as far as distances go.

    A crop is novel where its nearest labelled crop is farther than 95% of the labelled crops are from
    their nearest labelled crop of another sequence: nearest-neighbour distance as the measure of what
    lies outside (Sun et al., arXiv 2204.06507), with its threshold learned from the labels alone.
    """

    def __init__(self, embeddings: Embeddings, sequences: Ints) -> None:
        """`embeddings` (L, D) of the labelled crops, the sequence (L,) of each; of many, some at random."""
        some = np.random.default_rng(0).permutation(len(embeddings))[:MOST_LABELS]
        self._points = unit(embeddings[some])
        self._limit = self._learned(sequences[some])

    def novel(self, embeddings: Embeddings) -> npt.NDArray[np.bool_]:
        """Whether each of (N, D) is far from everything labelled; nobody is where labels are too few."""
        result = np.zeros(len(embeddings), np.bool_)
        if np.isfinite(self._limit):
            for part in blocks(len(embeddings)):
                result[part] = self._distance(unit(embeddings[part])) > self._limit
        return result

    def _distance(self, points: Floats) -> Floats:
        nearest = np.full(len(points), np.inf, np.float32)
        for part in blocks(len(self._points), 1_024):
            np.minimum(nearest, squared_distances(points, self._points[part]).min(axis=1), out=nearest)
        return nearest

    def _learned(self, sequences: Ints) -> float:
        if len(self._points) < LEAST_LABELS or len(np.unique(sequences)) < LEAST_LABELS:
            return np.inf
        own = np.empty(len(self._points), np.float32)
        for part in blocks(len(self._points), 1_024):
            distance = squared_distances(self._points[part], self._points)
            distance[sequences[part, None] == sequences] = np.inf
            own[part] = distance.min(axis=1)
        return float(np.quantile(own, QUANTILE))
