"""The folder of a source's photographs: a local folder, or a URL that fsspec reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from importers.reading.locations import Locator, by_folder, locator
from importers.reading.paths import PHOTO_SUFFIXES, as_text, natural, suffix_of
from importers.reading.walk import WalkCounts, walk
from pipeline.errors import SourceError
from pipeline.files import reading

_DRIVE = re.compile(r"[A-Za-z]:")
OUTSIDE = ("outside", "not below --images; file names in the source must be relative to it")


class ImageRoot:
    """`--images` of a source."""

    def __init__(self, images: str | Path) -> None:
        """Raises SourceError if a local path is not a folder; a URL is not checked."""
        self.is_url = reading.is_url(str(images))
        if self.is_url:
            self._base = str(images).rstrip("/")
        else:
            folder = Path(images).expanduser().resolve()
            if not folder.is_dir():
                raise SourceError(
                    f"{as_text(str(folder))} is not a folder",
                    remedy="--images must name the folder of the photographs",
                )
            self._base = str(folder)

    def __str__(self) -> str:
        return as_text(self._base)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self._base.rpartition("/")[2]

    def photographs(self, data_dir: Path, counts: WalkCounts) -> Iterator[str]:
        """The names of every photograph below it, in natural order; a folder is walked by `walk`."""
        if not self.is_url:
            return walk(Path(self._base), data_dir, counts)
        names = sorted(reading.names(self._base), key=natural)
        return (name for name in names if suffix_of(name) in PHOTO_SUFFIXES)

    def locator(self, pattern: str | None) -> Locator:
        """The rule of locations: by `pattern` if the user gives one, else by folder."""
        return locator(pattern, by_folder(PurePosixPath(self._base) if self.is_url else Path(self._base)))

    def name_of(self, source_name: str) -> str:
        """The name of a photograph with forward slashes; sources written on Windows have backslashes."""
        if "\\" not in source_name:
            return source_name
        if not self.is_url and os.sep != "\\" and _exists(Path(self._base, source_name)):
            return source_name  # here a backslash can be part of a file name
        return source_name.replace("\\", "/")

    def path_of(self, name: str) -> str:
        """The path or URL of the photograph with this name (from `name_of`)."""
        return f"{self._base}/{name}"


def is_outside(name: str) -> bool:
    """Whether a name (from `ImageRoot.name_of`) leads out of its folder."""
    return (
        (".." in name and ".." in name.split("/"))
        or name.startswith("/")
        or (name[1:2] == ":" and _DRIVE.match(name) is not None)
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # the name is too long
