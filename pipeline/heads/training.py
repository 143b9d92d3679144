"""From labelled embeddings to a calibrated head and the figures that it earned out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError
from pipeline.heads import ensemble
from pipeline.heads import folds as grouping
from pipeline.heads.evaluation import evaluate
from pipeline.heads.linear import LinearHead, normalised, softmax
from pipeline.heads.logistic import Floats


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
    # (N, C) calibrated probabilities of each example by the fold that held it out, 0 for a class that the
    # fold did not know; None with one class.
    held_out: Floats | None


def fit(examples: Examples, *, embedder: str, seed: int = 0) -> Fitted:
    """A calibrated linear head on frozen embeddings, evaluated out of fold.

    Its logits are a weighted mean of those of multinomial logistic regression, which is sharper on many
    labels, and of a shrunken discriminant, which learns a species from few; both are affine, and so is
    what they make. Penalty, shrinkage, the weight of the mean and the temperature are those of the
    lowest out-of-fold log loss. Folds keep a location whole (a sequence, or a detection, where there is
    one location). The figures of a fold use choices made on the other folds alone. A class with a single
    label is learnt and counts as missed in the figures. With one class only the head is a constant: it
    says that class with Laplace's (n + 1) / (n + 2), and there are no figures beside the counts.

    Raises ModelError where there is no example.
    """
    if not len(examples.labels):
        raise ModelError("a head needs at least one label", remedy="label some crops first")
    import scipy.optimize  # noqa: F401  it brings a BLAS of its own, which is limited only once loaded
    from threadpoolctl import threadpool_limits

    x = normalised(examples.embeddings)
    classes, y = np.unique(np.asarray(examples.labels, dtype=np.intp), return_inverse=True)
    ids = [int(one) for one in classes]
    names = [examples.names.get(one, str(one)) for one in ids]
    metrics: dict[str, Any] = {"labels": len(y), "held_out_by": None, "groups": None, "folds": None}
    if len(ids) == 1:
        metrics["classes"] = {names[0]: {"labels": len(y), "recall": None, "precision": None}}
        head = _constant(embedder, ids[0], x.shape[1], len(y))
        return Fitted(head=head, metrics=metrics, held_out=None)
    folds = grouping.grouped(examples.sequences, examples.locations, np.random.default_rng(seed))
    assert folds is not None, "two classes make two rows"
    # Many small products: threads of BLAS that wait for each other on a busy machine made this 30
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
    return Fitted(head=head, metrics=metrics, held_out=softmax(calibrated))


def _constant(embedder: str, category: int, dimension: int, labels: int) -> LinearHead:
    """A head that says one category whatever it sees, with Laplace's rule of succession as its doubt."""
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
