"""A classifier head as small portable data that names the embedder it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import EmbedderError
from pipeline.heads.logistic import Floats, Ints

BLOCK = 16_384  # rows scored at a time: 32 MiB of float32 at 512 dimensions


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearHead:
    """Calibrated class probabilities from embeddings of one embedder.

    An embedding is scaled to unit length times the square root of its dimension, mapped to one logit
    a class, divided by the temperature and put through a softmax.
    """

    embedder: str
    classes: list[int]  # category ids, ascending; the order of the columns
    weights: Floats  # (C, D)
    bias: Floats  # (C,)
    temperature: float  # above 1 where the plain logits are too sure of themselves
    # Chosen by cross-validation; None where there was nothing to choose.
    penalty: float | None  # of the logistic regression
    shrinkage: float | None  # of the discriminant
    logistic_weight: float | None  # of the logistic regression in the logits; the rest is the discriminant's

    @property
    def dimension(self) -> int:
        return int(self.weights.shape[1])

    def require(self, embedder: str, dimension: int) -> None:
        """Raise EmbedderError unless the embeddings at hand are those that this head was fitted on."""
        if embedder != self.embedder:
            raise EmbedderError(
                f"this head reads embeddings of {self.embedder}, not of {embedder}",
                remedy="embed with that embedder, or train again with this one",
            )
        if dimension != self.dimension:
            raise EmbedderError(
                f"this head reads embeddings of {self.dimension} numbers, not of {dimension}",
                remedy=f"are these embeddings of {self.embedder}?",
            )

    def probabilities(self, embeddings: npt.NDArray[Any]) -> Floats:
        """Calibrated probabilities (N, C) float32 for embeddings (N, D).

        Rows sum to 1; a head of one class leaves the rest to what nobody has named yet. Any float
        type, memory maps among them: converted a block at a time. Raises EmbedderError where D is not
        the head's dimension.
        """
        if embeddings.ndim != 2:
            raise EmbedderError(f"embeddings must be a table of N x D, not of shape {embeddings.shape}")
        self.require(self.embedder, embeddings.shape[1])
        result = np.empty((len(embeddings), len(self.classes)), np.float32)
        for rows, block in blocks(embeddings):
            result[rows] = softmax((block @ self.weights.T + self.bias) / np.float32(self.temperature))
        return result

    def answers(self, embeddings: npt.NDArray[Any]) -> Ints:
        """The likeliest category (N,) for each of the embeddings (N, D). Raises as `probabilities`."""
        likeliest: Ints = np.array(self.classes, np.intp)[self.probabilities(embeddings).argmax(axis=1)]
        return likeliest


def blocks(embeddings: npt.NDArray[Any], size: int = BLOCK) -> Iterator[tuple[slice, Floats]]:
    """Slices of at most `size` rows, with those rows as `normalised` float32."""
    for start in range(0, len(embeddings), size):
        rows = slice(start, min(start + size, len(embeddings)))
        yield rows, normalised(embeddings[rows])


def normalised(embeddings: npt.NDArray[Any]) -> Floats:
    """Rows (N, D) as float32 of length sqrt(D), so that a typical entry is about 1; zeros stay zero."""
    rows = np.asarray(embeddings, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    factors = np.sqrt(np.float32(rows.shape[1])) / np.where(lengths > 0, lengths, np.float32(1))
    scaled: Floats = rows * factors[:, None]
    return scaled


def softmax(logits: Floats) -> Floats:
    """Rows of `logits` (N, C) as probabilities; a single column stands against a logit of zero."""
    if logits.shape[1] == 1:
        one = np.float32(1)
        alone: Floats = one / (one + np.exp(-logits))
        return alone
    result: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    result /= result.sum(axis=1, keepdims=True)
    return result
