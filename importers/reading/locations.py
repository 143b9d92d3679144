"""Rules that read the location of a photograph from its file name."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import PurePath

from pipeline.errors import SourceError

Locator = Callable[[str], str | None]  # file name below the imported folder -> location


class Origin(StrEnum):
    """Where the location of a photograph comes from."""

    SOURCE = "source"
    PATTERN = "pattern"  # of the user's
    FOLDER = "folder"  # the first folder of its name that no camera made
    ROOT = "root"  # the name of the imported folder: there is no other
    STORE = "store"  # an earlier import, whose location a guess does not replace


# Folders that cameras create (DCF, JEITA CP-3461): DCIM, and 100MEDIA, 101EK113, ...
_CAMERA_MADE = re.compile(r"DCIM|[1-9][0-9]{2}[A-Za-z0-9_]{5}", re.IGNORECASE)

_NOT_KNOWN = re.compile(r"(?:-1(?:\.0+)?|n/?a|nan|none|null|unknown)?", re.IGNORECASE)


def locator(pattern: str | None, otherwise: Locator) -> Locator:
    """Locations by the user's `pattern` (see `by_pattern`), else by the rule of the source."""
    return by_pattern(pattern) if pattern else otherwise


def is_camera_made(folder: str) -> bool:
    """Whether cameras give folders this name."""
    return _CAMERA_MADE.fullmatch(folder) is not None


def no_location(_: str) -> None:
    """The rule of sources whose file names do not name a location."""


def known_location(text: str | None) -> str | None:
    """The location that a source names; None for its words for none."""
    return None if text is None or _NOT_KNOWN.fullmatch(text.strip()) else text


def by_folder(root: PurePath) -> Locator:
    """The first folder below `root` that a camera did not create, else the name of `root`."""
    above = [part for part in reversed(root.parts) if part != root.anchor and not is_camera_made(part)]
    root_name = above[0] if above else None

    def locate(file_name: str) -> str | None:
        folders = file_name.split("/")[:-1]
        return next((part for part in folders if not is_camera_made(part)), root_name)

    return locate


def by_pattern(pattern: str) -> Locator:
    """The group `location` of a regular expression searched in the file name; None without a match.

    Raises SourceError if the pattern is not a regular expression or has no such group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as exc:
        raise SourceError(
            f"the location pattern {pattern!r} is not a regular expression: {exc}", remedy="correct it"
        ) from exc
    if "location" not in compiled.groupindex:
        raise SourceError(
            f"the location pattern {pattern!r} has no group named location",
            remedy="for example (?P<location>CAM[0-9]+)",
        )

    def locate(file_name: str) -> str | None:
        match = compiled.search(file_name)
        return (match["location"] or None) if match else None

    return locate
