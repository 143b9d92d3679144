"""scikit-activeml's query strategies under the contract of ours: the same features, the same head."""

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


class Answering(SkactivemlClassifier):  # type: ignore[misc]  # untyped
    """A fitted head as scikit-activeml wants a classifier."""

    def __init__(self, answer: Callable[[Embeddings], Floats]) -> None:
        super().__init__()
        self.answer = answer

    def fit(self, *_: object) -> Answering:
        return self

    def predict_proba(self, X: Embeddings) -> NDArray[np.float64]:
        probabilities = self.answer(X).astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Embeddings) -> Ints:
        rows: Ints = self.answer(X).argmax(axis=1)
        return rows


def asked(make: Callable[..., Any], by_head: bool, state: Round, k: int, rng: np.random.Generator) -> Ints:
    """What a strategy of scikit-activeml wants labelled; before a head, one that needs it takes any."""
    head: dict[str, Any] = {}
    if by_head:
        if state.predict_proba is None:
            return random(state, k, rng)
        head = {"clf": Answering(state.predict_proba), "fit_clf": False}
    labels = np.full(len(state.embeddings), np.nan)
    labels[state.labelled] = state.labels
    query = make(random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that change in its later versions
        found = query.query(unit(state.embeddings), labels, candidates=state.candidates, batch_size=k, **head)
    return np.asarray(found, np.intp)


MARGIN = "skactiveml-margin"
RIVALS: dict[str, Strategy] = {
    MARGIN: partial(asked, partial(pool.UncertaintySampling, method="margin_sampling"), True),
    "skactiveml-coreset": partial(asked, pool.CoreSet, False),
    "skactiveml-typiclust": partial(asked, pool.TypiClust, False),
    "skactiveml-dropquery": partial(asked, pool.DropQuery, True),
    "skactiveml-falcun": partial(asked, pool.Falcun, True),
    "skactiveml-badge": partial(asked, pool.Badge, True),
}
