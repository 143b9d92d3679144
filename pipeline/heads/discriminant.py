"""Linear discriminant analysis with a shrunken covariance, along a path of shrinkages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.heads.logistic import Affine, Floats, Ints, span


def path(x: Floats, y: Ints, classes: int, shrinkages: Sequence[float]) -> Iterator[Affine]:
    """The discriminant for each shrinkage s, above 0 and up to 1, in the order given.

    Logits are log prior + log density of Gaussian classes that share the covariance (1 - s) W + s v I,
    where W is the scatter within classes and v its mean diagonal (Friedman, JASA 84, 1989; Ledoit and
    Wolf, 2004, for the target). `x` (N, D) float32, `y` (N,) in 0..classes-1, each with a row. Where no
    class has two rows that differ, v is that of all rows; far from the data the logits are much too
    sure, which is for the temperature to mend.
    """
    counts = np.bincount(y, minlength=classes)
    sums = np.zeros((classes, x.shape[1]), np.float32)
    np.add.at(sums, y, x)
    means: Floats = (sums / counts[:, None]).astype(np.float32)
    eigenvalues, basis = span(x - means[y])
    variance = float(eigenvalues.sum()) / x.shape[1] or float(x.var(axis=0).mean()) or 1.0
    centre = x.mean(axis=0)
    shifted = means - centre
    inside = shifted @ basis  # (C, R): the rest of each mean lies where the classes do not scatter
    outside = shifted - inside @ basis.T
    prior = np.log(counts / len(y)).astype(np.float32)
    for shrinkage in shrinkages:
        floor = np.float32(shrinkage * variance)
        weights = (inside / ((1 - np.float32(shrinkage)) * eigenvalues + floor)) @ basis.T + outside / floor
        bias = prior - 0.5 * np.einsum("ij,ij->i", shifted, weights)
        yield Affine(weights=weights, bias=bias - weights @ centre)
