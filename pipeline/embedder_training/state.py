"""The state of a training on disk, from which a killed training continues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import EmbedderError
from pipeline.files.atomic import atomic_file, write_error
from pipeline.files.lock import locked

FILE = "state.pt"


def folder_of(data_dir: Path, name: str) -> Path:
    """The folder of a training that has not ended."""
    return data_dir / "trainings" / name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Create `folder` and keep a second training out of it while the block runs.

    Raises EmbedderError if a training runs there, and FileError if the folder cannot be created.
    """
    busy = EmbedderError(f"another training is running in {folder}", remedy="wait until it ends")
    with locked(folder.with_name(f".{folder.name}.lock"), busy=busy):  # the folder itself gets removed
        try:
            folder.mkdir(exist_ok=True)
        except OSError as exc:
            raise write_error(folder, exc) from exc
        yield


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values, completely or not at all. Raises FileError if the disk refuses."""
    import torch

    try:
        with atomic_file(folder / FILE, fsync=True) as draft:
            torch.save(state, draft)
    except RuntimeError as exc:  # what torch raises if the disk is full
        raise write_error(folder / FILE, exc) from exc


def read(folder: Path, inputs: str) -> dict[str, Any] | None:
    """The state that `write` wrote, or None if there is none.

    Raises EmbedderError if it cannot be read, or belongs to a training with other `inputs`.
    """
    import torch

    path = folder / FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        stated = state["inputs"]
    except Exception as exc:  # a damaged file may raise anything
        raise EmbedderError(
            f"{path} cannot be read: {exc}", remedy=f"delete {folder} to start again"
        ) from exc
    if stated != inputs:
        raise EmbedderError(
            f"{folder} holds an unfinished training with other crops or options",
            remedy="run it with the same ones (if `auto` now finds other weights, with --start published "
            "or scratch), use another --name, or delete the folder",
        )
    return state
