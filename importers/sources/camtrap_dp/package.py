"""The files of a Camtrap DP package, in a folder or a zip: its descriptor, its tables and its media."""

from __future__ import annotations

import base64
import json
import os
import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.reading import zip_file
from importers.reading.image_root import is_outside
from importers.reading.paths import as_text
from importers.reading.zip_file import undamaged
from importers.sources.camtrap_dp.table import FilePath, Table, table_of
from pipeline.camtrap_dp import DESCRIPTOR, FILES, PROVENANCE, paths_of
from pipeline.errors import SourceError

MEDIA_FOLDER = "media"
COLUMNS = {  # of each table, those that must be there
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
_OTHER_DESCRIPTOR = "metadata.json"  # what some programs call it
_MOST_DESCRIPTOR = 256 * 1024 * 1024  # bytes
_MOST_FILES = 16 * 1024 * 1024  # bytes of further resources that are kept for exports


@dataclass(frozen=True, kw_only=True)
class Package:
    """An opened package."""

    path: Path  # the folder, or the zip file
    base: FilePath  # the folder of the descriptor
    name: str  # in the descriptor, else the file name
    descriptor: Mapping[str, Any]
    tables: Mapping[str, Table]

    @property
    def provenance(self) -> str:
        """The source of what the package says."""
        return f"{PROVENANCE}{self.name}"

    def rows(self, table: str) -> Iterator[tuple[str, dict[str, str]]]:
        """The place and the filled columns of every row of a table.

        Raises SourceError, also after some rows, if the file is not such a table.
        """
        with undamaged(self.path):
            for line, row in self.tables[table].rows(COLUMNS[table]):
                yield f"{self.tables[table].path.name} line {line}", row

    def stored(self) -> dict[str, Any]:
        """The descriptor with the files of further resources, as far as they lie in the package."""
        files: dict[str, str] = {}
        room = _MOST_FILES
        further = (each for each in self.descriptor["resources"] if isinstance(each, Mapping))
        for path in (path for each in further if each.get("name") not in COLUMNS for path in paths_of(each)):
            name = posixpath.normpath(path)
            if name != path or is_outside(name) or "://" in name or "\\" in name:
                continue
            try:
                with undamaged(self.path), (self.base / name).open("rb") as file:
                    content = file.read(room + 1)
            except OSError:  # it is missing, as it was
                continue
            if len(content) <= room:
                room -= len(content)
                files[name] = base64.b64encode(content).decode()
        return {**self.descriptor, FILES: files} if files else dict(self.descriptor)

    def check(self) -> None:
        """Raise SourceError if a table cannot be opened or lacks a column."""
        for table in COLUMNS:
            next(self.rows(table), None)

    def path_of(self, name: str) -> str:
        """The path of a file of the package, or the URL by which fsspec reads it from the zip."""
        if isinstance(self.base, zipfile.Path):
            return f"zip://{self.base.at}{name}::{self.path}"
        return f"{self.base}/{name}"

    def media(self) -> Iterator[str]:
        """The files in the folder `media`, by their names below the package."""
        if isinstance(self.base, zipfile.Path):
            inside = f"{self.base.at}{MEDIA_FOLDER}/"
            for name in self.base.root.namelist():
                if name.startswith(inside) and not name.endswith("/"):
                    yield name[len(self.base.at) :]
            return
        for name in below(self.base / MEDIA_FOLDER):
            yield f"{MEDIA_FOLDER}/{name}"


def below(folder: Path) -> Iterator[str]:
    """The names of all files below a folder, with forward slashes; none if there is no such folder."""
    for path, _, names in os.walk(folder):
        inside = os.path.relpath(path, folder).replace(os.sep, "/")
        for name in names:
            yield name if inside == "." else f"{inside}/{name}"


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """The package at `path`: a folder, its datapackage.json, or a zip of it.

    Raises SourceError if it is not a package, or a table is missing or lacks a column.
    """
    path = path.expanduser().resolve()
    if path.name == DESCRIPTOR:
        path = path.parent
    if path.is_dir():
        yield _package(path, path)
        return
    with zip_file.archive(path, "name a folder or a zip with a datapackage.json") as archive:
        with undamaged(path):
            package = _package(path, zipfile.Path(archive, _folder_in(archive, path)))
        yield package


def _folder_in(archive: zipfile.ZipFile, path: Path) -> str:
    """The outermost folder in the zip that has a descriptor, with a slash at its end. Raises SourceError."""
    descriptors = [name for name in archive.namelist() if name.rpartition("/")[2] == DESCRIPTOR]
    if not descriptors:
        raise _no_descriptor(path)
    return min(descriptors, key=lambda name: (name.count("/"), name))[: -len(DESCRIPTOR)]


def _package(path: Path, base: FilePath) -> Package:
    """The package with its descriptor in `base`. Raises SourceError."""
    descriptor = _descriptor(path, base)
    tables = {table: _table(path, base, descriptor, table) for table in COLUMNS}
    given = descriptor.get("name")
    name = as_text(given).strip() if isinstance(given, str) else ""
    package = Package(
        path=path, base=base, name=name or as_text(path.stem), descriptor=descriptor, tables=tables
    )
    package.check()
    return package


def _descriptor(path: Path, base: FilePath) -> Mapping[str, Any]:
    """The descriptor with its list of resources. Raises SourceError."""
    try:
        with (base / DESCRIPTOR).open("rb") as file:
            text = file.read(_MOST_DESCRIPTOR).decode("utf-8-sig")
        loaded = json.loads(text, parse_constant=lambda _: None)  # no database takes NaN
    except FileNotFoundError as exc:
        raise _no_descriptor(path) from exc
    except OSError as exc:
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} cannot be read: {exc.strerror}", remedy="check the path"
        ) from exc
    except (ValueError, RecursionError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} is not JSON, or is cut short: {reason}",
            remedy="export the package again",
        ) from exc
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("resources"), list):
        raise SourceError(
            f"{as_text(str(path))}: {DESCRIPTOR} has no list `resources`",
            remedy="use a Camtrap DP package of version 1.0",
        )
    return loaded


