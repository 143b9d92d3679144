"""File names: as text that every database, log and screen accepts, their endings, their order."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"([0-9]+)")
_MOST_DIGITS = 1000  # of a number in a name: Python refuses to read many more

LONGEST = 4096  # characters of a path: no system has files with longer ones
PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"}
)
VIDEO_SUFFIXES = frozenset(
    {
        ".mp4",
        ".avi",
        ".mov",
        ".mpg",
        ".mpeg",
        ".m4v",
        ".mkv",
        ".wmv",
        ".3gp",
        ".mts",
        ".m2ts",
        ".flv",
        ".webm",
    }
)


def as_text(name: str) -> str:
    r"""The name with NUL and bytes that are not UTF-8 escaped (`\udcff`).

    Python represents such bytes as lone surrogates, which databases reject.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def suffix_of(name: str) -> str:
    """The ending in lower case, with its dot; empty if there is none."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem and "/" not in ending else ""


def natural(name: str) -> tuple[list[str | int], str]:
    """A sort key that puts IMG_2 before IMG_10; it differs for any two names."""
    parts = _NUMBERS.split(name.casefold())
    return [int(part[:_MOST_DIGITS]) if index % 2 else part for index, part in enumerate(parts)], name
