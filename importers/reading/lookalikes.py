"""Files that a missing name may mean: in another letter case or Unicode form, or with fewer folders."""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from importers.reading.paths import LONGEST
from pipeline.files.reading import is_url


class Difference(StrEnum):
    """How the name of a file differs from the missing one."""

    UNICODE = "unicode"  # letters with marks are one character or two
    CASE = "case"
    FOLDERS = "folders"  # the missing name has folders in front that are not below the imported one


class Lookalike(NamedTuple):
    """A file that is there."""

    name: str
    difference: Difference


class Lookalikes:
    """Looks for them; a folder is listed once for the files that are missing in it."""

    def __init__(self) -> None:
        self._listing = functools.lru_cache(maxsize=256)(_listing)

    def of(self, root: str, name: str) -> Lookalike | None:
        """The file below the folder `root` that the missing `name` may mean; None for URLs."""
        if is_url(root) or len(name) > LONGEST:
            return None
        parts = name.split("/")
        found = next(self._spellings(root, parts), None)
        if found == name:  # a link to nowhere
            return None
        if found is not None:
            is_form = unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", name)
            return Lookalike(found, Difference.UNICODE if is_form else Difference.CASE)
        shorter = ("/".join(parts[start:]) for start in range(1, len(parts)))
        below = next((rest for rest in shorter if self._has(root, rest)), None)
        return None if below is None else Lookalike(below, Difference.FOLDERS)

    def _spellings(self, folder: str, parts: Sequence[str], before: str = "") -> Iterator[str]:
        """The names below `folder` that are `parts` but for letter case and Unicode form."""
        for spelling in self._listing(folder).get(_key(parts[0]), ()):
            if len(parts) == 1:
                yield before + spelling
            else:
                yield from self._spellings(f"{folder}/{spelling}", parts[1:], f"{before}{spelling}/")

    def _has(self, root: str, name: str) -> bool:
        folder, _, last = f"{root}/{name}".rpartition("/")
        return last in self._listing(folder).get(_key(last), ())


def _listing(folder: str) -> Mapping[str, Sequence[str]]:
    """The names in a folder, by what their spellings have in common; none if it is no folder."""
    names: dict[str, list[str]] = {}
    try:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - text, as the names of the source
            names.setdefault(_key(name), []).append(name)
    except OSError:
        pass
    return names


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
