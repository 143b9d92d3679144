"""The labelled crops that an embedder is trained on, and those of held-out locations that validate it."""

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
JUDGED = 1000  # queries at each validation, and as many crops in the gallery


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """N labelled crops."""

    root: Path  # of their file names
    crops: list[Crop]
    names: list[str]  # (C,) species, sorted
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,)
    learned: Ints  # rows to train on
    queries: Ints  # rows of the queries of validation, from held-out locations
    gallery: Ints  # rows of the gallery of validation, which are trained on
    by: str  # what was held out: location, sequence or crop
    digest: str  # of file names, labels, sequences, locations and file sizes


def corpus(root: Path, crops: Sequence[Crop], *, seed: int) -> Corpus:
    """Split the crops by location. The same crops and seed give the same split.

    Crops of a sequence that reaches into the held-out part are not trained on. Raises SourceError if fewer
    than two species are left to train on, or none of them is in the held-out part.
    """
    crops = sorted(crops, key=lambda crop: crop.file_name)
    names, species = numbered([crop.species for crop in crops])
    if len(names) < FEWEST_SPECIES:
        raise SourceError(
            f"{len(crops)} crops of {len(names)} species are too few to train on",
            remedy="use crops of at least two species",
        )
    _, sequences = numbered([crop.sequence for crop in crops])
    held, by = split(crops, species, sequences, fraction=VALIDATED, seed=seed)
    learned = np.flatnonzero(~held & ~np.isin(sequences, sequences[held]))
    queries = np.flatnonzero(held)
    queries = queries[np.isin(species[queries], species[learned])]
    if len(np.unique(species[learned])) < FEWEST_SPECIES or not len(queries):
        raise SourceError(
            f"with whole {by}s held out, too few of the {len(names)} species remain to train and validate on",
            remedy="use crops of each species from several locations",
        )
    rng = np.random.default_rng(seed)
    return Corpus(
        root=root,
        crops=crops,
        names=names,
        species=species,
        sequences=sequences,
        learned=learned,
        queries=_sample(queries, species, rng),
        gallery=_sample(learned, species, rng),
        by=by,
        digest=json_digest([_identity(root, crop) for crop in crops]),
    )


def _sample(rows: Ints, species: Ints, rng: np.random.Generator) -> Ints:
    """At most JUDGED of the rows, with as many crops of each species as possible, so that rare ones count."""
    mixed = rng.permutation(rows)
    turn = np.empty(len(mixed), np.intp)
    for positions in by_species(np.arange(len(mixed)), species[mixed]):
        turn[positions] = np.arange(len(positions))
    return np.sort(mixed[np.argsort(turn, kind="stable")[:JUDGED]])


def by_species(rows: Ints, species: Ints) -> list[Ints]:
    """The rows (N,) by species, in their order; `species` (N,) is that of each row."""
    order = np.argsort(species, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(species[order])) + 1)


def _identity(root: Path, crop: Crop) -> list[str | int | None]:
    stat = reading.stat(root / crop.file_name)
    size = None if stat is None else stat.size
    return [crop.file_name, crop.species, crop.sequence, crop.location, size]
