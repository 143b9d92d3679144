"""Linear discriminant analysis with a shrunken covariance, along a path of shrinkages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.arrays import Floats, Ints
from pipeline.heads.logistic import Affine, span

PRIOR_ROWS = 10  # rows that the variance over all classes counts as, for classes with one row each


def path(x: Floats, y: Ints, classes: int, shrinkages: Sequence[float]) -> Iterator[Affine]:
    """The discriminant for each shrinkage s (above 0, at most 1), in the order given.

    Logits are log prior + log density of Gaussian classes that share the covariance (1 - s) W + s v I,
    with v the mean diagonal of W (Friedman, JASA 84, 1989). W is the scatter of `x` (N, D) float32
    within the classes `y` (N,), which are 0..classes-1 and have a row each, over N - classes degrees of
    freedom. Ten more degrees come from the variance over all classes: without them W would be noise, or
    zero, if most classes have a single row. Far from the data the logits are much too confident; a
    temperature must correct that.
    """
    count, dimension = x.shape
    counts = np.bincount(y, minlength=classes)
    sums = np.zeros((classes, dimension), np.float32)
    np.add.at(sums, y, x)
    means: Floats = (sums / counts[:, None]).astype(np.float32)
    eigenvalues, basis = span(x - means[y])
    freedom = count - classes + PRIOR_ROWS
    beyond = PRIOR_ROWS / freedom * (float(x.var(axis=0).mean()) or 1.0)  # W where no class has scatter
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
