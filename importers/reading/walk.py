"""Lists every photograph below a local folder, in natural order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from importers.reading.paths import PHOTO_SUFFIXES, as_text, natural, suffix_of
from pipeline.errors import SourceError

EXAMPLES = 5
# Folders that network drives, computers, archives and Timelapse make: no photographs of the user, or deleted.
HIDDEN = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx", "deletedfiles"}
)


@dataclass(kw_only=True)
class WalkCounts:
    """Counts of what a walk skips, and the first few problems."""

    skipped: Counter[str] = field(default_factory=Counter)  # other files, by ending
    hidden: int = 0  # hidden files and folders, by name
    linked: int = 0  # folders reached a second time through a link
    unreadable_folders: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)  # the first problems: file and problem

    def complain(self, name: str, what: str) -> None:
        """Keep the problem if it is one of the first few."""
        if len(self.examples) < EXAMPLES:
            self.examples.append((name, what))


def walk(
    root: Path, data_dir: Path, counts: WalkCounts, *, suffixes: Set[str] = PHOTO_SUFFIXES
) -> Iterator[str]:
    """The names below `root`, with forward slashes, of files with one of these endings.

    The files of a folder come before its folders, each in natural order. Links are followed, but no folder
    is walked twice, and the data folder not at all. Skipped files and folders are counted in `counts`.
    Raises SourceError if `root` cannot be read or is the data folder.
    """
    seen = {_identity(root)}
    if data_dir.exists():
        seen.add(_identity(data_dir))
    if _identity(data_dir) == _identity(root):
        raise SourceError(f"{root} is the data folder", remedy="name a folder of photographs")
    real_root = os.path.realpath(root)
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as listing:  # noqa: PTH118 - scandir takes text
                items = sorted(listing, key=lambda item: natural(item.name))
        except OSError as exc:
            if not folder:
                raise SourceError(
                    f"{as_text(str(root))} cannot be read: {exc.strerror}", remedy="check the permissions"
                ) from exc
            counts.unreadable_folders += 1
            counts.complain(as_text(folder), f"folder cannot be read: {exc.strerror}")
            continue
        subfolders = []
        for item in items:
            name = f"{folder}/{item.name}" if folder else item.name
            if is_hidden(item.name):
                counts.hidden += 1
            elif _is_folder(item):
                if _is_new(item, real_root, seen):
                    subfolders.append(name)
                else:
                    counts.linked += 1
            elif suffix_of(item.name) in suffixes:
                yield name
            else:
                counts.skipped[suffix_of(item.name) or "no ending"] += 1
        pending.extend(reversed(subfolders))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(".") or name.casefold() in HIDDEN


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:
        return False  # a link to itself; reading it as a file reports the reason


def _is_new(item: os.DirEntry[str], real_root: str, seen: set[tuple[int, int]]) -> bool:
    """Whether to walk a folder: not a link into the imported folder, whose target is walked itself."""
    if item.is_symlink():
        target = os.path.realpath(item.path)
        if target == real_root or target.startswith(real_root + os.sep):
            return False
    identity = _identity(item.path)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _identity(path: str | Path) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return (-1, -1)  # listing it reports the reason
    return status.st_dev, status.st_ino
