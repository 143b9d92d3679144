"""A scratch database for joins of tables that may not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StoreError

_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"  # 64 MiB


@contextmanager
def scratch_database() -> Iterator[sqlite3.Connection]:
    """An empty SQLite database for the duration of the block, in a temporary file without a name.

    The block begins its own transactions. Raises StoreError if the disk is full.
    """
    connection = sqlite3.connect("", isolation_level=None)
    try:
        connection.executescript(_SETTINGS)
        yield connection
    except sqlite3.Error as exc:
        raise StoreError(
            f"the scratch tables of the import failed: {exc}",
            remedy="make room in the folder for temporary files, or set TMPDIR to another",
        ) from exc
    finally:
        connection.close()
