"""What may be wrong about the locations and the names of an import: a sentence each, with the remedy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from importers.reading.locations import Origin, is_camera_made
from importers.reading.lookalikes import Difference, Lookalikes
from importers.reading.paths import natural

_EXAMPLES = 3
# Folders by visit or year: 2021, 2021-05, 20210501, 1.5.2021.
_DATE = re.compile(r"(?:19|20)\d\d(?:[-_. ]?\d{1,2}){0,2}|\d{1,2}[-_. ]\d{1,2}[-_. ](?:19|20)?\d\d", re.ASCII)


class _Split(NamedTuple):
    """Folders of one location."""

    depth: int  # in the name, from 0
    names: set[str]


class Doubts:
    """Filled while an import runs; the folders of its photographs are all that it keeps."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}  # to their location, if a folder's name is it
        self._in_root: Counter[str] = Counter()  # photographs by the imported folder's name, their location
        self._lookalikes = Lookalikes()
        self._missing: Counter[Difference] = Counter()
        self._examples: dict[Difference, tuple[str, str]] = {}  # of missing files: their name, the one there

    def add(self, file_name: str, location: str, origin: Origin) -> None:
        """A photograph with its location; `file_name` is that of its video, if it is a frame of one."""
        if origin is Origin.FOLDER:
            self._folders.setdefault(file_name.rpartition("/")[0], location)
        elif origin is Origin.ROOT:
            self._in_root[location] += 1

    def add_missing(self, root: str, file_name: str) -> None:
        """A photograph whose file is not there."""
        found = self._lookalikes.of(root, file_name)
        if found is not None:
            self._missing[found.difference] += 1
            self._examples.setdefault(found.difference, (file_name, found.name))

    def sentences(self) -> Iterator[str]:
        """Every doubt."""
        for location, number in self._in_root.items():
            yield (
                f"photographs in no folder of a camera ({number:,}) have the imported folder, {location!r}, "
                f"for a location: if several cameras took them, give each a folder, or import again with "
                f"--location-pattern"
            )
        yield from self._of_folders()
        for difference, number in self._missing.items():
            yield _of_missing(difference, number, *self._examples[difference])

    def _of_folders(self) -> Iterator[str]:
        """The doubt that cameras have folders below those that were taken for locations."""
        below: dict[str, dict[int, set[str]]] = {}  # of each location: the folders below it by their depth
        for folder, location in self._folders.items():
            parts = folder.split("/")
            by_depth = below.setdefault(location, {})
            for depth in range(parts.index(location) + 1, len(parts)):
                if not is_camera_made(parts[depth]) and not _DATE.fullmatch(parts[depth]):
                    by_depth.setdefault(depth, set()).add(parts[depth])
        split = {location: _split(by_depth) for location, by_depth in below.items()}
        differing = {location: found for location, found in split.items() if found is not None}
        places = Counter(name for found in differing.values() for name in found.names)
        is_several = len(below) > 1
        # Where they are visits, locations share their names, and few have several.
        if not differing or (is_several and (2 * len(differing) < len(below) or max(places.values()) > 1)):
            return
        first = min(differing, key=natural)
        names = sorted(differing[first].names, key=natural)
        some = ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")
        depth = Counter(found.depth for found in differing.values()).most_common(1)[0][0]
        pattern = "^" + "[^/]+/" * depth + "(?P<location>[^/]+)/"
        what = "locations have several folders:" if is_several else "all photographs have one location, but"
        yield (
            f"{what} below {first!r} are {some}; if these are the cameras, import again with "
            f"--location-pattern '{pattern}'"
        )


def _split(by_depth: Mapping[int, set[str]]) -> _Split | None:
    """The first depth at which the folders of a location differ; None if there is none."""
    return next((_Split(d, names) for d, names in sorted(by_depth.items()) if len(names) > 1), None)


def _of_missing(difference: Difference, number: int, name: str, found: str) -> str:
    """The sentence on missing files, of which `name` is one and `found` its lookalike."""
    if difference is Difference.FOLDERS:
        prefix = name.removesuffix(found)
        return (
            f"missing files that are there without the first folders of the name ({number:,}), such as "
            f"{found} for {name}: import again with --strip-prefix '{prefix}'"
        )
    how = "another letter case" if difference is Difference.CASE else "another Unicode form"
    return (
        f"missing files that are there in {how} ({number:,}), such as {found} for {name}: correct the "
        f"names in the source, or rename the files"
    )
