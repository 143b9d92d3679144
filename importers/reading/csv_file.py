"""CSV files of any size, read row by row; problems of the file are SourceErrors that name it.

Columns are separated by commas, semicolons or tabs, and a file may be compressed by gzip.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from importers.reading.bad_record import LeaveOut
from importers.reading.paths import as_text
from pipeline.camtrap_dp import number_of
from pipeline.errors import SourceError

csv.field_size_limit(16 * 1024 * 1024)  # characters: one field can be a list of boxes

NOT_AVAILABLE = ("NA",)  # how R writes that there is no value

_GZIP = b"\x1f\x8b"  # the first bytes
_DELIMITERS = ("\t", ";", ",")  # where two give as many columns, the first: a comma may be decimal
_LONGEST_LINE = 64 * 1024 * 1024  # characters
_HEAD = 16  # lines in which the first row must begin and end
_SHOWN = 12  # columns that an error lists


@contextmanager
def opened(path: Path | zipfile.Path, encoding: str = "utf-8-sig") -> Iterator[io.TextIOWrapper]:
    """The text of a file, which may be a member of a zip, unpacked if it is compressed by gzip.

    Errors are those of the file, of gzip (EOFError, zlib.error) and of the encoding.
    """
    with path.open("rb") as raw:
        is_packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        data = gzip.GzipFile(fileobj=raw) if is_packed else raw
        with io.TextIOWrapper(data, encoding=encoding, newline="") as text:
            yield text


def bounded(file: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file, one at a time in memory. Raises csv.Error for one that no table has."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"a line has more than {_LONGEST_LINE:,} characters")
        yield line


def lines(path: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of its (last) line, from 1.

    The first of them decides which character separates columns. The file is UTF-8, with or without a
    byte-order mark, and may be a member of a zip; the caller handles errors of the zip itself. Raises
    SourceError if the file cannot be read.
    """
    try:
        with opened(path) as file:
            text = bounded(file)
            head = list(islice(text, _HEAD))
            reader = csv.reader(chain(head, text), delimiter=_delimiter(head))
            for row in reader:
                if any(field.strip() for field in row):
                    yield reader.line_num, row
    except (OSError, EOFError, zlib.error) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or exc
        raise SourceError(f"{path} cannot be read: {reason}", remedy="check the path") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(
            f"{path} is not UTF-8: {exc.reason}",
            remedy="save it as UTF-8; spreadsheets call this format CSV UTF-8",
        ) from exc
    except csv.Error as exc:
        raise SourceError(f"{path} is not a CSV file: {exc}", remedy="export it again") from exc


def rows(
    path: Path | zipfile.Path, required: Sequence[str], *, missing: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row below the header by column, with its line number; missing fields are empty.

    `missing` are the texts that mean no value, beside none at all. Raises SourceError if the file is empty
    or its header lacks a column of `required`.
    """
    numbered = lines(path)
    header = next(numbered, None)
    if header is None:
        raise SourceError(f"{path} is empty", remedy=f"its first line must name {', '.join(required)}")
    names = [name.strip() for name in header[1]]
    absent = [name for name in required if name not in names]
    if absent:
        found = as_text(", ".join(names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
        raise SourceError(
            f"{path} has no column {', '.join(absent)}; its first line names {found[:400]}",
            remedy=f"name the columns {', '.join(required)} in the first line, in these letters",
        )
    for number, row in numbered:
        fields = [*row, *[""] * (len(names) - len(row))]
        values = ("" if value.strip() in missing else value.strip() for value in fields)
        yield number, dict(zip(names, values, strict=False))


def number_in(
    row: Mapping[str, str], column: str, least: float, most: float, leave_out: LeaveOut
) -> float | None:
    """The number in a column, with a decimal point or comma; None if there is none.

    What is not a number from `least` to `most` is left out.
    """
    text = row.get(column)
    if text is None:
        return None
    value = number_of(text)
    if value is not None and least <= value <= most:
        return value
    leave_out(column, f"{column} {text[:40]!r} is not a number from {least:g} to {most:g}")
    return None


def _delimiter(head: Sequence[str]) -> str:
    """The character that makes most columns of the first row in these lines."""

    def columns(delimiter: str) -> int:
        return next((len(row) for row in csv.reader(head, delimiter=delimiter) if row), 0)

    return max(_DELIMITERS, key=columns)
