"""Reads of the store while others write."""

from __future__ import annotations

from pipeline.store import categories
from pipeline.store.database import Database


def test_a_reader_sees_one_state_although_somebody_writes_meanwhile(database: Database) -> None:
    with database.read() as reader:
        before = categories.names(reader)
        with database.write() as conn:
            categories.ensure(conn, ["moose"])
        assert categories.names(reader) == before
    with database.read() as reader:
        assert "moose" in categories.names(reader).values()
