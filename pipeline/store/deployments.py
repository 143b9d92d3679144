"""Deployments: one camera at one place for one period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.records import DeploymentRecord
from pipeline.store.database import insert_new
from pipeline.store.schema import deployment

_FIELDS = tuple(field.name for field in fields(DeploymentRecord))


def add(conn: sa.Connection, records: Iterable[DeploymentRecord]) -> int:
    """Insert the deployments or update those with the same id; returns the number of new ones.

    A field that is None in the new record keeps its stored value.
    """
    by_id = {record.id: record for record in records}
    stored = all(conn)
    for id_ in by_id.keys() & stored.keys():
        changes = {name: value for name, value in _row(by_id[id_]).items() if value is not None}
        conn.execute(sa.update(deployment).where(deployment.c.id == id_).values(changes))
    return insert_new(conn, deployment, [_row(record) for id_, record in by_id.items() if id_ not in stored])


def all(conn: sa.Connection) -> dict[str, DeploymentRecord]:
    """Every deployment by its id."""
    rows = conn.execute(sa.select(deployment).order_by(deployment.c.id)).mappings()
    return {row["id"]: _record(row) for row in rows}


def _row(record: DeploymentRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _FIELDS}


def _record(row: Mapping[Any, Any]) -> DeploymentRecord:
    return DeploymentRecord(**{name: row[name] for name in _FIELDS})
