"""The labelled crops that an embedding is learned from, and those at held-out places that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Ints, numbered
from pipeline.errors import SourceError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import split
from pipeline.files import reading
from pipeline.identity import json_digest

VALIDATED = 0.15  # of the crops, as nearly as whole locations allow
FEWEST_SPECIES = 2
JUDGED = 1000  # crops that are asked about, and as many that answer, at each validation


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """N labelled crops."""

    root: Path  # of their file names
    crops: list[Crop]
    names: list[str]  # (C,) species, sorted
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,)
    learned: Ints  # rows
    asked: Ints  # rows of validation crops, from held-out places
    answering: Ints  # rows of learned crops that answer them
    by: str  # what was held out: location, sequence or crop
    digest: str  # of names, labels, places and sizes


def corpus(root: Path, crops: Sequence[Crop], *, seed: int) -> Corpus:
    """Split the crops by location: the same crops and seed, the same split.

    Crops of a sequence that reaches into the held-out part are not learned from. Raises SourceError where
    fewer than two species are left to learn, or none that could be asked about.
    """
    crops = sorted(crops, key=lambda crop: crop.file_name)
    names, species = numbered([crop.species for crop in crops])
    if len(names) < FEWEST_SPECIES:
        raise SourceError(
            f"{len(crops)} crops of {len(names)} species teach nothing",
            remedy="take crops of at least two species",
        )
    _, sequences = numbered([crop.sequence for crop in crops])
    held, by = split(crops, species, sequences, fraction=VALIDATED, seed=seed)
    learned = np.flatnonzero(~held & ~np.isin(sequences, sequences[held]))
    asked = np.flatnonzero(held)
    asked = asked[np.isin(species[asked], species[learned])]
    if len(np.unique(species[learned])) < FEWEST_SPECIES or not len(asked):
        raise SourceError(
            f"with whole {by}s held out, too few of the {len(names)} species are left to learn and to ask",
            remedy="take crops of each species from several places",
        )
    rng = np.random.default_rng(seed)
    return Corpus(
        root=root,
        crops=crops,
        names=names,
        species=species,
        sequences=sequences,
        learned=learned,
        asked=_some(asked, species, rng),
        answering=_some(learned, species, rng),
        by=by,
        digest=json_digest([_identity(root, crop) for crop in crops]),
    )


def _some(rows: Ints, species: Ints, rng: np.random.Generator) -> Ints:
    """At most JUDGED of the rows: a crop of each species, a second one, and so on, that rare ones count."""
    mixed = rng.permutation(rows)
    turn = np.empty(len(mixed), np.intp)
    for own in by_species(np.arange(len(mixed)), species[mixed]):
        turn[own] = np.arange(len(own))
    return np.sort(mixed[np.argsort(turn, kind="stable")[:JUDGED]])


def by_species(rows: Ints, species: Ints) -> list[Ints]:
    """The rows (N,) of each species that they show, in their order; `species` (N,) is theirs."""
    order = np.argsort(species, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(species[order])) + 1)


def _identity(root: Path, crop: Crop) -> list[str | int | None]:
    there = reading.stat(root / crop.file_name)
    size = None if there is None else there.size
    return [crop.file_name, crop.species, crop.sequence, crop.location, size]
