"""The rows of a table by photograph, and the file of each, in a scratch database: tables may be of any size.

A table names its photographs by addresses: paths on another computer, URLs, or bare file names. The file is
looked for below the folder of photographs by the end of the address, then by its name alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from importers.reading.paths import LONGEST
from importers.reading.scratch import scratch_database
from pipeline.store.database import chunks

BATCH = 5_000  # rows in one statement
MOST_FILES = 1_000  # of one name that are considered
AMBIGUOUS = ("missing", "several files or photographs have its name")  # kind and detail of the failure

_TABLES = """
CREATE TABLE photograph (
    number INTEGER PRIMARY KEY, key TEXT UNIQUE, camera TEXT, sequence TEXT, time TEXT, frame INTEGER,
    frames INTEGER
);
CREATE TABLE row (number INTEGER PRIMARY KEY, photograph INTEGER, cells TEXT);
CREATE TABLE sequence_row (number INTEGER PRIMARY KEY, sequence TEXT, cells TEXT);
CREATE TABLE address (photograph INTEGER, place INTEGER, path TEXT, name TEXT, camera TEXT);
CREATE TABLE file (path TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
"""
_JOINED = """
CREATE INDEX row_photograph ON row (photograph);
CREATE INDEX sequence_row_sequence ON sequence_row (sequence);
CREATE INDEX address_photograph ON address (photograph, place);
CREATE INDEX address_name ON address (name, camera);
CREATE INDEX file_name ON file (name);
CREATE TABLE placed AS SELECT number, row_number() OVER (PARTITION BY sequence ORDER BY time, number) - 1
    AS frame, count(*) OVER (PARTITION BY sequence) AS frames FROM photograph WHERE sequence IS NOT NULL;
UPDATE photograph SET frame = placed.frame, frames = placed.frames FROM placed
    WHERE placed.number = photograph.number;
"""

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PhotographRow:
    """A photograph with all its rows."""

    key: str
    rows: Sequence[Row]  # at least one, in the order of the table
    sequence_rows: Sequence[Row]  # of its sequence
    addresses: Sequence[str]
    sequence: str | None
    frame: int | None  # from 0, within its sequence
    frames: int | None  # in the sequence


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search for a file came to."""

    name: str | None  # None if there is none, or if it cannot be told which
    is_ambiguous: bool = False


class PhotographRows:
    """The scratch tables of one import: first everything is added, then `join`, then it is read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLES)
        connection.execute("BEGIN")  # until `join`: one transaction for all rows

    def add(
        self,
        key: str,
        row: Row,
        addresses: Sequence[str],
        *,
        camera: str | None = None,
        sequence: str | None = None,
        time: str = "",
    ) -> None:
        """Add a row of the photograph `key`.

        `addresses` are those of the photograph, the surest first. `camera` is its station or deployment, and
        `time` sorts the photographs of a sequence.
        """
        added = self._connection.execute(
            "INSERT OR IGNORE INTO photograph (key, camera, sequence, time) VALUES (?, ?, ?, ?)",
            (key, camera, sequence, time),
        )
        is_first = bool(added.rowcount)
        number = (
            added.lastrowid if is_first else self._one("SELECT number FROM photograph WHERE key = ?", key)
        )
        self._connection.execute(
            "INSERT INTO row (photograph, cells) VALUES (?, ?)", (number, json.dumps(row))
        )
        if is_first:
            possible = (address[-LONGEST:].replace("\\", "/") for address in addresses if address)
            paths = dict.fromkeys(possible)
            self._connection.executemany(
                "INSERT INTO address VALUES (?, ?, ?, ?, ?)",
                [(number, place, path, _last(path), camera) for place, path in enumerate(paths)],
            )

    def add_of_sequence(self, sequence: str, row: Row) -> None:
        """Add a row of a whole sequence."""
        self._connection.execute(
            "INSERT INTO sequence_row (sequence, cells) VALUES (?, ?)", (sequence, json.dumps(row))
        )

    def add_files(self, names: Iterable[str]) -> None:
        """Add the names of files, which may be photographs, with forward slashes."""
        for batch in chunks(((name, _last(name)) for name in names), BATCH):
            self._connection.executemany("INSERT OR IGNORE INTO file VALUES (?, ?)", batch)

    def join(self) -> None:
        """Number the photographs of each sequence, after the last row and file."""
        self._connection.executescript(_JOINED)

    def __len__(self) -> int:
        return self._one("SELECT count(*) FROM photograph")

    def __iter__(self) -> Iterator[PhotographRow]:
        """Every photograph, in the order of the table."""
        found = self._connection.execute(
            "SELECT number, key, sequence, frame, frames FROM photograph ORDER BY number"
        )
        for number, key, sequence, frame, frames in found:
            rows = self._column("SELECT cells FROM row WHERE photograph = ? ORDER BY number", number)
            of_sequence = self._column(
                "SELECT cells FROM sequence_row WHERE sequence = ? ORDER BY number", sequence
            )
            yield PhotographRow(
                key=key,
                rows=[json.loads(cells) for cells in rows],
                sequence_rows=[json.loads(cells) for cells in of_sequence],
                addresses=self._column(
                    "SELECT path FROM address WHERE photograph = ? ORDER BY place", number
                ),
                sequence=sequence,
                frame=frame,
                frames=frames,
            )

    def file_of(self, photograph: PhotographRow, folders: Collection[str] = ()) -> Found:
        """The file of a photograph.

        That is the one whose whole name is the end of an address, if no other photograph has that end; else
        the only one of its file name, or the only one in a folder that is called like one of `folders`. A
        file name that several photographs of a camera have tells none.
        """
        for address in photograph.addresses:
            parts = address.split("/")
            for start in range(len(parts)):
                end = "/".join(parts[start:])
                if self._one("SELECT count(*) FROM file WHERE path = ?", end) and self._is_only(end):
                    return Found(name=end)
        is_ambiguous = False
        for name in dict.fromkeys(map(_last, photograph.addresses)):
            files = self._column(
                "SELECT path FROM file WHERE name = ? ORDER BY path LIMIT ?", name, MOST_FILES
            )
            in_folder = [path for path in files if not set(folders).isdisjoint(path.split("/")[:-1])]
            only = files if len(files) == 1 and self._is_only(name) else in_folder
            if len(only) == 1 and self._is_only_of_camera(name, photograph.key):
                return Found(name=only[0])
            is_ambiguous |= bool(files)
        return Found(name=None, is_ambiguous=is_ambiguous)

    def _is_only(self, end: str) -> bool:
        """Whether only one photograph has an address that ends so."""
        with_end = (
            "SELECT count(*) FROM (SELECT DISTINCT photograph FROM address WHERE name = ? "
            "AND (path = ? OR substr(path, -length(?) - 1) = '/' || ?) LIMIT 2)"
        )
        return self._one(with_end, _last(end), end, end, end) == 1

    def _is_only_of_camera(self, name: str, key: str) -> bool:
        """Whether no other photograph of the same camera has this file name."""
        with_name = (
            "SELECT count(*) FROM (SELECT DISTINCT photograph FROM address WHERE name = ? "
            "AND camera IS (SELECT camera FROM photograph WHERE key = ?) LIMIT 2)"
        )
        return self._one(with_name, name, key) == 1

    def _one(self, query: str, *values: object) -> int:
        (number,) = self._connection.execute(query, values).fetchone()
        return int(number)

    def _column(self, query: str, *values: object) -> list[str]:
        return [row[0] for row in self._connection.execute(query, values)]


@contextmanager
def opened() -> Iterator[PhotographRows]:
    """Scratch tables for the duration of the block. Raises StoreError if the disk is full."""
    with scratch_database() as connection:
        yield PhotographRows(connection)


def _last(path: str) -> str:
    return path.rpartition("/")[2]
