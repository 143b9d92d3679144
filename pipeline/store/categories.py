"""Categories and their numbers, shared by all projects. 0 is `empty`; a number never changes."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pipeline.records import EMPTY, category_name
from pipeline.store.database import insert_new, lock
from pipeline.store.schema import category


def ensure(conn: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """The number of each name (normalized by `category_name`), and of `empty`, which is 0.

    New names get the next free numbers in the given order.
    """
    lock(conn, "categories")
    stored = {name: number for number, name in _all(conn)}
    wanted = dict.fromkeys([EMPTY, *map(category_name, names)])
    free = max(stored.values(), default=0) + 1
    rows = []
    for name in wanted:
        if name not in stored:
            stored[name] = 0 if name == EMPTY else free
            free += name != EMPTY
            rows.append({"id": stored[name], "name": name})
    insert_new(conn, category, rows)
    return {name: stored[name] for name in wanted}


def names(conn: sa.Connection) -> dict[int, str]:
    """The name of every category by its number."""
    return dict(_all(conn))


def _all(conn: sa.Connection) -> list[tuple[int, str]]:
    query = sa.select(category.c.id, category.c.name).order_by(category.c.id)
    return [(row.id, row.name) for row in conn.execute(query)]
