"""The folder of a source's photographs: a local folder, or a URL that fsspec reads."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from importers.reading.locations import Locator, by_folder, locator
from importers.reading.names import is_absolute, normal, prefix_pattern, relative_to
from importers.reading.paths import PHOTO_SUFFIXES, as_text, natural, suffix_of
from importers.reading.walk import WalkCounts, is_hidden, walk
from pipeline.errors import SourceError
from pipeline.files import reading

OUTSIDE = (
    "outside",
    "not below --images; if its file is, --strip-prefix PREFIX takes off what its name has in front",
)
BELOW = "below --images"  # where photographs are looked for before their URL


class ImageRoot:
    """`--images` of a source."""

    def __init__(self, images: str | Path, *, strip_prefix: str | None = None) -> None:
        """`strip_prefix` is a part that the source's names begin with, and that is taken off first.

        Raises SourceError if a local path is not a folder; a URL is not checked.
        """
        self._real = functools.lru_cache(maxsize=4096)(_without_links)
        self._prefix = prefix_pattern(strip_prefix) if strip_prefix else None
        self.is_url = reading.is_url(str(images))
        if self.is_url:
            self._base = str(images).rstrip("/")
            self._bases: tuple[str, ...] = (self._base,)
        else:
            given = Path(images).expanduser()
            folder = given.resolve()
            if not folder.is_dir():
                raise SourceError(
                    f"{as_text(str(folder))} is not a folder",
                    remedy="--images must name the folder of the photographs",
                )
            self._base = str(folder)
            self._bases = (self._base, os.path.abspath(given))  # noqa: PTH100 - links stay as they are

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
        seen = [name for name in names if not any(map(is_hidden, name.split("/")))]
        counts.hidden += len(names) - len(seen)
        return (name for name in seen if suffix_of(name) in PHOTO_SUFFIXES)

    def locator(self, pattern: str | None) -> Locator:
        """The rule of locations: by `pattern` if the user gives one, else by folder."""
        return locator(pattern, by_folder(PurePosixPath(self._base) if self.is_url else Path(self._base)))

    def name_of(self, source_name: str) -> str:
        """The name of a photograph below this folder, the same for every way to write it.

        The prefix to strip is taken off first. Then backslashes, as sources written on Windows have them,
        become slashes, and `.`, `..` and double slashes go. An absolute name that lies below the folder is
        taken from there; one that lies elsewhere stays as it is, see `is_outside`.
        """
        stripped = self._prefix.match(source_name) if self._prefix is not None else None
        if stripped is not None:
            source_name = source_name[stripped.end() :]
        if "\\" in source_name and not (os.sep != "\\" and not self.is_url and self._has(source_name)):
            source_name = source_name.replace("\\", "/")  # else, here, a backslash is part of the file's name
        name = normal(source_name)
        return self._below(name) if is_absolute(name) else name

    def path_of(self, name: str) -> str:
        """The path or URL of the photograph with this name (from `name_of`)."""
        return f"{self._base}/{name}"

    def _below(self, name: str) -> str:
        """An absolute name as one below this folder if it lies there, by itself or through links."""
        names = [name]
        if not self.is_url and name.startswith("/"):
            here = f"/{name.lstrip('/')}"  # two slashes begin a share on Windows alone
            folder, _, last = here.rpartition("/")
            names += [here, f"{self._real(folder)}/{last}"]
        found = (relative_to(base, absolute) for absolute in names for base in self._bases)
        return next((below for below in found if below is not None), name)

    def _has(self, name: str) -> bool:
        try:
            return Path(self._base, name).exists()
        except OSError:
            return False  # the name is too long


def _without_links(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):  # NUL, or half a character
        return folder


def is_outside(name: str) -> bool:
    """Whether a name leads out of its folder."""
    name = normal(name)
    return name == ".." or name.startswith("../") or is_absolute(name)
