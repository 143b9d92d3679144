"""A folder of photographs, walked in natural order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from importers.detectors import Detector
from importers.entries import Entry, ImportOptions
from importers.intake import Intake
from importers.locations import by_folder, by_pattern
from importers.paths import PHOTO_SUFFIXES, as_text, natural, suffix_of
from importers.report import ImportReport
from pipeline.errors import SourceError
from pipeline.store.database import Database

# Folders of network drives, cameras' computers and archives that hold no photographs of the user's.
HIDDEN = frozenset({"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx"})


def import_folder(
    database: Database,
    data_dir: Path,
    root: Path,
    detector: Detector,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every photograph below `root`; `detector` looks at each.

    A rerun reads only what is new, changed or failed before. Raises SourceError where `root` is no
    folder, cannot be read or holds no photograph.
    """
    options = options or ImportOptions()
    root = root.expanduser().resolve()
    if not root.is_dir():
        raise SourceError(f"{as_text(str(root))} is no folder", remedy="name a folder of photographs")
    locate = by_pattern(options.location_pattern) if options.location_pattern else by_folder(root)
    report = ImportReport(source=as_text(str(root)))
    total = sum(1 for _ in walk(root, data_dir, report))  # counting first gives the time left
    if total == 0:
        raise SourceError(
            f"there is no photograph in {report.source}{_instead(report)}",
            remedy=f"photographs end in {', '.join(sorted(PHOTO_SUFFIXES))}",
        )
    entries = (
        Entry(file_name=name, path=os.path.join(root, name))  # noqa: PTH118 - a tenth of Path's cost
        for name in walk(root, data_dir, ImportReport(source=report.source))
    )
    return Intake(database, data_dir, detector, locate, options, report).run(
        entries, total, progress=progress
    )


def walk(root: Path, data_dir: Path, report: ImportReport) -> Iterator[str]:
    """Names below `root`, with forward slashes, of files that end like photographs.

    Files of a folder first, then its folders, each in natural order. No folder is walked twice,
    whatever links say, and never our own data folder. What is passed over is counted in `report`.
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
            report.unreadable_folders += 1
            report.complain(as_text(below), f"folder cannot be read: {exc.strerror}")
            continue
        folders = []
        for item in found:
            name = f"{below}/{item.name}" if below else item.name
            if item.name.startswith(".") or item.name.casefold() in HIDDEN:
                report.hidden += 1
            elif _is_folder(item):
                if _is_new(item, inside, seen):
                    folders.append(name)
                else:
                    report.linked += 1
            elif suffix_of(item.name) in PHOTO_SUFFIXES:
                yield name
            else:
                report.skipped[suffix_of(item.name) or "no ending"] += 1
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


def _instead(report: ImportReport) -> str:
    parts = [f"{number} {kind}" for kind, number in report.skipped.most_common(5)]
    if report.hidden:
        parts.append(f"{report.hidden} hidden")
    return f", only {', '.join(parts)}" if parts else ""
