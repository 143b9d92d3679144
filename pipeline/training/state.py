"""Where a training stands, on disk: what a killed one goes on from."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import EmbedderError

FILE = "state.pt"


def folder_of(data_dir: Path, name: str) -> Path:
    """Where a training lies that is not over."""
    return data_dir / "trainings" / name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second training out of `folder`, which is made, while the block runs. Raises EmbedderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as exc:
        raise EmbedderError(f"{folder} cannot be made: {exc.strerror}", remedy="may we write there?") from exc
    with lock:
        try:
            # Given back by a kill, too; of the other kind, flock, decoding processes would inherit it.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise EmbedderError(f"a training runs in {folder} already", remedy="wait for its end") from exc
        yield


def write(folder: Path, state: dict[str, Any]) -> None:
    """Tensors and plain values, there whole or not at all. Raises EmbedderError where the disk refuses."""
    import torch

    draft = folder / f".{FILE}.{os.getpid()}"
    try:
        with draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / FILE)
    except (OSError, RuntimeError) as exc:  # torch has a full disk for a RuntimeError
        draft.unlink(missing_ok=True)
        raise EmbedderError(
            f"{folder / FILE} cannot be written: {exc}", remedy="is there room on the disk?"
        ) from exc


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
