"""Zips that sources are read from without unpacking them; their problems are SourceErrors that name them."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from importers.reading.paths import as_text
from pipeline.errors import SourceError

DAMAGE = (  # what a damaged zip raises
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # an unsupported compression
    RuntimeError,  # an encrypted member
)


def archive(path: Path, remedy: str) -> zipfile.ZipFile:
    """The opened zip. Raises SourceError, with this remedy if there is no such file."""
    with undamaged(path):
        try:
            return zipfile.ZipFile(path)
        except OSError as exc:
            raise SourceError(
                f"{as_text(str(path))} cannot be read: {exc.strerror or exc}", remedy=remedy
            ) from exc


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Turns the errors of a damaged zip into a SourceError that names it."""
    try:
        yield
    except DAMAGE as exc:
        raise damaged(path, exc) from exc


def damaged(path: Path, problem: Exception) -> SourceError:
    """The error for a zip that reading stumbled over with this problem."""
    reason = " ".join(str(problem).split())[:200] or type(problem).__name__
    return SourceError(f"{as_text(str(path))} is damaged: {reason}", remedy="download it again")
