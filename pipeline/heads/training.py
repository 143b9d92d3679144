"""Labelled embeddings -> a calibrated head and its cross-validated metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints
from pipeline.errors import ModelError
from pipeline.heads import ensemble
from pipeline.heads import folds as grouping
from pipeline.heads.evaluation import evaluate
from pipeline.heads.linear import LinearHead, normalised, softmax


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Labelled crops, row by row."""

    embeddings: Embeddings  # (N, D)
    labels: Sequence[int]  # (N,) category ids
    sequences: Sequence[str]  # (N,) names; crops of one sequence or photograph share one
    locations: Sequence[str | None]  # (N,) None if not known
    names: Mapping[int, str] = field(default_factory=dict)  # category id to name, for the metrics


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A head fitted on all examples, and its metrics on examples held out by cross-validation."""

    head: LinearHead
    metrics: dict[str, Any]  # ready for JSON
    # (N, C) calibrated probabilities of each example by the fold that held it out, 0 for a class that the
    # fold had no label of; None with one class.
    held_out: Floats | None
    folds: Ints | None  # (N,) which fold held each example out; None with one class


def fit(examples: Examples, *, embedder: str, seed: int = 0) -> Fitted:
    """A calibrated linear head on frozen embeddings, evaluated by cross-validation.

    Its logits are a weighted mean of those of multinomial logistic regression, which is better on many
    labels, and of a shrunken discriminant, which learns a species from few; both are affine, and so is
    their mean. Penalty, shrinkage, weight and temperature are those of the lowest held-out log loss. Folds
    keep locations whole (sequences or detections, if there is one location). The metrics of a fold use
    choices made on the other folds alone. A class with a single label is learned, and counts as missed in
    the metrics. With one class only, the head is a constant: it predicts that class with Laplace's
    probability (n + 1) / (n + 2), and there are no metrics except counts.

    `embedder` is the id of the embedder; `seed` orders groups in folds. Raises ModelError without examples.
    """
    if not len(examples.labels):
        raise ModelError("a head needs at least one label", remedy="label some crops first")
    import scipy.optimize  # noqa: F401  it has its own BLAS, which must be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    x = normalised(examples.embeddings)
    classes, y = np.unique(np.asarray(examples.labels, dtype=np.intp), return_inverse=True)
    ids = [int(category) for category in classes]
    names = [examples.names.get(category, str(category)) for category in ids]
    metrics: dict[str, Any] = {"labels": len(y), "held_out_by": None, "groups": None, "folds": None}
    if len(ids) == 1:
        metrics["classes"] = {names[0]: {"labels": len(y), "recall": None, "precision": None}}
        head = _constant(embedder, ids[0], x.shape[1], len(y))
        return Fitted(head=head, metrics=metrics, held_out=None, folds=None)
    folds = grouping.grouped(examples.sequences, examples.locations, np.random.default_rng(seed))
    assert folds is not None, "two classes make two rows"
    # There are many small products: BLAS threads that wait for each other on a busy machine made this 30
    # times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        held_out = ensemble.held_out_logits(x, y, len(ids), folds)
        config = ensemble.choose(held_out, y, np.ones(len(y), np.bool_))
        affine = config.fit(x, y, len(ids))
        calibrated = np.empty((len(y), len(ids)), np.float32)
        for fold in range(folds.count):
            out = folds.of == fold
            calibrated[out] = ensemble.choose(held_out, y, ~out).mixed(held_out, out)
    head = LinearHead(
        embedder=embedder,
        classes=ids,
        weights=affine.weights,
        bias=affine.bias,
        temperature=config.temperature,
        penalty=config.penalty,
        shrinkage=config.shrinkage,
        logistic_weight=config.logistic_weight,
    )
    metrics |= {"held_out_by": folds.held_out_by, "groups": folds.groups, "folds": folds.count}
    metrics |= evaluate(calibrated, y, examples.sequences, names)
    return Fitted(head=head, metrics=metrics, held_out=softmax(calibrated), folds=folds.of)


def _constant(embedder: str, category: int, dimension: int, labels: int) -> LinearHead:
    """A head that always predicts one category, with the probability of Laplace's rule of succession."""
    return LinearHead(
        embedder=embedder,
        classes=[category],
        weights=np.zeros((1, dimension), np.float32),
        bias=np.array([np.log(labels + 1)], np.float32),
        temperature=1.0,
        penalty=None,
        shrinkage=None,
        logistic_weight=None,
    )
