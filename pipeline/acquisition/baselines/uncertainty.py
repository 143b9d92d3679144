"""Strategies that rank by the head's uncertainty alone, and random selection."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from pipeline.acquisition import measures
from pipeline.acquisition.round import Round, Strategy
from pipeline.arrays import Floats, Ints

COLDNESS = 1.0  # beta of power_margin, the paper's default; the larger, the closer to the plain margin


def random(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """Candidates drawn at random, all equally likely."""
    return rng.permutation(state.candidates)[:k]


def needs_head(strategy: Callable[[Round, Floats, int, np.random.Generator], Ints]) -> Strategy:
    """Call a strategy with the head's probabilities, and a k between 1 and the number of candidates.

    Before the first head, such a strategy is `random`.
    """

    @functools.wraps(strategy)
    def with_probabilities(state: Round, k: int, rng: np.random.Generator) -> Ints:
        k = min(k, len(state.candidates))
        if state.probabilities is None or k == 0:
            return random(state, k, rng)
        return strategy(state, state.probabilities, k, rng)

    return with_probabilities


@needs_head
def least_confidence(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """The lowest top probability first (Lewis and Gale, cmp-lg/9407020); equal ones in random order."""
    return state.candidates[_lowest(measures.least_confidence(probabilities), k, rng)]


@needs_head
def margin(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """The lowest margin first (Scheffer et al., IDA 2001); equal ones in random order."""
    return state.candidates[_lowest(measures.margin(probabilities), k, rng)]


@needs_head
def entropy(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """The highest entropy first (Shannon, 1948); equal ones in random order."""
    return state.candidates[_lowest(-measures.entropy(probabilities), k, rng)]


@needs_head
def power_margin(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Drawn without replacement, in proportion to (1 - margin)^beta (Kirsch et al., arXiv 2106.12059).

    The paper's power sampling: the highest log(1 - margin) + Gumbel(0, 1 / beta) first, beta = 1.
    """
    uncertainty = np.maximum(1 - measures.margin(probabilities), np.finfo(np.float32).tiny)
    noise = rng.gumbel(scale=1 / COLDNESS, size=len(uncertainty))
    return state.candidates[_lowest(-np.log(uncertainty) - noise, k, rng)]


def _lowest(score: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Positions of the `k` lowest of `score` (N,), lowest first, equal ones in random order."""
    last = np.partition(score, k - 1)[k - 1]
    among = rng.permutation(np.flatnonzero(score <= last))
    return among[np.argsort(score[among], kind="stable")][:k]
