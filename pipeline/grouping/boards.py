"""Boards: crops that a version names alike with high probability, to be confirmed at one go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import AnyFloats, Embeddings, Ints
from pipeline.grouping.likeness import alike_order
from pipeline.grouping.neighbours import nearest

SIZES = (24, 48)  # crops of a full board
FEWEST = 8  # crops: fewer are no board
# The least probability of a crop on a board. On fish_dev 96 to 98% of such crops are what the version names,
# on plankton_dev 89 to 97%. One board of them after nine other tasks (`EVERY`) leaves the macro-F1 of 400 key
# presses as it is (0.64; without boards 0.63) and brings 650 labels instead of 395; from 0.7 on it is 0.58.
# One in four brings 868 labels and a macro-F1 of 0.60, one in two (from 0.8 on) 1,270 and 0.52.
SURE = 0.9
EVERY = 10  # each tenth task of a queue is a board
DRAWN = 8_192  # crops of one species that are compared with each other: more are drawn at random


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Crops that are named alike."""

    category: int
    rows: Ints  # of the pool, neighbours alike
    probability: float  # the mean of the rows'


def boards(
    embeddings: Embeddings,
    rows: Ints,
    named: Ints,
    probability: AnyFloats,
    *,
    count: int,
    size: int = SIZES[0],
    sure: float = SURE,
    seed: int = 0,
) -> list[Board]:
    """Up to `count` boards of the `rows` (M,) of `embeddings` (N, D), no row on two of them.

    `named` (M,) are the categories that the version names, `probability` (M,) those of these; crops below
    `sure` come on no board. The caller leaves out crops that must not be on one: those of the audit, and
    novel ones. Species take turns, in an order drawn at random. Each board is a crop drawn at random with
    its nearest neighbours of the same name.
    """
    rng = np.random.default_rng(seed)
    waiting = {
        int(category): _drawn(np.flatnonzero((named == category) & (probability >= sure)), rng)
        for category in np.unique(named[probability >= sure])
    }
    made: list[Board] = []
    turns = [int(category) for category in rng.permutation(list(waiting))]
    while turns and len(made) < count:
        for category in list(turns):
            places = waiting[category]
            if len(places) < FEWEST:
                turns.remove(category)
            elif len(made) < count:
                chosen = _around(embeddings, rows, places, int(rng.choice(places)), size)
                waiting[category] = np.setdiff1d(places, chosen)
                made.append(
                    Board(
                        category=category,
                        rows=rows[chosen],
                        probability=float(probability[chosen].mean()),
                    )
                )
    return made


def _drawn(places: Ints, rng: np.random.Generator) -> Ints:
    return np.sort(rng.permutation(places)[:DRAWN])


def _around(embeddings: Embeddings, rows: Ints, places: Ints, centre: int, size: int) -> Ints:
    """The `size` of `places` nearest to the one at `centre`, that one included, neighbours alike."""
    found = nearest(embeddings, rows[places], embeddings[rows[centre]], size).rows
    chosen = places[np.isin(rows[places], found)]
    return chosen[alike_order(embeddings[rows[chosen]])]
