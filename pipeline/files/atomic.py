"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ExportError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; moved there when the block ends well, else removed.

    What a link leads to is replaced, not the link. Raises ExportError where the disk refuses, or a folder
    or device lies at `path`.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise ExportError(f"{path} is there and no file", remedy="name a file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as exc:
        raise write_error(path, exc) from exc
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder; `path` must not exist yet, or be an empty folder."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ExportError(f"{path} is there already", remedy="name a new folder, or remove it")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.replace(path)
    except OSError as exc:
        raise write_error(path, exc) from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_error(path: Path, exc: OSError) -> ExportError:
    """The error that tells why `path` cannot be written."""
    return ExportError(
        f"{path} cannot be written: {exc.strerror or exc}", remedy="is there room, and may we write there?"
    )
