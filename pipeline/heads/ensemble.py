"""A weighted mean of logistic regression and discriminant analysis, chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Floats, Ints
from pipeline.heads import discriminant, logistic
from pipeline.heads.calibration import log_loss, scale, temperature
from pipeline.heads.folds import Folds
from pipeline.heads.logistic import Affine

# Strongest first: each fit starts from the stronger one. On fish and plankton embeddings the best one moved
# from 0.0001 at 20 labels to 0.03 at 1,000; outside this range log loss only rose.
PENALTIES = (0.1, 0.03, 0.01, 0.001, 0.0001)
SHRINKAGES = (1.0, 0.9, 0.6, 0.3, 0.1)  # at 20 labels 0.9 or 1 is best, at 1,000 0.1 to 0.3
# Of the logistic regression in the logits. A higher weight lowers the log loss of 1,000 labels of fish by
# 0.004, but also macro-F1 by 0.07 (benchmarks/heads.py): the discriminant is better at rare species.
LOGISTIC_WEIGHTS = (0.0, 0.25, 0.5)
FOLD_TOLERANCE = 3e-4  # of the fits of folds, which only compare penalties


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Logits of each row by the fold that held it out; minus infinity for a class it had no label of."""

    logistic: Floats  # (penalties, N, C)
    discriminant: Floats  # (shrinkages, N, C)


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """The hyperparameters that cross-validation chooses."""

    penalty: float
    shrinkage: float
    logistic_weight: float
    scale: float  # divides the discriminant's logits before they are mixed
    temperature: float  # of the mixed logits

    def fit(self, x: Floats, y: Ints, classes: int) -> Affine:
        """Logits before the temperature, fitted on `x` (N, D) with the classes `y` (N,), 0..classes-1."""
        of_logistic = next(logistic.path(x, y, classes, [self.penalty]))
        of_lda = next(discriminant.path(x, y, classes, [self.shrinkage]))
        weight = np.float32(self.logistic_weight)
        lda_weight = np.float32((1 - self.logistic_weight) / self.scale)
        return Affine(
            weights=weight * of_logistic.weights + lda_weight * of_lda.weights,
            bias=weight * of_logistic.bias + lda_weight * of_lda.bias,
        )

    def mixed(self, held_out: HeldOut, rows: Bools) -> Floats:
        """Calibrated held-out logits (R, C) of the `rows` (N,) by this config."""
        of_logistic = held_out.logistic[PENALTIES.index(self.penalty), rows]
        of_lda = held_out.discriminant[SHRINKAGES.index(self.shrinkage), rows]
        return _mix(of_logistic, of_lda, self.logistic_weight, self.scale) / np.float32(self.temperature)


# Used if no fold can choose.
UNTESTED = HeadConfig(penalty=0.001, shrinkage=0.9, logistic_weight=0.5, scale=50.0, temperature=1.0)


def held_out_logits(x: Floats, y: Ints, classes: int, folds: Folds) -> HeldOut:
    """Logits of the rows of each fold by fits on the other folds, for `x` (N, D) with classes `y` (N,)."""
    of_logistic = np.full((len(PENALTIES), len(y), classes), -np.inf, np.float32)
    of_lda = np.full((len(SHRINKAGES), len(y), classes), -np.inf, np.float32)
    for fold in range(folds.count):
        out = folds.of == fold
        present, inner = np.unique(y[~out], return_inverse=True)
        cells = np.ix_(out, present)
        rest = x[~out]
        fits = logistic.path(rest, inner, len(present), PENALTIES, tolerance=FOLD_TOLERANCE)
        for index, affine in enumerate(fits):
            of_logistic[index][cells] = affine(x[out])
        for index, affine in enumerate(discriminant.path(rest, inner, len(present), SHRINKAGES)):
            of_lda[index][cells] = affine(x[out])
    return HeldOut(logistic=of_logistic, discriminant=of_lda)


def choose(held_out: HeldOut, y: Ints, rows: Bools) -> HeadConfig:
    """The config of the lowest log loss over `rows` (N,): first of each part by itself, then of the mixture.

    Rows whose class their fold had no label of are left out.
    """
    usable = rows & np.isfinite(held_out.logistic[0, np.arange(len(y)), y])
    if not usable.any():
        return UNTESTED
    truth = y[usable]
    of_logistic, of_lda = held_out.logistic[:, usable], held_out.discriminant[:, usable]
    penalty = min(range(len(PENALTIES)), key=lambda at: _tempered(of_logistic[at], truth)[0])
    scales = [scale(logits, truth) for logits in of_lda]
    shrinkage = min(
        range(len(SHRINKAGES)), key=lambda at: log_loss(of_lda[at] / np.float32(scales[at]), truth)
    )
    mixes = (
        (*_tempered(_mix(of_logistic[penalty], of_lda[shrinkage], weight, scales[shrinkage]), truth), weight)
        for weight in LOGISTIC_WEIGHTS
    )
    _, best_temperature, logistic_weight = min(mixes)
    return HeadConfig(
        penalty=PENALTIES[penalty],
        shrinkage=SHRINKAGES[shrinkage],
        logistic_weight=logistic_weight,
        scale=scales[shrinkage],
        temperature=best_temperature,
    )


def _mix(of_logistic: Floats, of_lda: Floats, weight: float, unit: float) -> Floats:
    unknown = np.isneginf(of_logistic)
    with np.errstate(invalid="ignore"):  # 0 times minus infinity
        mixed = np.float32(weight) * of_logistic + np.float32((1 - weight) / unit) * of_lda
    mixed[unknown] = -np.inf
    return mixed


def _tempered(logits: Floats, y: Ints) -> tuple[float, float]:
    """Log loss at the best temperature, and that temperature."""
    best = temperature(logits, y)
    return log_loss(logits / np.float32(best), y), best
