"""The Label Studio projects that Wildloop feeds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.records import ProjectRecord, utc_now
from pipeline.store.database import insert_new
from pipeline.store.schema import project

_FIELDS = tuple(field.name for field in fields(ProjectRecord))


def get(conn: sa.Connection, project_id: int) -> ProjectRecord:
    """The project; StoreError where the store has none of this id."""
    row = conn.execute(sa.select(project).where(project.c.id == project_id)).mappings().one_or_none()
    if row is None:
        raise StoreError(
            f"the store knows no project {project_id}", remedy="run `wildloop project create` first"
        )
    return _record(row)


def all(conn: sa.Connection) -> list[ProjectRecord]:
    """Every project, by id."""
    return [_record(row) for row in conn.execute(sa.select(project).order_by(project.c.id)).mappings()]


def save(conn: sa.Connection, record: ProjectRecord) -> None:
    """Add the project, or give the one of this id the record's title and embedder.

    Its current model and watermark belong to those who move them (`models.activate`, `set_watermark`).
    """
    row = {name: getattr(record, name) for name in _FIELDS} | {"created_at": utc_now()}
    if insert_new(conn, project, [row]) == 0:
        conn.execute(
            sa.update(project)
            .where(project.c.id == record.id)
            .values(title=record.title, embedder=record.embedder)
        )


def set_watermark(
    conn: sa.Connection, project_id: int, watermark: dt.datetime | None, *, synced_at: dt.datetime
) -> None:
    """Note how far the project's annotations have been read, and when."""
    conn.execute(
        sa.update(project).where(project.c.id == project_id).values(watermark=watermark, synced_at=synced_at)
    )


def _record(row: Mapping[Any, Any]) -> ProjectRecord:
    return ProjectRecord(**{name: row[name] for name in _FIELDS})
