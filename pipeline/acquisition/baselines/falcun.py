"""FALCUN: uncertain and diverse crops, by the head's probabilities alone."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition import measures
from pipeline.acquisition.baselines.uncertainty import needs_head
from pipeline.acquisition.round import Round
from pipeline.arrays import Floats, Ints, blocks

GAMMA = 10.0  # as in the paper; 0 is random, infinity always takes the highest


@needs_head
def falcun(state: Round, probabilities: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Drawn one after the other by (1 - margin + distance)^10 (Gilhuber et al., ECML PKDD 2024).

    "FALCUN: A Simple and Efficient Deep Active Learning Strategy": distance is the L1 distance between
    probabilities to the nearest chosen crop, scaled to 0..1 after each pick, and 1 - margin before the first.
    """
    uncertainty = 1 - measures.margin(probabilities).astype(np.float64)
    distance = uncertainty.copy()
    waiting = np.ones(len(uncertainty), np.bool_)
    chosen: list[int] = []
    while True:
        relevance = np.where(waiting, uncertainty + distance, 0)
        top = relevance.max()
        weight = (relevance / top) ** GAMMA if top > 0 else waiting
        mass = np.cumsum(weight, dtype=np.float64)
        pick = int(np.searchsorted(mass, rng.random() * mass[-1], side="right"))
        chosen.append(min(pick, int(np.flatnonzero(weight)[-1])))
        if len(chosen) == k:
            return state.candidates[chosen]
        waiting[chosen[-1]] = False
        for part in blocks(len(uncertainty)):
            away = np.abs(probabilities[part] - probabilities[chosen[-1]]).sum(axis=1)
            np.minimum(distance[part], away, out=distance[part])
        distance -= distance.min()
        distance /= distance.max() or 1
