"""What is known of categories as taxa: scientific names, ranks, ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.records import Taxon
from pipeline.store import categories
from pipeline.store.database import insert_new
from pipeline.store.schema import taxon

_FIELDS = tuple(field.name for field in fields(Taxon) if field.name != "category")


def save(conn: sa.Connection, taxa: Iterable[Taxon]) -> None:
    """Store the taxa; their categories are created if needed.

    What is missing in a taxon keeps its stored value. What the manager's species list said (`source` is
    None) is changed by another species list alone.
    """
    by_name = {record.category: record for record in taxa}
    numbers = categories.ensure(conn, by_name)
    rows = {numbers[name]: _row(record) for name, record in by_name.items() if name in numbers}
    stored = _stored(conn)
    insert_new(
        conn, taxon, [{"category_id": number, **row} for number, row in rows.items() if number not in stored]
    )
    for number in rows.keys() & stored.keys():
        new, old = rows[number], stored[number]
        is_list, was_list = new["source"] is None, old["source"] is None
        first, then = (old, new) if was_list and not is_list else (new, old)
        merged = {name: then[name] if first[name] in (None, {}) else first[name] for name in _FIELDS}
        merged["source"] = None if is_list or was_list else new["source"]
        conn.execute(sa.update(taxon).where(taxon.c.category_id == number).values(merged))


def all(conn: sa.Connection) -> dict[int, Taxon]:
    """Every taxon by the number of its category."""
    names = categories.names(conn)
    return {
        number: Taxon(category=names[number], **{name: _filled(name, row[name]) for name in _FIELDS})
        for number, row in _stored(conn).items()
    }


def _stored(conn: sa.Connection) -> dict[int, Mapping[Any, Any]]:
    return {row["category_id"]: row for row in conn.execute(sa.select(taxon)).mappings()}


def _row(record: Taxon) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _FIELDS}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in row.items()}


def _filled(name: str, value: Any) -> Any:
    return {} if value is None and name in ("vernacular_names", "lineage", "details") else value
