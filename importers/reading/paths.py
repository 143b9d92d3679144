"""File names as they come, and as text that every database, log and screen takes."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"([0-9]+)")

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
    r"""The name with the bytes that are no UTF-8, and NUL, written out (`\udcff`).

    Python hands such bytes over as lone surrogates, which no database takes.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def suffix_of(name: str) -> str:
    """The ending after the last dot, with it, in lower case; empty without one."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem and "/" not in ending else ""


def natural(name: str) -> tuple[list[str | int], str]:
    """Sorts IMG_2 before IMG_10; names that differ only in capitals or zeros stay in a fixed order."""
    parts = _NUMBERS.split(name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name
