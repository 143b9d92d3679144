"""One table of a package, read as its resource in the descriptor says: encoding, dialect, compression."""

from __future__ import annotations

import codecs
import csv
import gzip
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.reading import csv_file
from importers.reading.paths import as_text
from pipeline.camtrap_dp import MISSING, TABLES
from pipeline.errors import SourceError

FilePath = Path | zipfile.Path


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a package."""

    name: str  # deployments, media or observations
    path: FilePath
    encoding: str
    format: Mapping[str, Any]  # of csv.reader
    has_header: bool
    comment: str  # what lines begin with that are no rows; empty: every line is one
    missing: frozenset[str]  # texts for a missing value

    def rows(self, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """The line and the filled columns of every row that is not blank.

        Raises SourceError, also after some rows, if the file is not such a table.
        """
        lines = self._lines()
        names = list(TABLES[self.name])
        if self.has_header:
            _, header = next(lines, (0, None))
            if header is None:
                raise SourceError(f"{self.path} is empty", remedy="its first line must name its columns")
            names = [name.strip() for name in header]
        absent = [name for name in required if name not in names]
        if absent:
            raise SourceError(
                f"{self.path} has no column {', '.join(absent)}",
                remedy="name it in the first line; if it is there, correct the `dialect` in datapackage.json",
            )
        for number, fields in lines:
            values = zip(names, map(str.strip, fields), strict=False)
            row = {name: value for name, value in values if value not in self.missing}
            if any(
                "\x00" in value for value in row.values()
            ):  # no database takes it; all else of text can be
                row = {name: as_text(value) for name, value in row.items()}
            yield number, row

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank, with the number of its (last) line, from 1. Raises SourceError."""
        try:
            with csv_file.opened(self.path, self.encoding) as text:
                reader = csv.reader(csv_file.bounded(text), **self.format)
                for row in reader:
                    if self.comment and row and row[0].startswith(self.comment):
                        continue
                    if any(field.strip() for field in row):
                        yield reader.line_num, row
        except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
            if isinstance(self.path, zipfile.Path) and not self.path.name.endswith(".gz"):
                raise  # the zip is damaged
            raise SourceError(f"{self.path} is damaged: {exc}", remedy="export it again") from exc
        except OSError as exc:
            raise SourceError(f"{self.path} cannot be read: {exc.strerror}", remedy="check the path") from exc
        except UnicodeError as exc:
            raise SourceError(
                f"{self.path} is not {self.encoding.removesuffix('-sig').upper()}: "
                f"{getattr(exc, 'reason', exc)}",
                remedy="save it as UTF-8, or name its `encoding` in datapackage.json",
            ) from exc
        except csv.Error as exc:
            raise SourceError(f"{self.path} is not a CSV file: {exc}", remedy="export it again") from exc


def table_of(name: str, path: FilePath, resource: Mapping[str, Any]) -> Table:
    """The table of a resource. Raises SourceError if its encoding or dialect is none."""
    dialect = _mapping(resource.get("dialect"))
    dialect = {**dialect, **_mapping(dialect.get("csv"))}  # where frictionless 5 writes it
    schema = _mapping(resource.get("schema"))
    missing = schema.get("missingValues")
    null = dialect.get("nullSequence")
    table = Table(
        name=name,
        path=path,
        encoding=_encoding(path, resource.get("encoding")),
        format=_format(dialect),
        has_header=dialect.get("header") is not False,
        comment=_character(dialect.get("commentChar")) or "",
        missing=MISSING.union(
            (text for text in missing if isinstance(text, str)) if isinstance(missing, list) else (),
            (null,) if isinstance(null, str) else (),
        ),
    )
    try:
        csv.reader((), **table.format)
    except (TypeError, ValueError, csv.Error) as exc:
        raise SourceError(
            f"{path}: its `dialect` in datapackage.json is none: {exc}", remedy="correct it, or leave it out"
        ) from exc
    return table


def _encoding(path: FilePath, given: Any) -> str:
    """The name of the codec. Raises SourceError."""
    if not isinstance(given, str) or not given.strip():
        return "utf-8-sig"
    try:
        name = codecs.lookup(given.strip()).name
        "".encode(name)  # codecs such as base64 are not of texts
    except (LookupError, ValueError) as exc:
        raise SourceError(
            f"{path}: datapackage.json names the encoding {as_text(given)[:40]!r}, which is unknown",
            remedy="correct it, for example to utf-8",
        ) from exc
    return "utf-8-sig" if name == "utf-8" else name


def _format(dialect: Mapping[str, Any]) -> dict[str, Any]:
    """What csv.reader needs of a dialect; what the dialect leaves out is as in most CSV files."""
    quote = dialect.get("quoteChar", '"')
    return {
        "delimiter": _character(dialect.get("delimiter")) or ",",
        "quotechar": quote or None,
        "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        "doublequote": dialect.get("doubleQuote") is not False,
        "escapechar": _character(dialect.get("escapeChar")),
        "skipinitialspace": dialect.get("skipInitialSpace") is True,
    }


def _character(given: Any) -> str | None:
    r"""A character of a dialect; some programs write a tab as a backslash and a t."""
    return given.replace("\\t", "\t") if isinstance(given, str) and given else None


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}
