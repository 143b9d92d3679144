"""The query strategies of scikit-activeml as strategies of Wildloop, with the same features and head."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml import pool
from skactiveml.base import SkactivemlClassifier

from pipeline.acquisition import Round, Strategy
from pipeline.acquisition.baselines.uncertainty import random
from pipeline.arrays import Embeddings, Floats, Ints, unit


class HeadClassifier(SkactivemlClassifier):  # type: ignore[misc]  # untyped
    """A fitted head as a classifier of scikit-activeml."""

    def __init__(self, head: Callable[[Embeddings], Floats]) -> None:
        """`head` returns probabilities (N, C) for embeddings (N, D)."""
        super().__init__()
        self.head = head

    def fit(self, *_: object) -> HeadClassifier:
        return self

    def predict_proba(self, X: Embeddings) -> NDArray[np.float64]:
        probabilities = self.head(X).astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Embeddings) -> Ints:
        rows: Ints = self.head(X).argmax(axis=1)
        return rows


def query(make: Callable[..., Any], needs_head: bool, state: Round, k: int, rng: np.random.Generator) -> Ints:
    """The choice of a strategy of scikit-activeml; random before the first head if it needs one."""
    head: dict[str, Any] = {}
    if needs_head:
        if state.predict_proba is None:
            return random(state, k, rng)
        head = {"clf": HeadClassifier(state.predict_proba), "fit_clf": False}
    labels = np.full(len(state.embeddings), np.nan)
    labels[state.labelled] = state.labels
    strategy = make(random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings that change in later releases
        rows = strategy.query(
            unit(state.embeddings), labels, candidates=state.candidates, batch_size=k, **head
        )
    return np.asarray(rows, np.intp)


MARGIN = "skactiveml-margin"
RIVALS: dict[str, Strategy] = {
    MARGIN: partial(query, partial(pool.UncertaintySampling, method="margin_sampling"), True),
    "skactiveml-coreset": partial(query, pool.CoreSet, False),
    "skactiveml-typiclust": partial(query, pool.TypiClust, False),
    "skactiveml-dropquery": partial(query, pool.DropQuery, True),
    "skactiveml-falcun": partial(query, pool.Falcun, True),
    "skactiveml-badge": partial(query, pool.Badge, True),
}
