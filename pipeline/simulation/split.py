"""Which crops of a labelled pool a strategy may choose, and which ones test the heads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Ints
from pipeline.errors import SourceError
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.splits import held_out

TEST_FRACTION = 1 / 3
RARE_SHARE = 0.01  # of the open crops: a species below it is rare
RARE_QUANTILE = 0.25  # of the species are called rare, the rarest ones, if none is below that share


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Open crops, which a strategy may choose, and the test part, which it does not see."""

    seed: int
    by: str  # location, sequence or crop: none of them is on both sides
    open: Ints  # (P,) rows of the pool
    test: Ints  # (T,) the others
    judged: Ints  # species that are in the test part and among the open crops, ascending
    rare: Ints  # those of `judged` that are rare among the open crops
    open_species: int  # the number of species among the open crops


def split(pool: LabelledPool, seed: int) -> Split:
    """Hold out a third of the crops as the test part.

    It consists of whole locations if there are two, else of whole sequences, else of single crops. The same
    pool and seed give the same split. Raises SourceError if there is one crop, or no species is on both
    sides.
    """
    if len(pool) < 2:
        raise SourceError(
            f"{pool.source} holds one labelled crop, so there is no test part",
            remedy="label more crops",
        )
    if pool.location_count > 1:
        by, groups = "location", pool.locations
    elif 1 < pool.sequence_count < len(pool):
        by, groups = "sequence", pool.sequences
    else:
        by, groups = "crop", np.arange(len(pool))
    tested = held_out(pool.species, groups, TEST_FRACTION, seed)[groups]
    count = np.bincount(pool.species[~tested], minlength=len(pool.names))
    judged = np.intersect1d(pool.species[tested], pool.species[~tested])
    if not len(judged):
        raise SourceError(
            f"no species of {pool.source} is both in the test part (split by {by}) and outside",
            remedy="label each species at more than one location",
        )
    return Split(
        seed=seed,
        by=by,
        open=np.flatnonzero(~tested),
        test=np.flatnonzero(tested),
        judged=judged,
        rare=_rare(judged, count),
        open_species=int((count > 0).sum()),
    )


def _rare(judged: Ints, count: Ints) -> Ints:
    """Species below the share, or else the rarest ones by `count` of open crops; ties by number."""
    rare: Ints = judged[count[judged] < RARE_SHARE * count.sum()]
    if len(rare):
        return rare
    rarest: Ints = judged[np.argsort(count[judged], kind="stable")]
    return np.sort(rarest[: math.ceil(RARE_QUANTILE * len(judged))])
