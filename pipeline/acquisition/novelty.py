"""Crops that are far from everything labelled: a prediction for them is a guess, whatever its probability."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.geometry import squared_distances
from pipeline.arrays import Bools, Embeddings, Floats, Ints, blocks, unit

# Of the labelled crops, the share that lies nearer to another one than the novelty threshold. With one
# species left out of 300 labels of fish, 0.99 flags 19% of its crops, 0.95 35% and 0.9 47%, and 2, 5 and 12%
# of the other crops.
QUANTILE = 0.95
LEAST_LABELS = 20  # fewer are too few for a threshold
MOST_LABELS = 4_096  # labels to compare with: more take minutes in a pool of a million


class NoveltyDetector:
    """Flags crops whose nearest labelled crop is unusually far.

    The threshold is the distance below which 95% of the labelled crops have their nearest labelled crop of
    another sequence: nearest-neighbour distance as a score for out-of-distribution samples (Sun et al.,
    arXiv 2204.06507), with a threshold from the labels alone.
    """

    def __init__(self, embeddings: Embeddings, sequences: Ints) -> None:
        """`embeddings` (L, D) and `sequences` (L,) are of the labelled crops; of many, some are drawn."""
        drawn = np.random.default_rng(0).permutation(len(embeddings))[:MOST_LABELS]
        self._points = unit(embeddings[drawn])
        self._threshold = self._fitted_threshold(sequences[drawn])

    def is_novel(self, embeddings: Embeddings) -> Bools:
        """Whether each crop of `embeddings` (N, D) is novel, (N,); none is while there are too few labels."""
        result = np.zeros(len(embeddings), np.bool_)
        if np.isfinite(self._threshold):
            for part in blocks(len(embeddings)):
                result[part] = self._distance(unit(embeddings[part])) > self._threshold
        return result

    def _distance(self, points: Floats) -> Floats:
        nearest = np.full(len(points), np.inf, np.float32)
        for part in blocks(len(self._points), 1_024):
            np.minimum(nearest, squared_distances(points, self._points[part]).min(axis=1), out=nearest)
        return nearest

    def _fitted_threshold(self, sequences: Ints) -> float:
        if len(self._points) < LEAST_LABELS or len(np.unique(sequences)) < LEAST_LABELS:
            return np.inf
        nearest = np.empty(len(self._points), np.float32)
        for part in blocks(len(self._points), 1_024):
            distance = squared_distances(self._points[part], self._points)
            distance[sequences[part, None] == sequences] = np.inf
            nearest[part] = distance.min(axis=1)
        return float(np.quantile(nearest, QUANTILE))
