"""A Camtrap DP package as it lies there: its descriptor, its tables and its files, in a folder or a zip."""

from __future__ import annotations

import json
import lzma
import os
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.reading import csv_file
from importers.reading.image_root import is_outside
from importers.reading.paths import as_text
from pipeline.errors import SourceError

DESCRIPTOR = "datapackage.json"
MEDIA_FOLDER = "media"
COLUMNS = {  # of each table, those without which it says nothing
    "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath", "fileMediatype"),
    "observations": (
        "observationID",
        "deploymentID",
        "mediaID",
        "eventStart",
        "eventEnd",
        "observationLevel",
        "observationType",
    ),
}
_MOST_DESCRIPTOR = 256 * 1024 * 1024  # bytes
_MISSING = frozenset({"", "NaN", "nan"})  # what the standard takes for no value
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that Python lacks
    RuntimeError,  # an encrypted member
)

Place = Path | zipfile.Path


@dataclass(frozen=True, kw_only=True)
class Package:
    """An opened package."""

    path: Path  # the folder, or the zip file
    base: Place  # the folder that holds the descriptor
    name: str  # as the package calls itself, else by its file name
    tables: Mapping[str, Place]

    def rows(self, table: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Every row of a table by column, with where it stands; columns without a value are left out.

        Raises SourceError where the file is no such table, also in the middle.
        """
        place = self.tables[table]
        with _undamaged(self.path):
            for line, row in csv_file.rows(place, COLUMNS[table]):
                given = {name: value for name, value in row.items() if value not in _MISSING}
                if any("\x00" in value for value in given.values()):  # else UTF-8 has nothing to write out
                    given = {name: as_text(value) for name, value in given.items()}
                yield f"{place.name} line {line}", given

    def check(self) -> None:
        """Raise SourceError where a table cannot be opened or lacks a column."""
        for table in COLUMNS:
            next(self.rows(table), None)

    def path_of(self, name: str) -> str:
        """Where a file of the package lies: its path, or the URL by which fsspec reads it in the zip."""
        if isinstance(self.base, zipfile.Path):
            return f"zip://{self.base.at}{name}::{self.path}"
        return f"{self.base}/{name}"

    def media(self) -> Iterator[str]:
        """The files in the package's folder `media`, by name below the package."""
        if isinstance(self.base, zipfile.Path):
            inside = f"{self.base.at}{MEDIA_FOLDER}/"
            for name in self.base.root.namelist():
                if name.startswith(inside) and not name.endswith("/"):
                    yield name[len(self.base.at) :]
            return
        for name in below(self.base / MEDIA_FOLDER):
            yield f"{MEDIA_FOLDER}/{name}"


def below(folder: Path) -> Iterator[str]:
    """Every file below a folder, by name with forward slashes; none where there is no such folder."""
    for path, _, names in os.walk(folder):
        inside = os.path.relpath(path, folder).replace(os.sep, "/")
        for name in names:
            yield name if inside == "." else f"{inside}/{name}"


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """The package at `path`: a folder, its datapackage.json, or a zip of it.

    Raises SourceError where it is none, or its tables are not as the standard has them.
    """
    path = path.expanduser().resolve()
    if path.name == DESCRIPTOR:
        path = path.parent
    if path.is_dir():
        yield _package(path, path)
        return
    with _undamaged(path):
        archive = _archive(path)
    with archive:
        with _undamaged(path):
            package = _package(path, zipfile.Path(archive, _folder_in(archive, path)))
        yield package


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as exc:
        raise SourceError(
            f"{as_text(str(path))} cannot be read: {exc.strerror or exc}",
            remedy="name a folder or zip file that holds datapackage.json",
        ) from exc


def _folder_in(archive: zipfile.ZipFile, path: Path) -> str:
    """The folder within the zip that holds the descriptor: the outermost one, with a slash at its end."""
    found = [name for name in archive.namelist() if name.rpartition("/")[2] == DESCRIPTOR]
    if not found:
        raise _no_descriptor(path)
    return min(found, key=lambda name: (name.count("/"), name))[: -len(DESCRIPTOR)]


def _package(path: Path, base: Place) -> Package:
    descriptor = _descriptor(path, base)
    tables = {table: _table(path, base, descriptor, table) for table in COLUMNS}
    name = descriptor.get("name")
    own = as_text(name).strip() if isinstance(name, str) else ""
    package = Package(path=path, base=base, name=own or as_text(path.stem), tables=tables)
    package.check()
    return package


def _descriptor(path: Path, base: Place) -> Mapping[str, Any]:
    try:
        with (base / DESCRIPTOR).open("rb") as file:
            loaded = json.loads(file.read(_MOST_DESCRIPTOR).decode("utf-8-sig"))
    except FileNotFoundError as exc:
        raise _no_descriptor(path) from exc
    except OSError as exc:
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} cannot be read: {exc.strerror}", remedy="check the path"
        ) from exc
    except (ValueError, RecursionError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} is no JSON, or cut short: {reason}", remedy="write it again"
        ) from exc
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("resources"), list):
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} has no list `resources`",
            remedy="is it a Camtrap DP package of version 1.0?",
        )
    return loaded


def _table(path: Path, base: Place, descriptor: Mapping[str, Any], table: str) -> Place:
    """Where a table lies. Raises SourceError where the descriptor does not name a file of the package."""
    where = f"{as_text(str(path))}: {DESCRIPTOR}"
    resources = [one for one in descriptor["resources"] if isinstance(one, Mapping)]
    resource = next((one for one in resources if one.get("name") == table), None)
    if resource is None:
        raise SourceError(
            f"{where} has no resource {table}", remedy="is it a Camtrap DP package of version 1.0?"
        )
    given = resource.get("path")
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str) or not given:
        raise SourceError(f"{where}: resource {table} names no file", remedy="write it as one CSV file")
    name = posixpath.normpath(as_text(given.replace("\\", "/")))
    if is_outside(name) or "://" in given:
        raise SourceError(
            f"{where}: resource {table} lies outside the package: {as_text(given)}",
            remedy="put the file into the package",
        )
    place = base / name
    try:
        is_there = place.is_file()
    except OSError:  # a name that is too long, say
        is_there = False
    if not is_there:
        raise SourceError(f"{as_text(str(path))}: {name} is missing", remedy=f"{DESCRIPTOR} names it")
    return place


def _no_descriptor(path: Path) -> SourceError:
    return SourceError(
        f"{as_text(str(path))} holds no {DESCRIPTOR}",
        remedy="name the folder or zip file of a Camtrap DP package",
    )


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """What a damaged zip raises, as a SourceError that names it."""
    try:
        yield
    except _ZIP_DAMAGE as exc:
        reason = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise SourceError(f"{as_text(str(path))} is damaged: {reason}", remedy="fetch it again") from exc
