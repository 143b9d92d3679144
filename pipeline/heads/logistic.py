"""Multinomial logistic regression with an L2 penalty, fitted along a path of penalties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Floats, Ints

ITERATIONS = 200
MEMORY = 5  # steps that L-BFGS keeps
TOLERANCE = 1e-4  # largest entry of the gradient, in preconditioned coordinates
CURVATURE = 0.25  # Böhning's bound on the second derivative of a softmax is 0.5; typical values are lower
RANK_TOLERANCE = 1e-6  # of the largest eigenvalue: directions below it hold rounding errors


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """Logits `x @ weights.T + bias`."""

    weights: Floats  # (C, D)
    bias: Floats  # (C,)

    def __call__(self, x: Floats) -> Floats:
        """Logits (N, C) of `x` (N, D)."""
        return x @ self.weights.T + self.bias


def path(
    x: Floats, y: Ints, classes: int, penalties: Sequence[float], *, tolerance: float = TOLERANCE
) -> Iterator[Affine]:
    """The minimiser for each penalty, in the order given; each starts from the one before.

    Minimises mean negative log-likelihood + penalty * v / 2 * |weights|^2 (the bias is not penalised) over
    `x` (N, D) float32 with classes `y` (N,) in 0..classes-1. v is the mean variance of a column of `x`, so
    a penalty means the same in any unit of `x`. In scikit-learn's terms `C = 1 / (penalty * v * N)`.

    Solved by L-BFGS in coordinates in which Böhning's quadratic bound on the loss (Annals of the
    Institute of Statistical Mathematics 44, 1992) is spherical: about ten steps instead of hundreds. With
    fewer rows than dimensions, the search stays in the span of the rows, which contains the minimiser.
    """
    from scipy.optimize import minimize

    count = len(x)
    centre = x.mean(axis=0)
    centred = x - centre
    eigenvalues, basis = span(centred)
    rotated = centred @ basis  # (N, R)
    rank = basis.shape[1]
    target = np.zeros((count, classes), np.float32)
    target[np.arange(count), y] = 1.0
    rotated_weights = np.zeros((classes, rank), np.float32)
    bias = np.log((target.sum(axis=0) + 0.5) / (count + 0.5 * classes)).astype(np.float32)
    variance = eigenvalues.sum() / x.shape[1]
    for penalty in np.asarray(penalties, np.float32) * variance:
        scale = np.sqrt(CURVATURE * eigenvalues + penalty)  # (R,)
        features = rotated / scale
        ridge = penalty / scale**2

        def loss(flat: Doubles, features: Floats = features, ridge: Floats = ridge) -> tuple[float, Doubles]:
            parameters = flat.astype(np.float32).reshape(classes, rank + 1)
            weights, bias = parameters[:, :rank], parameters[:, rank]
            logits = features @ weights.T + bias
            logits -= logits.max(axis=1, keepdims=True)
            likelihood = np.exp(logits)  # by hand: both the loss and its gradient need it
            total = likelihood.sum(axis=1, keepdims=True)
            value = float(np.mean(np.log(total[:, 0]) - logits[np.arange(count), y]))
            residual = (likelihood / total - target) / np.float32(count)
            gradient = np.empty_like(parameters)
            gradient[:, :rank] = residual.T @ features + weights * ridge
            gradient[:, rank] = residual.sum(axis=0)
            value += 0.5 * float(np.sum(weights * weights * ridge))
            return value, gradient.astype(np.float64).ravel()

        start = np.concatenate([rotated_weights * scale, bias[:, None]], axis=1).astype(np.float64).ravel()
        result = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": ITERATIONS, "gtol": tolerance, "ftol": 1e-9, "maxcor": MEMORY},
        )
        parameters = result.x.astype(np.float32).reshape(classes, rank + 1)
        rotated_weights, bias = parameters[:, :rank] / scale, parameters[:, rank]
        weights = rotated_weights @ basis.T
        yield Affine(weights=weights, bias=bias - weights @ centre)


def span(centred: Floats) -> tuple[Floats, Floats]:
    """Non-zero eigenvalues (R,) and their eigenvectors (D, R) of the covariance of `centred` rows (N, D)."""
    count, dimension = centred.shape
    if count < dimension:
        # The Gram matrix of the rows is smaller and has the same eigenvalues.
        eigenvalues, left = np.linalg.eigh(centred @ centred.T)
        keep = eigenvalues > max(RANK_TOLERANCE * eigenvalues[-1], np.finfo(np.float32).tiny)
        basis = centred.T @ left[:, keep] / np.sqrt(eigenvalues[keep])
    else:
        eigenvalues, basis = np.linalg.eigh(centred.T @ centred)
        keep = eigenvalues > max(RANK_TOLERANCE * eigenvalues[-1], np.finfo(np.float32).tiny)
        basis = basis[:, keep]
    return eigenvalues[keep] / count, basis
