"""From labelled embeddings to a calibrated head and the figures that it earned out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError
from pipeline.heads import folds as grouping
from pipeline.heads.calibration import log_loss, temperature
from pipeline.heads.evaluation import evaluate
from pipeline.heads.linear import LinearHead, normalised
from pipeline.heads.logistic import Floats, Ints, path

# Strongest first, each fit starting where the stronger one ended. On fish and plankton embeddings the
# best one moved from 0.0001 at 20 labels to 0.03 at 1,000, and beyond these log loss only rose.
PENALTIES = (0.1, 0.03, 0.01, 0.001, 0.0001)
SMALL_SAMPLE_PENALTY = 0.001  # where no fold can choose one
FOLD_TOLERANCE = 3e-4  # of the folds' fits, which only compare penalties


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Labelled crops, row by row."""

    embeddings: npt.NDArray[Any]  # (N, D), any float type
    labels: Sequence[int]  # (N,) category ids
    sequences: Sequence[str]  # (N,) crops of one burst, or one photograph, share a name
    locations: Sequence[str | None]  # (N,) None where the camera's place is not known
    names: Mapping[int, str] = field(default_factory=dict)  # category id to name, for the figures


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A head fitted on all examples, and figures from folds that each held some of them out."""

    head: LinearHead
    metrics: dict[str, Any]  # ready for JSON


def fit(examples: Examples, *, embedder: str, seed: int = 0) -> Fitted:
    """Multinomial logistic regression on frozen embeddings, calibrated and evaluated out of fold.

    Folds keep a location whole (a sequence, or a detection, where there is one location). The penalty
    and the temperature are those of the lowest out-of-fold log loss. The figures of a fold use a
    penalty and a temperature chosen on the other folds alone. A class with a single label is learnt
    and counts as missed in the figures. With one class only the head is a constant: it says that class
    with Laplace's (n + 1) / (n + 2), and there are no figures beside the counts.

    Raises ModelError where there is no example.
    """
    if not len(examples.labels):
        raise ModelError("a head needs at least one label", remedy="label some crops first")
    import scipy.optimize  # noqa: F401  it brings a BLAS of its own, which is limited only once loaded
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x = normalised(examples.embeddings)
    classes, y = np.unique(np.asarray(examples.labels, dtype=np.intp), return_inverse=True)
    ids = [int(one) for one in classes]
    names = [examples.names.get(one, str(one)) for one in ids]
    metrics: dict[str, Any] = {"labels": len(y), "held_out_by": None, "groups": None, "folds": None}
    if len(ids) == 1:
        metrics["classes"] = {names[0]: {"labels": len(y), "recall": None, "precision": None}}
        return Fitted(head=_constant(embedder, ids[0], x.shape[1], len(y)), metrics=metrics)
    folds = grouping.grouped(examples.sequences, examples.locations, np.random.default_rng(seed))
    assert folds is not None, "two classes make two rows"
    # Many small products: threads of BLAS that wait for each other on a busy machine made this 30
    # times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        held_out = _held_out_logits(x, y, len(ids), folds)
        penalty, warmth = _choose(held_out, y, np.ones(len(y), np.bool_))
        affine = next(path(x, y, len(ids), [PENALTIES[penalty]]))
    head = LinearHead(
        embedder=embedder,
        classes=ids,
        weights=affine.weights,
        bias=affine.bias,
        temperature=warmth,
        penalty=PENALTIES[penalty],
    )
    calibrated = np.empty_like(held_out[0])
    for fold in range(folds.count):
        out = folds.of == fold
        chosen, degrees = _choose(held_out, y, ~out)
        calibrated[out] = held_out[chosen, out] / np.float32(degrees)
    metrics |= {"held_out_by": folds.held_out_by, "groups": folds.groups, "folds": folds.count}
    metrics |= evaluate(calibrated, y, examples.sequences, names)
    return Fitted(head=head, metrics=metrics)


def _held_out_logits(x: Floats, y: Ints, classes: int, folds: grouping.Folds) -> Floats:
    """Logits (penalties, N, C) of each row from the fold that held it out.

    Minus infinity for a class that the fold's other rows lack.
    """
    logits = np.full((len(PENALTIES), len(y), classes), -np.inf, np.float32)
    for fold in range(folds.count):
        out = folds.of == fold
        known, inner = np.unique(y[~out], return_inverse=True)
        for index, affine in enumerate(path(x[~out], inner, len(known), PENALTIES, tolerance=FOLD_TOLERANCE)):
            logits[index][np.ix_(out, known)] = affine(x[out])
    return logits


def _choose(held_out: Floats, y: Ints, rows: npt.NDArray[np.bool_]) -> tuple[int, float]:
    """Index of the penalty, and its temperature, of the lowest log loss over `rows`.

    Rows whose class their fold did not know say nothing about either and are left out.
    """
    usable = rows & np.isfinite(held_out[0, np.arange(len(y)), y])
    if not usable.any():
        return PENALTIES.index(SMALL_SAMPLE_PENALTY), 1.0
    best = (np.inf, 0, 1.0)
    for index, logits in enumerate(held_out[:, usable]):
        degrees = temperature(logits, y[usable])
        best = min(best, (log_loss(logits / np.float32(degrees), y[usable]), index, degrees))
    return best[1], best[2]


def _constant(embedder: str, category: int, dimension: int, labels: int) -> LinearHead:
    """A head that says one category whatever it sees, with Laplace's rule of succession as its doubt."""
    return LinearHead(
        embedder=embedder,
        classes=[category],
        weights=np.zeros((1, dimension), np.float32),
        bias=np.array([np.log(labels + 1)], np.float32),
        temperature=1.0,
        penalty=None,
    )
