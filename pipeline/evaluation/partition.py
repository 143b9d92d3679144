"""Which crops are asked about and which may answer, at held-out places and for held-out species."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.splits import held_out

TEST_FRACTION = 1 / 3
FEWEST_SPECIES = 4  # so that two are held out, and two are not
SEED = 0

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One way to ask: whoever asks, whoever may answer, and what a probe learns from and is tested on."""

    queries: Ints  # rows
    gallery: Ints  # rows; those of a query's own sequence never answer it
    learned: Ints  # rows that the probe's labels are drawn from
    tested: Ints  # rows that it is judged on


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """N crops, row by row, and the two ways to ask about them."""

    names: list[str]  # (C,) species, sorted
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,)
    locations: list[str | None]  # (N,)
    by: str  # what the test part was split by
    places: Part  # asked from the test part, answered from the rest
    few: Part | None  # species of their own among themselves; None with too few species
    few_species: Ints  # their numbers


def partition(crops: list[Crop]) -> Partition:
    """The test part is test.json where both files list crops; else a third of the crops is split off.

    That split keeps whole locations, or sequences where there is one location. Crops of a sequence that
    reaches into the test part are on neither side. Held-out species are every third in the order of
    their crops, so that common and rare ones are among them.

    Raises SourceError where there is one crop, or nothing is left to answer.
    """
    names, species = _numbered([crop.species for crop in crops])
    _, sequences = _numbered([crop.sequence for crop in crops])
    tested = np.array([crop.tested for crop in crops], np.bool_)
    by = "test.json"
    if tested.all() or not tested.any():
        tested, by = _split(crops, species, sequences)
    test = np.flatnonzero(tested)
    rest = np.flatnonzero(~tested & ~np.isin(sequences, sequences[tested]))
    if not np.isin(species[test], species[rest]).any():
        raise SourceError(
            f"no species of the test part (split by {by}) is among the other crops",
            remedy="make the dataset anew with labels of each species from several places",
        )
    chosen = _few(species, len(names))
    few = None
    if len(chosen):
        everything = np.arange(len(crops))
        own, known, asked = (rows[np.isin(species[rows], chosen)] for rows in (everything, rest, test))
        few = Part(queries=own, gallery=own, learned=known, tested=asked)
    return Partition(
        names=names,
        species=species,
        sequences=sequences,
        locations=[crop.location for crop in crops],
        by=by,
        places=Part(queries=test, gallery=rest, learned=rest, tested=test),
        few=few,
        few_species=chosen,
    )


def _split(crops: list[Crop], species: Ints, sequences: Ints) -> tuple[npt.NDArray[np.bool_], str]:
    """Which crops are tested on, and what was kept whole."""
    places, at = _numbered(
        [f"in {crop.sequence}" if crop.location is None else f"at {crop.location}" for crop in crops]
    )
    if len(places) > 1 and any(crop.location is not None for crop in crops):
        by, groups = "location", at
    elif 1 < sequences.max() + 1 < len(crops):
        by, groups = "sequence", sequences
    elif len(crops) > 1:
        by, groups = "crop", np.arange(len(crops))
    else:
        raise SourceError("one crop cannot be split", remedy="label more crops")
    return held_out(species, groups, TEST_FRACTION, SEED)[groups], by


def _few(species: Ints, count: int) -> Ints:
    """The held-out species, ascending; none where there are too few to hold two out."""
    if count < FEWEST_SPECIES:
        return np.zeros(0, np.intp)
    order = np.argsort(-np.bincount(species, minlength=count), kind="stable")
    every = 3 if count >= 6 else 2
    return np.sort(order[1::every])


def _numbered(keys: list[str]) -> tuple[list[str], Ints]:
    found, numbers = np.unique(np.array(keys), return_inverse=True)
    return [str(one) for one in found], numbers.astype(np.intp)
