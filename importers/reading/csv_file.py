"""CSV files of any size, read row by row; what is wrong with the file is a SourceError that names it."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import SourceError

csv.field_size_limit(16 * 1024 * 1024)  # a list of boxes may stand in one field


def lines(path: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of its (last) line, from 1.

    The file may be a member of a zip: damage of the zip itself is the caller's.
    UTF-8, with or without a byte-order mark. Raises SourceError where it cannot be read.
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
        raise SourceError(f"{path} is no CSV: {exc}", remedy="write it again") from exc


def rows(path: Path | zipfile.Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row below the header by column, with its line number; missing fields are empty.

    Raises SourceError where the file is empty or its header lacks one of `required`.
    """
    reading = lines(path)
    header = next(reading, None)
    if header is None:
        raise SourceError(f"{path} is empty", remedy=f"its first line names {', '.join(required)}")
    names = [name.strip() for name in header[1]]
    absent = [name for name in required if name not in names]
    if absent:
        raise SourceError(f"{path} has no column {', '.join(absent)}", remedy="name it in the first line")
    for number, row in reading:
        fields = [*row, *[""] * (len(names) - len(row))]
        yield number, {name: value.strip() for name, value in zip(names, fields, strict=False)}
