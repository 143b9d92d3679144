"""Which crops are asked about and which may answer, at held-out places and for held-out species."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.splits import held_out, place_name

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


def partition(crops: list[Crop], learned: Collection[str] = ()) -> Partition:
    """The test part is test.json where both files list crops; else a third of the crops is split off.

    That split keeps whole locations, or sequences where there is one location. Crops of a sequence that
    reaches into the test part are on neither side. The held-out species are what `held_out_species` says.

    Raises SourceError where there is one crop, or nothing is left to answer.
    """
    names, species = numbered([crop.species for crop in crops])
    _, sequences = numbered([crop.sequence for crop in crops])
    tested = np.array([crop.tested for crop in crops], np.bool_)
    by = "test.json"
    if tested.all() or not tested.any():
        tested, by = split(crops, species, sequences, fraction=TEST_FRACTION, seed=SEED)
    test = np.flatnonzero(tested)
    rest = np.flatnonzero(~tested & ~np.isin(sequences, sequences[tested]))
    if not np.isin(species[test], species[rest]).any():
        raise SourceError(
            f"no species of the test part (split by {by}) is among the other crops",
            remedy="make the dataset anew with labels of each species from several places",
        )
    chosen = np.flatnonzero(np.isin(names, held_out_species([crop.species for crop in crops], learned)))
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


def split(
    crops: Sequence[Crop], species: Ints, sequences: Ints, *, fraction: float, seed: int
) -> tuple[npt.NDArray[np.bool_], str]:
    """Which crops are held out, `fraction` (0 to 1) of them, and what was kept whole.

    That is the location, or the sequence where there is one location, or the crop. SourceError where there
    is one crop.
    """
    count = len(crops)
    groups, by = clusters([crop.location for crop in crops], sequences)
    if by == "sequence" and not 1 < len(np.unique(groups)) < count:
        if count < 2:
            raise SourceError("one crop cannot be split", remedy="label more crops")
        groups, by = np.arange(count), "crop"
    return held_out(species, groups, fraction, seed)[groups], by


def clusters(locations: Sequence[str | None], sequences: Ints) -> tuple[Ints, str]:
    """Numbers (N,) of what hangs together, and its name: the location, or the sequence where there is one.

    A crop without a location hangs together with its sequence alone.
    """
    pairs = zip(locations, sequences, strict=True)
    places, at = numbered([place_name(place, str(burst)) for place, burst in pairs])
    if len(places) > 1 and any(place is not None for place in locations):
        return at, "location"
    return np.unique(sequences, return_inverse=True)[1].astype(np.intp), "sequence"


def held_out_species(species: Sequence[str], learned: Collection[str] = ()) -> list[str]:
    """The names to hold out, sorted, given the species of each crop; none where there are too few.

    Where `learned` names some of them, whatever their case, the others are held out, if two of these have
    several crops and so can be asked about. Else it is every third in the order of their crops, so that
    common and rare ones are among them.
    """
    counts = Counter(species)
    known = {name.casefold() for name in learned}
    others = sorted(name for name in counts if name.casefold() not in known)
    if len(others) < len(counts) and sum(counts[name] > 1 for name in others) >= 2:
        return others
    if len(counts) < FEWEST_SPECIES:
        return []
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return sorted(order[1 :: 3 if len(counts) >= 6 else 2])


def numbered(keys: list[str]) -> tuple[list[str], Ints]:
    """The different keys, sorted, and the number (N,) of each key among them."""
    found = sorted(set(keys))
    number = {key: at for at, key in enumerate(found)}
    return found, np.fromiter((number[key] for key in keys), np.intp, len(keys))