def _table(path: Path, base: FilePath, descriptor: Mapping[str, Any], table: str) -> Table:
    """A table. Raises SourceError if the descriptor does not name a file in the package."""
    where = f"{as_text(str(path))}: {DESCRIPTOR}"
    resources = (item for item in descriptor["resources"] if isinstance(item, Mapping))
    resource = next((item for item in resources if item.get("name") == table), None)
    if resource is None:
        raise SourceError(
            f"{where} has no resource {table}", remedy="use a Camtrap DP package of version 1.0"
        )
    given = resource.get("path")
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str) or not given:
        raise SourceError(f"{where}: resource {table} has no path", remedy="export it as one CSV file")
    name = posixpath.normpath(as_text(given.replace("\\", "/")))
    if is_outside(name) or "://" in given:
        raise SourceError(
            f"{where}: resource {table} is outside the package: {as_text(given)}",
            remedy="put the file into the package",
        )
    table_path = base / name
    try:
        is_there = table_path.is_file()
    except OSError:  # for example, the name is too long
        is_there = False
    if not is_there:
        raise SourceError(f"{as_text(str(path))}: {name} is missing", remedy=f"add it: {DESCRIPTOR} names it")
    return table_of(table, table_path, resource)


def _no_descriptor(path: Path) -> SourceError:
    is_elsewhere = (path / _OTHER_DESCRIPTOR).is_file()
    return SourceError(
        f"{as_text(str(path))} has no {DESCRIPTOR}",
        remedy=f"if {_OTHER_DESCRIPTOR} describes the package, rename it to {DESCRIPTOR}"
        if is_elsewhere
        else "name the folder or the zip of a Camtrap DP package",
    )
