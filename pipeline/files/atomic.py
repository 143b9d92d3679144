"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline.errors import FileError
from pipeline.files.reading import reason

_NAME_KEPT = 50  # characters of the name in that of its draft: file systems take 255 bytes


@contextmanager
def atomic_file(path: Path, *, fsync: bool = False, private: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` to write to. It replaces `path` if the block succeeds, else it is removed.

    If `path` is a symbolic link, the file it points to is replaced. `fsync` forces the file to the disk
    before it replaces the old one; `private` lets only its owner read it (mode 0600). Missing folders are
    created. Raises FileError if the disk refuses, or if a folder or device is at `path`.
    """
    draft = path
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise FileError(f"{path} exists and is not a file", remedy="choose another file name")
        draft = _draft(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        if fsync:
            _sync_file(draft)
        draft.replace(path)
        if fsync:
            _sync_folder(path.parent)
    except OSError as exc:
        raise write_error(path, exc) from exc
    finally:
        if draft != path:
            with contextlib.suppress(OSError):
                draft.unlink()


@contextmanager
def atomic_folder(path: Path, *, fsync: bool = False, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill. It becomes `path` if the block succeeds, else it is removed.

    `path` must not exist or must be an empty folder, unless `replace` allows it to be removed just before.
    `fsync` forces all files to the disk first. Raises FileError.
    """
    draft = path
    try:
        if not replace and path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileError(f"{path} exists already", remedy="choose a new folder, or remove this one")
        draft = _draft(path)
        draft.mkdir(parents=True)
        yield draft
        if fsync:
            for folder, _, names in os.walk(draft):
                for name in names:
                    _sync_file(Path(folder, name))
                _sync_folder(Path(folder))
        if path.exists() and replace:
            shutil.rmtree(path)
        elif path.exists():
            path.rmdir()  # Windows replaces no folder, not even an empty one
        draft.replace(path)
        if fsync:
            _sync_folder(path.parent)
    except OSError as exc:
        raise write_error(path, exc) from exc
    finally:
        if draft != path:
            shutil.rmtree(draft, ignore_errors=True)


def write_error(path: Path, exc: Exception) -> FileError:
    """The error for a `path` that cannot be written."""
    return FileError(
        f"{path} cannot be written: {reason(exc)}", remedy="check the free disk space and the permissions"
    )


def sync(file: IO[Any]) -> None:
    """Force what was written to an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def _draft(path: Path) -> Path:
    """A name beside `path` that no other process or thread uses; hidden, as listings skip such names."""
    return path.with_name(f".{path.name[:_NAME_KEPT]}.{secrets.token_hex(4)}")


def _sync_file(path: Path) -> None:
    with path.open("r+b") as file:
        sync(file)


def _sync_folder(path: Path) -> None:
    """Force the names in a folder to the disk, on systems that can open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
