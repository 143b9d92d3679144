"""The ids and file names of COCO files in a scratch database, to find duplicates and images by id."""

from __future__ import annotations

import sqlite3

_TABLES = """
CREATE TABLE image (file INTEGER, id TEXT, place INTEGER, PRIMARY KEY (file, id)) WITHOUT ROWID;
CREATE TABLE photograph (file_name TEXT PRIMARY KEY, file INTEGER) WITHOUT ROWID;
CREATE TABLE annotation (file INTEGER, id TEXT, PRIMARY KEY (file, id)) WITHOUT ROWID;
BEGIN;
"""


class Ids:
    """The ids of image and annotation records by the number of their file, and the names of photographs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` is a connection to an empty scratch database."""
        connection.executescript(_TABLES)
        self._cursor = connection.cursor()

    def add_image(self, file: int, id_: str, place: int) -> bool:
        """Add an image record by its place in the list of its file; False if the file has the id already."""
        statement = "INSERT OR IGNORE INTO image VALUES (?, ?, ?)"
        return self._cursor.execute(statement, (file, id_, place)).rowcount == 1

    def add_file_name(self, file: int, file_name: str) -> int | None:
        """Add the name of a photograph; returns the number of the file that has it already, else None."""
        statement = "INSERT OR IGNORE INTO photograph VALUES (?, ?)"
        if self._cursor.execute(statement, (file_name, file)).rowcount:
            return None
        query = "SELECT file FROM photograph WHERE file_name = ?"
        (first,) = self._cursor.execute(query, (file_name,)).fetchone()
        return int(first)

    def add_annotation(self, file: int, id_: str) -> bool:
        """Add the id of an annotation; False if the file has it already."""
        statement = "INSERT OR IGNORE INTO annotation VALUES (?, ?)"
        return self._cursor.execute(statement, (file, id_)).rowcount == 1

    def place_of_image(self, file: int, id_: str) -> int | None:
        """The place of an image record in the list of its file, None if the file has no such image."""
        query = "SELECT place FROM image WHERE file = ? AND id = ?"
        row = self._cursor.execute(query, (file, id_)).fetchone()
        return None if row is None else int(row[0])
