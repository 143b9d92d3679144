"""A labelled pool in a NumPy file: `E` and `label`, and `group` and `location` if they are known."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.files import reading
from pipeline.simulation.labelled_pool import LabelledPool, labelled_pool

KEYS = "save E (N, D) and label (N), and if you have them, group (N; the sequence) and location (N)"
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def read(path: Path) -> LabelledPool:
    """The crops of the file `path`. Raises SourceError, which names the key that is wrong."""
    try:
        stored = np.load(path, allow_pickle=False)
    except UNREADABLE as exc:
        raise SourceError(
            f"{path} cannot be read: {reading.reason(exc)}", remedy="choose a file that numpy.savez wrote"
        ) from exc
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise SourceError(f"{path} holds one array without a name", remedy=f"use numpy.savez: {KEYS}")
    with stored:
        present = ", ".join(stored.files) or "nothing"
        if missing := [key for key in ("E", "label") if key not in stored.files]:
            raise SourceError(f"{path} lacks {' and '.join(missing)}; it holds {present}", remedy=KEYS)
        embeddings = _embeddings(path, _array(path, stored, "E"))
        keys = {
            key: _keys(path, key, _array(path, stored, key), len(embeddings))
            for key in ("label", "group", "location")
            if key in stored.files
        }
    return labelled_pool(
        path.name,
        embeddings,
        keys["label"],
        sequences=keys.get("group"),
        locations=keys.get("location"),
    )


def _array(path: Path, stored: np.lib.npyio.NpzFile, key: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = stored[key]
    except UNREADABLE as exc:
        raise SourceError(
            f"{key} of {path} cannot be read: {reading.reason(exc)}",
            remedy="save plain arrays of numbers or text, not of Python objects",
        ) from exc
    return array


def _embeddings(path: Path, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise SourceError(
            f"E of {path} is {array.dtype} of shape {array.shape}",
            remedy="E must be a table of numbers, with a row for each crop",
        )
    if array.dtype.kind != "f":
        return array.astype(np.float32)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise SourceError(
            f"E of {path} holds numbers that are not finite, first in row {row}",
            remedy="embed that crop again, or leave it out",
        )
    return array


def _keys(path: Path, key: str, array: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    if array.shape != (count,) or array.dtype.kind not in "iuUS":
        raise SourceError(
            f"{key} of {path} is {array.dtype} of shape {array.shape}",
            remedy=f"{key} must hold {count} whole numbers or texts, one for each row of E",
        )
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
