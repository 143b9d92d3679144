"""Which crops of a labelled pool are asked for, and which judge what was learnt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.splits import held_out

TEST_FRACTION = 1 / 3
RARE_SHARE = 0.01  # of the open crops: a species below it is rare
RARE_QUANTILE = 0.25  # of the species are called rare, the rarest, where none is below that share

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Open crops, which a strategy may ask for, and the test part, of which it learns nothing."""

    seed: int
    by: str  # location, sequence or crop: what is never on both sides
    open: Ints  # (P,) rows of the pool
    test: Ints  # (T,) the others
    judged: Ints  # species of the test part that open crops show too, ascending
    rare: Ints  # those of them that are rare among the open crops
    open_species: int  # how many species the open crops show


def split(pool: LabelledPool, seed: int) -> Split:
    """A third of the crops as test part: whole locations where there are two, else sequences, else crops.

    The same pool and seed give the same split. Raises SourceError where there is one crop, or where no
    species is on both sides.
    """
    if len(pool) < 2:
        raise SourceError(
            f"{pool.source} holds one labelled crop, of which no test part can be split off",
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
            f"no species of {pool.source} is on both sides of its test part, split off by {by}",
            remedy="label each species in more than one place",
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
    """Species below the share, or else the rarest of them by `count` of open crops; ties by number."""
    rare: Ints = judged[count[judged] < RARE_SHARE * count.sum()]
    if len(rare):
        return rare
    rarest: Ints = judged[np.argsort(count[judged], kind="stable")]
    return np.sort(rarest[: math.ceil(RARE_QUANTILE * len(judged))])
