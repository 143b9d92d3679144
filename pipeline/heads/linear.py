"""A classifier head as small portable data that names its embedder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints, blocks, unit
from pipeline.errors import EmbedderError


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearHead:
    """Calibrated class probabilities from embeddings of one embedder.

    An embedding is scaled to unit length times the square root of its dimension, mapped to one logit
    per class, divided by the temperature and passed through a softmax.
    """

    embedder: str
    classes: list[int]  # category ids, ascending: the order of the columns
    weights: Floats  # (C, D), or (R, D) with `places`
    bias: Floats  # (C,)
    temperature: float  # above 1 if the uncalibrated logits are overconfident
    # Chosen by cross-validation; None if there was nothing to choose.
    penalty: float | None  # of the logistic regression
    shrinkage: float | None  # of the discriminant
    logistic_weight: float | None  # of the logistic regression in the logits; the discriminant has the rest
    # (R,) the place in `classes` of each row of weights, if classes were merged since; None: one row a class.
    places: tuple[int, ...] | None = None

    @property
    def dimension(self) -> int:
        return int(self.weights.shape[1])

    def require(self, embedder: str, dimension: int) -> None:
        """Raise EmbedderError unless embeddings of this embedder and dimension fit this head."""
        if embedder != self.embedder:
            raise EmbedderError(
                f"this head reads embeddings of {self.embedder}, not of {embedder}",
                remedy="embed with that embedder, or train again with this one",
            )
        if dimension != self.dimension:
            raise EmbedderError(
                f"this head reads embeddings of dimension {self.dimension}, not {dimension}",
                remedy=f"check that these embeddings are of {self.embedder}",
            )

    def merged(self, into: Mapping[int, int]) -> LinearHead:
        """This head for categories of which some were merged: `into` is the number of each that changed.

        The probability of a category is the sum of what was merged into it.
        """
        present = [into.get(category, category) for category in self.classes]
        if present == self.classes:
            return self
        classes = sorted(set(present))
        places = range(len(present)) if self.places is None else self.places
        return replace(self, classes=classes, places=tuple(classes.index(present[place]) for place in places))

    def probabilities(self, embeddings: Embeddings) -> Floats:
        """Calibrated probabilities (N, C) for `embeddings` (N, D), which are converted a block at a time.

        Rows sum to 1, except with one class: the remainder is for all that has no label yet. Raises
        EmbedderError if D is not the head's dimension.
        """
        if embeddings.ndim != 2:
            raise EmbedderError(f"embeddings must be a table of N x D, not of shape {embeddings.shape}")
        self.require(self.embedder, embeddings.shape[1])
        result = np.empty((len(embeddings), len(self.classes)), np.float32)
        sums = None if self.places is None else np.eye(len(self.classes), dtype=np.float32)[list(self.places)]
        for rows in blocks(len(embeddings)):
            logits = normalised(embeddings[rows]) @ self.weights.T + self.bias
            shares = softmax(logits / np.float32(self.temperature))
            result[rows] = shares if sums is None else shares @ sums
        return result

    def predict(self, embeddings: Embeddings) -> Ints:
        """The most likely category (N,) for each of `embeddings` (N, D). Raises as `probabilities`."""
        categories: Ints = np.array(self.classes, np.intp)[self.probabilities(embeddings).argmax(axis=1)]
        return categories


def normalised(embeddings: Embeddings) -> Floats:
    """Rows (N, D) as float32 of length sqrt(D), so that a typical entry is about 1; zeros stay zero."""
    scaled: Floats = unit(embeddings) * np.sqrt(np.float32(embeddings.shape[1]))
    return scaled


def softmax(logits: Floats) -> Floats:
    """Rows of `logits` (N, C) as probabilities; a single column is compared with a logit of zero."""
    from scipy import special

    result: Floats = special.expit(logits) if logits.shape[1] == 1 else special.softmax(logits, axis=1)
    return result
