"""CSV files of any size, read row by row; problems of the file are SourceErrors that name it."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import SourceError

csv.field_size_limit(16 * 1024 * 1024)  # characters: one field can be a list of boxes


def lines(path: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of its (last) line, from 1.

    The file is UTF-8, with or without a byte-order mark, and may be a member of a zip; the caller handles
    errors of the zip itself. Raises SourceError if the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                if any(field.strip() for field in row):
                    yield reader.line_num, row
    except OSError as exc:
        raise SourceError(f"{path} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"{path} is not UTF-8: {exc.reason}", remedy="save it as UTF-8") from exc
    except csv.Error as exc:
        raise SourceError(f"{path} is not a CSV file: {exc}", remedy="export it again") from exc


def rows(path: Path | zipfile.Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row below the header by column, with its line number; missing fields are empty.

    Raises SourceError if the file is empty or its header lacks a column of `required`.
    """
    numbered = lines(path)
    header = next(numbered, None)
    if header is None:
        raise SourceError(f"{path} is empty", remedy=f"its first line must name {', '.join(required)}")
    names = [name.strip() for name in header[1]]
    absent = [name for name in required if name not in names]
    if absent:
        raise SourceError(f"{path} has no column {', '.join(absent)}", remedy="name it in the first line")
    for number, row in numbered:
        fields = [*row, *[""] * (len(names) - len(row))]
        yield number, {name: value.strip() for name, value in zip(names, fields, strict=False)}
