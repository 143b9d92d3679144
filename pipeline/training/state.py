"""Where a training stands, on disk: what a killed one goes on from."""

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
    """Where a training lies that is not over."""
    return data_dir / "trainings" / name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Create `folder` and keep a second training out of it while the block runs.

    Raises EmbedderError if a training runs there, and FileError if the folder cannot be created.
    """
    busy = EmbedderError(f"another training is running in {folder}", remedy="wait until it ends")
    with locked(folder.with_name(f".{folder.name}.lock"), busy=busy):  # beside it: the folder gets removed
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
    """What `write` wrote; None where there is nothing.

    Raises EmbedderError where it cannot be read, or belongs to a training of other `inputs`.
    """
    import torch

    path = folder / FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        stated = state["inputs"]
    except Exception as exc:  # reading a damaged file may raise anything
        raise EmbedderError(f"{path} cannot be read: {exc}", remedy=f"delete {folder} to begin anew") from exc
    if stated != inputs:
        raise EmbedderError(
            f"{folder} holds a training of other crops or with other options, which is not finished",
            remedy="run it again as it was (where `auto` finds other weights by now, with --start published "
            "or scratch), give another --name, or delete the folder",
        )
    return state
