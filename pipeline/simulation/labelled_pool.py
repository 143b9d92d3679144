"""Crops whose species are all known, which a simulation uses instead of annotators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Embeddings, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPool:
    """N embedded crops with the species, sequence and location of each."""

    source: str  # where the crops come from, as text
    embeddings: Embeddings  # (N, D)
    names: list[str]  # (C,) species
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,) numbers
    locations: Ints  # (N,) numbers; all equal if no location is known

    def __len__(self) -> int:
        return len(self.species)

    @property
    def sequence_count(self) -> int:
        return int(self.sequences.max(initial=-1)) + 1

    @property
    def location_count(self) -> int:
        return int(self.locations.max(initial=-1)) + 1


def labelled_pool(
    source: str,
    embeddings: Embeddings,
    species: npt.NDArray[Any],
    *,
    sequences: npt.NDArray[Any] | None = None,
    locations: npt.NDArray[Any] | None = None,
) -> LabelledPool:
    """The pool of `embeddings` (N, D) and `species` (N,), which are names or numbers.

    `sequences` (N,) and `locations` (N,) may hold anything that sorts. Without them, each crop is its own
    sequence, and all have one location.
    """
    count = len(species)
    names, numbers = np.unique(species, return_inverse=True)
    if sequences is None:
        sequences = np.arange(count)
    if locations is None:
        locations = np.zeros(count, np.intp)
    return LabelledPool(
        source=source,
        embeddings=embeddings,
        names=[str(name) for name in names],
        species=numbers,
        sequences=np.unique(sequences, return_inverse=True)[1],
        locations=np.unique(locations, return_inverse=True)[1],
    )
