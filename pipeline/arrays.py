"""The array types of the library, and what many modules do with rows of arrays."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]  # row numbers, class numbers, counts
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
AnyFloats = NDArray[np.floating[Any]]  # of any precision
Embeddings = AnyFloats  # (N, D), memory maps among them

BLOCK = 16_384  # rows at a time: 32 MiB of float32 at 512 dimensions

_Key = TypeVar("_Key", bound=Hashable)


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most `size` that make up range(count)."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def unit(embeddings: Embeddings) -> Floats:
    """Rows (N, D) as float32 of length 1; rows of zeros stay zero."""
    rows = np.asarray(embeddings, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    scaled: Floats = rows / np.where(lengths > 0, lengths, np.float32(1))[:, None]
    return scaled


def numbered(keys: Sequence[_Key], *, sort: bool = True) -> tuple[list[_Key], Ints]:
    """The distinct keys, sorted or else as they first appear, and the number (N,) of each key among them."""
    distinct: list[Any] = list(dict.fromkeys(keys))
    if sort:
        distinct.sort()
    number = {key: position for position, key in enumerate(distinct)}
    return distinct, np.fromiter((number[key] for key in keys), np.intp, len(keys))
