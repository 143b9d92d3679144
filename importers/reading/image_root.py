"""The place below which a source's photographs lie: a local folder, or a URL that fsspec reads."""

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
OUTSIDE = ("outside", "not below --images; names in the source must be relative to it")


class ImageRoot:
    """`--images` of a source."""

    def __init__(self, images: str | Path) -> None:
        """Raises SourceError where a local path is no folder; nothing is looked for at a URL yet."""
        self.is_url = reading.is_url(str(images))
        if self.is_url:
            self._base = str(images).rstrip("/")
        else:
            folder = Path(images).expanduser().resolve()
            if not folder.is_dir():
                raise SourceError(
                    f"{as_text(str(folder))} is no folder",
                    remedy="--images is the folder below which the photographs lie",
                )
            self._base = str(folder)

    def __str__(self) -> str:
        return as_text(self._base)

    @property
    def name(self) -> str:
        """The last part of where it is."""
        return self._base.rpartition("/")[2]

    def photographs(self, data_dir: Path, counts: WalkCounts) -> Iterator[str]:
        """The names of every photograph below it: of a folder as `walk` lists, of a URL in order."""
        if not self.is_url:
            return walk(Path(self._base), data_dir, counts)
        names = sorted(reading.names(self._base), key=natural)
        return (name for name in names if suffix_of(name) in PHOTO_SUFFIXES)

    def locator(self, pattern: str | None) -> Locator:
        """How locations are read from file names: by `pattern`, else by folder."""
        return locator(pattern, by_folder(PurePosixPath(self._base) if self.is_url else Path(self._base)))

    def name_of(self, given: str) -> str:
        """A name of the source with forward slashes, as Windows may not have written it."""
        if "\\" in given and not self.is_url and os.sep != "\\" and _exists(Path(self._base, given)):
            return given  # on this system a backslash may be part of a name
        return given.replace("\\", "/")

    def path_of(self, name: str) -> str:
        """Where the photograph of this name (from `name_of`) lies."""
        return f"{self._base}/{name}"


def is_outside(name: str) -> bool:
    """Whether a name (from `ImageRoot.name_of`) leads out of its root."""
    return (
        (".." in name and ".." in name.split("/"))
        or name.startswith("/")
        or (name[1:2] == ":" and _DRIVE.match(name) is not None)
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # longer than any name
