"""The tables of a download from Wildlife Insights, in a folder or a zip."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from importers.reading import csv_file, zip_file
from importers.reading.paths import as_text
from importers.reading.zip_file import undamaged
from pipeline.errors import SourceError

_TABLE = re.compile(r"(images|sequences|deployments|cameras|projects)(?![a-z]).*\.csv(\.gz)?", re.IGNORECASE)
_MISSING = frozenset({"", "na", "nan", "null"})
_REMEDY = "name the folder or the zip of a download, with its images.csv"
FilePath = Path | zipfile.Path


@dataclass(frozen=True, kw_only=True)
class Download:
    """An opened download."""

    path: Path  # the folder, or the zip file
    tables: dict[str, list[FilePath]]  # by the beginning of their names, which large projects split

    @property
    def folder(self) -> Path:
        """The folder of the download, or of its zip."""
        return self.path if self.path.is_dir() else self.path.parent

    def rows(self, table: str, required: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, str]]]:
        """The place and the filled columns of every row of a table; none if the download lacks it.

        Raises SourceError, also after some rows, if a file is not such a table.
        """
        for path in self.tables.get(table, ()):
            with undamaged(self.path):
                for line, row in csv_file.rows(path, required):
                    filled = {name: as_text(value) for name, value in row.items() if _is_filled(value)}
                    yield f"{path.name} line {line}", filled


@contextmanager
def opened(path: Path) -> Iterator[Download]:
    """The download at `path`: a folder, its images.csv, or a zip of it. Raises SourceError."""
    path = path.expanduser().resolve()
    if path.is_file() and _TABLE.fullmatch(path.name):
        path = path.parent
    if path.is_dir():
        yield _download(path, [file for file in path.rglob("*.csv*") if file.is_file()])
        return
    with zip_file.archive(path, _REMEDY) as archive:
        with undamaged(path):
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            download = _download(path, [zipfile.Path(archive, name) for name in names])
        yield download


def _download(path: Path, files: Sequence[FilePath]) -> Download:
    """The tables in the outermost folder that has a table of images. Raises SourceError."""
    found = [(file, match[1].lower()) for file in files if (match := _TABLE.fullmatch(file.name))]
    folders = {str(file.parent) for file, table in found if table == "images"}
    if not folders:
        raise SourceError(f"{as_text(str(path))} has no table images.csv", remedy=_REMEDY)
    folder = min(folders, key=lambda name: (len(name.rstrip("/").split("/")), name))
    tables: dict[str, list[FilePath]] = {}
    for file, table in sorted(found, key=lambda item: item[0].name):
        if str(file.parent) == folder:
            tables.setdefault(table, []).append(file)
    return Download(path=path, tables=tables)


def _is_filled(value: str) -> bool:
    return value.lower() not in _MISSING
