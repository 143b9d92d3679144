"""What sources say of themselves as a whole, such as the descriptor of a Camtrap DP package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.records import utc_now
from pipeline.store.schema import package


def save(conn: sa.Connection, source: str, descriptor: Mapping[str, Any]) -> None:
    """Store the descriptor of a source, or replace the stored one."""
    conn.execute(sa.delete(package).where(package.c.source == source))
    row = {"source": source, "descriptor": dict(descriptor), "imported_at": utc_now()}
    conn.execute(sa.insert(package).values(row))


def all(conn: sa.Connection) -> dict[str, Mapping[str, Any]]:
    """The descriptor of every source, in the order of their imports."""
    query = sa.select(package.c.source, package.c.descriptor).order_by(
        package.c.imported_at, package.c.source
    )
    return {row.source: row.descriptor for row in conn.execute(query)}
