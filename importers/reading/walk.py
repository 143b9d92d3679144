"""Every photograph below a local folder, in natural order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from importers.reading.paths import PHOTO_SUFFIXES, as_text, natural, suffix_of
from pipeline.errors import SourceError

EXAMPLES = 5
# Folders of network drives, cameras' computers and archives that hold no photographs of the user's.
HIDDEN = frozenset({"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx"})


@dataclass(kw_only=True)
class WalkCounts:
    """What a walk passes over, counted; the first few problems with their file."""

    skipped: Counter[str] = field(default_factory=Counter)  # other files, by ending
    hidden: int = 0  # files and folders whose names hide them
    linked: int = 0  # folders that links lead to twice
    unreadable_folders: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)  # file and what is wrong with it

    def complain(self, name: str, what: str) -> None:
        """Keep the first few problems to show."""
        if len(self.examples) < EXAMPLES:
            self.examples.append((name, what))


def walk(root: Path, data_dir: Path, counts: WalkCounts) -> Iterator[str]:
    """Names below `root`, with forward slashes, of files that end like photographs.

    Files of a folder first, then its folders, each in natural order. No folder is walked twice,
    whatever links say, and never our own data folder. What is passed over is counted in `counts`.
    """
    seen = {_identity(root)}
    if data_dir.exists():
        seen.add(_identity(data_dir))
    if _identity(data_dir) == _identity(root):
        raise SourceError(f"{root} is the data folder itself", remedy="name a folder of photographs")
    inside = os.path.realpath(root)
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(root, below)) as listing:  # noqa: PTH118 - as above
                found = sorted(listing, key=lambda item: natural(item.name))
        except OSError as exc:
            if not below:
                raise SourceError(
                    f"{as_text(str(root))} cannot be read: {exc.strerror}", remedy="check the permissions"
                ) from exc
            counts.unreadable_folders += 1
            counts.complain(as_text(below), f"folder cannot be read: {exc.strerror}")
            continue
        folders = []
        for item in found:
            name = f"{below}/{item.name}" if below else item.name
            if item.name.startswith(".") or item.name.casefold() in HIDDEN:
                counts.hidden += 1
            elif _is_folder(item):
                if _is_new(item, inside, seen):
                    folders.append(name)
                else:
                    counts.linked += 1
            elif suffix_of(item.name) in PHOTO_SUFFIXES:
                yield name
            else:
                counts.skipped[suffix_of(item.name) or "no ending"] += 1
        waiting.extend(reversed(folders))


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:
        return False  # a link in circles; reading it as a file tells why


def _is_new(item: os.DirEntry[str], inside: str, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder is to be walked: a link into the imported folder never is, its target is."""
    if item.is_symlink():
        target = os.path.realpath(item.path)
        if target == inside or target.startswith(inside + os.sep):
            return False
    identity = _identity(item.path)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _identity(path: str | Path) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (-1, -1)  # listing it tells why
    return found.st_dev, found.st_ino
