"""Linear discriminant analysis with a shrunken covariance, along a path of shrinkages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.heads.logistic import Affine, Floats, Ints, span

PRIOR_ROWS = 10  # what the variance over all classes counts against rows, where classes have one row each


def path(x: Floats, y: Ints, classes: int, shrinkages: Sequence[float]) -> Iterator[Affine]:
    """The discriminant for each shrinkage s, above 0 and up to 1, in the order given.

    Logits are log prior + log density of Gaussian classes that share the covariance (1 - s) W + s v I,
    with v the mean diagonal of W (Friedman, JASA 84, 1989). W is the scatter of `x` (N, D) float32
    within the classes `y` (N,), in 0..classes-1, each with a row, over N - classes degrees of freedom;
    ten more come from the variance over all classes, without which W would be noise, or nothing, where
    most classes have a single row. Far from the data the logits are much too sure, which is for a
    temperature to mend.
    """
    count, dimension = x.shape
    counts = np.bincount(y, minlength=classes)
    sums = np.zeros((classes, dimension), np.float32)
    np.add.at(sums, y, x)
    means: Floats = (sums / counts[:, None]).astype(np.float32)
    eigenvalues, basis = span(x - means[y])
    freedom = count - classes + PRIOR_ROWS
    beyond = PRIOR_ROWS / freedom * (float(x.var(axis=0).mean()) or 1.0)  # W where no class scatters
    scatter = eigenvalues * np.float32(count / freedom) + np.float32(beyond)
    variance = (float(scatter.sum()) + (dimension - len(scatter)) * beyond) / dimension
    centre = x.mean(axis=0)
    shifted = means - centre
    inside = shifted @ basis  # (C, R)
    outside = shifted - inside @ basis.T
    prior = np.log(counts / count).astype(np.float32)
    for shrinkage in shrinkages:
        floor = np.float32(shrinkage * variance)
        kept = np.float32(1 - shrinkage)
        weights = (inside / (kept * scatter + floor)) @ basis.T
        weights += outside / (kept * np.float32(beyond) + floor)
        bias = prior - 0.5 * np.einsum("ij,ij->i", shifted, weights)
        yield Affine(weights=weights, bias=bias - weights @ centre)
