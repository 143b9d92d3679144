"""Crops whose species are all known: what a simulation asks instead of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPool:
    """N embedded crops with the species of each, and where each was seen."""

    source: str  # where the crops come from, in words
    embeddings: npt.NDArray[Any]  # (N, D), any float type
    names: list[str]  # (C,) species
    species: Ints  # (N,) numbers of `names`
    sequences: Ints  # (N,) equal numbers are of one burst
    locations: Ints  # (N,) equal numbers are of one place; all equal where no place is known

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
    embeddings: npt.NDArray[Any],
    species: npt.NDArray[Any],
    *,
    sequences: npt.NDArray[Any] | None = None,
    locations: npt.NDArray[Any] | None = None,
) -> LabelledPool:
    """The pool of embeddings (N, D) and `species` (N,), as names or numbers.

    `sequences` (N,) and `locations` (N,) may hold whatever sorts; without them each crop is a burst of its
    own, and all are of one place.
    """
    count = len(species)
    names, numbers = np.unique(species, return_inverse=True)
    return LabelledPool(
        source=source,
        embeddings=embeddings,
        names=[str(name) for name in names],
        species=numbers,
        sequences=_numbered(np.arange(count) if sequences is None else sequences),
        locations=_numbered(np.zeros(count, np.intp) if locations is None else locations),
    )


def _numbered(keys: npt.NDArray[Any]) -> Ints:
    numbers: Ints = np.unique(keys, return_inverse=True)[1]
    return numbers
