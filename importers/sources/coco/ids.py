"""The ids and file names of COCO files, in a scratch database: each found once, annotations find images."""

from __future__ import annotations

import sqlite3

_TABLES = """
CREATE TABLE image (file INTEGER, id TEXT, place INTEGER, PRIMARY KEY (file, id)) WITHOUT ROWID;
CREATE TABLE photograph (file_name TEXT PRIMARY KEY, file INTEGER) WITHOUT ROWID;
CREATE TABLE annotation (file INTEGER, id TEXT, PRIMARY KEY (file, id)) WITHOUT ROWID;
BEGIN;
"""


class Ids:
    """Ids of image and annotation records; files are told apart by number."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` is of an empty scratch database."""
        self._connection = connection
        connection.executescript(_TABLES)

    def add_image(self, file: int, id_: str, place: int) -> bool:
        """Keep the place of an image record in the list of its file; False if the file has the id already."""
        statement = "INSERT OR IGNORE INTO image VALUES (?, ?, ?)"
        return self._connection.execute(statement, (file, id_, place)).rowcount == 1

    def add_file_name(self, file: int, file_name: str) -> int | None:
        """Keep the name of a photograph; the number of the file that has it already, None if none has."""
        statement = "INSERT OR IGNORE INTO photograph VALUES (?, ?)"
        if self._connection.execute(statement, (file_name, file)).rowcount:
            return None
        query = "SELECT file FROM photograph WHERE file_name = ?"
        (first,) = self._connection.execute(query, (file_name,)).fetchone()
        return int(first)

    def add_annotation(self, file: int, id_: str) -> bool:
        """Keep the id of an annotation; False if the file has it already."""
        statement = "INSERT OR IGNORE INTO annotation VALUES (?, ?)"
        return self._connection.execute(statement, (file, id_)).rowcount == 1

    def place_of_image(self, file: int, id_: str) -> int | None:
        """The place of an image record in the list of its file, None if the file has no such image."""
        query = "SELECT place FROM image WHERE file = ? AND id = ?"
        found = self._connection.execute(query, (file, id_)).fetchone()
        return None if found is None else int(found[0])
