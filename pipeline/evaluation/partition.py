"""Queries and gallery for retrieval, at held-out locations and for held-out species."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Ints, numbered
from pipeline.errors import SourceError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.splits import held_out, place_name

TEST_FRACTION = 1 / 3
FEWEST_SPECIES = 4  # so that two are held out and two are not
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The rows of one test: of retrieval, and of a probe that is fitted on few labels."""

    queries: Ints  # rows
    gallery: Ints  # rows; those of a query's own sequence do not count for it
    learned: Ints  # rows that the probe's labels are drawn from
    tested: Ints  # rows that the probe is tested on


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """N crops, row by row, and the two tests."""

    names: list[str]  # (C,) species, sorted
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,)
    locations: list[str | None]  # (N,)
    by: str  # what the test part was split by: test.json, location, sequence or crop
    places: Part  # queries from the test part, gallery from the rest
    few: Part | None  # all crops of the held-out species among themselves; None with too few species
    few_species: Ints  # their numbers


def partition(crops: list[Crop], learned: Collection[str] = ()) -> Partition:
    """Divide the crops. The test part is test.json if both files list crops, else a third of the crops.

    The third consists of whole locations, or of whole sequences if there is one location. Crops of a
    sequence that reaches into the test part are on neither side. The held-out species are those of
    `held_out_species`, given the names `learned` by the embedders.

    Raises SourceError if there is one crop, or no species of the test part is among the other crops.
    """
    species_of = [crop.species for crop in crops]
    names, species = numbered(species_of)
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
            remedy="make the dataset again with labels of each species from several locations",
        )
    chosen = np.flatnonzero(np.isin(names, held_out_species(species_of, learned)))
    few = None
    if len(chosen):
        everything = np.arange(len(crops))
        all_rows, learned_rows, tested_rows = (
            rows[np.isin(species[rows], chosen)] for rows in (everything, rest, test)
        )
        few = Part(queries=all_rows, gallery=all_rows, learned=learned_rows, tested=tested_rows)
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
) -> tuple[Bools, str]:
    """Which crops (N,) are held out, `fraction` (0 to 1) of them, and what was kept whole.

    That is the location, or the sequence if there is one location, or else the crop. `species` and
    `sequences` (N,) are numbers. Raises SourceError if there is one crop.
    """
    count = len(crops)
    groups, by = clusters([crop.location for crop in crops], sequences)
    if by == "sequence" and not 1 < len(np.unique(groups)) < count:
        if count < 2:
            raise SourceError("one crop cannot be split", remedy="label more crops")
        groups, by = np.arange(count), "crop"
    return held_out(species, groups, fraction, seed)[groups], by


def clusters(locations: Sequence[str | None], sequences: Ints) -> tuple[Ints, str]:
    """The numbers (N,) of the crops' clusters, and what these are: locations, or sequences if there is one.

    The cluster of a crop without a location is its sequence.
    """
    pairs = zip(locations, sequences, strict=True)
    places = [place_name(location, str(sequence)) for location, sequence in pairs]
    names, numbers = numbered(places)
    if len(names) > 1 and any(location is not None for location in locations):
        return numbers, "location"
    return np.unique(sequences, return_inverse=True)[1].astype(np.intp), "sequence"


def held_out_species(species: Sequence[str], learned: Collection[str] = ()) -> list[str]:
    """The names to hold out, sorted, given the species of each crop; none if there are too few.

    If `learned` names some of them (in any case), the others are held out, provided that two of these have
    several crops and can be queried. Otherwise it is every third one by number of crops, so that common and
    rare ones are among them.
    """
    counts = Counter(species)
    learned_names = {name.casefold() for name in learned}
    others = sorted(name for name in counts if name.casefold() not in learned_names)
    if len(others) < len(counts) and sum(counts[name] > 1 for name in others) >= 2:
        return others
    if len(counts) < FEWEST_SPECIES:
        return []
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return sorted(order[1 :: 3 if len(counts) >= 6 else 2])
