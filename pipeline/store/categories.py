"""Categories and their numbers, shared by all projects. 0 is `empty`; a number never changes.

A category can be merged into another: from then on its name is another name of that one. Rows of the
oracle keep the number they were written with, and every reader resolves it, so that no label is lost.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pipeline.records import EMPTY, category_name
from pipeline.store.database import insert_new, lock
from pipeline.store.schema import category


def ensure(conn: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """The number of each name (normalized by `category_name`), and of `empty`, which is 0.

    New names get the next free numbers in the given order. The name of a merged category has the number
    of the category that it was merged into.
    """
    lock(conn, "categories")
    rows = conn.execute(sa.select(category.c.id, category.c.name, category.c.merged_into)).all()
    stored = {row.name: row.id if row.merged_into is None else row.merged_into for row in rows}
    wanted = dict.fromkeys([EMPTY, *map(category_name, names)])
    free = max((row.id for row in rows), default=0) + 1
    new = []
    for name in wanted:
        if name not in stored:
            stored[name] = 0 if name == EMPTY else free
            free += name != EMPTY
            new.append({"id": stored[name], "name": name})
    insert_new(conn, category, new)
    return {name: stored[name] for name in wanted}


def names(conn: sa.Connection) -> dict[int, str]:
    """The name of every category by its number; a merged one has the name of what it was merged into."""
    target = category.alias()
    query = (
        sa.select(category.c.id, sa.func.coalesce(target.c.name, category.c.name).label("name"))
        .join(target, target.c.id == category.c.merged_into, isouter=True)
        .order_by(category.c.id)
    )
    return {row.id: row.name for row in conn.execute(query)}


def own_names(conn: sa.Connection) -> dict[int, str]:
    """The name that every category has itself, merged or not, by its number."""
    return {row.id: row.name for row in conn.execute(sa.select(category.c.id, category.c.name))}


def numbers(conn: sa.Connection) -> dict[str, int]:
    """The number of every name, including those of merged categories, which have that of their target."""
    resolved = sa.func.coalesce(category.c.merged_into, category.c.id)
    return {
        row.name: row.number for row in conn.execute(sa.select(category.c.name, resolved.label("number")))
    }


def resolved(conn: sa.Connection) -> dict[int, int]:
    """The number of every category: its own, or that of the one that it was merged into."""
    query = sa.select(category.c.id, sa.func.coalesce(category.c.merged_into, category.c.id).label("number"))
    return {row.id: row.number for row in conn.execute(query)}


def merge(conn: sa.Connection, former: Iterable[str], into: str) -> set[int]:
    """Make the names `former` other names of the category `into`; returns the numbers merged into it.

    Names that are new become categories first. What was merged into one of `former` follows. If `into` was
    itself merged into another, it is separated from it. Call `oracle.update_labels` afterwards with the
    detections that have a label with one of these numbers (see `oracle.labelled_as`). `empty` can be a
    target, and is never merged into another: its name in `former` raises ValueError.
    """
    others = {category_name(name) for name in former} - {category_name(into)}
    if EMPTY in others:
        raise ValueError(f"{EMPTY} cannot be merged into another category")
    ensure(conn, [*sorted(others), into])
    number = {row.name: row.id for row in conn.execute(sa.select(category.c.id, category.c.name))}
    target = number[category_name(into)]
    conn.execute(sa.update(category).where(category.c.id == target).values(merged_into=None))
    sources = {number[name] for name in others}
    moved = sa.or_(category.c.id.in_(sources), category.c.merged_into.in_(sources)) & (
        category.c.id != target
    )
    conn.execute(sa.update(category).where(moved).values(merged_into=target))
    return set(conn.scalars(sa.select(category.c.id).where(category.c.merged_into == target)))
