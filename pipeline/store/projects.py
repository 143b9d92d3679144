"""The Label Studio projects that Wildloop feeds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.errors import ModelError, StoreError
from pipeline.records import ProjectRecord, utc_now
from pipeline.store.database import insert_new
from pipeline.store.schema import project

_FIELDS = tuple(field.name for field in fields(ProjectRecord))


class EmbedderChangedError(ModelError):
    """The project went over to another embedder while something was made for its former one."""


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


def choose(conn: sa.Connection, project_id: int | None) -> ProjectRecord:
    """The project of that id; without an id, the only one.

    Raises StoreError, which lists the projects, if the choice is not clear.
    """
    records = {record.id: record for record in all(conn)}
    if not records:
        raise StoreError("there is no project yet", remedy="run `wildloop project create` first")
    listed = ", ".join(f"{record.id} ({record.title})" for record in records.values())
    if project_id is None:
        if len(records) > 1:
            raise StoreError(f"there are several projects: {listed}", remedy="choose one with --project ID")
        return next(iter(records.values()))
    if project_id not in records:
        raise StoreError(f"there is no project {project_id}, only {listed}", remedy="see --project")
    return records[project_id]


def save(conn: sa.Connection, record: ProjectRecord) -> None:
    """Add the project, or give the one of this id the record's title.

    Embedder, current model and watermark belong to those who move them (`change_embedder`,
    `models.activate`, `move_watermark`).
    """
    row = {name: getattr(record, name) for name in _FIELDS} | {"created_at": utc_now()}
    if insert_new(conn, project, [row]) == 0:
        conn.execute(sa.update(project).where(project.c.id == record.id).values(title=record.title))


def change_embedder(conn: sa.Connection, project_id: int, *, former: str, new: str) -> None:
    """Make the project work with embedder `new`; `models.activate` gives it a version of that next.

    EmbedderChangedError where it does not work with `former` any more.
    """
    mine = sa.update(project).where(project.c.id == project_id, project.c.embedder == former)
    if not conn.execute(mine.values(embedder=new)).rowcount:
        raise left(conn, project_id, former)


def left(conn: sa.Connection, project_id: int, former: str) -> EmbedderChangedError:
    """The error that says so of a project; StoreError where the store has none of this id."""
    return EmbedderChangedError(
        f"project {project_id} went over from {former} to {get(conn, project_id).embedder} meanwhile",
        remedy="nothing was changed; run it again to do it with the embedder of now",
    )


def move_watermark(
    conn: sa.Connection,
    project_id: int,
    *,
    former: dt.datetime | None,
    new: dt.datetime | None,
    synced_at: dt.datetime,
) -> None:
    """Note when the project's annotations were read, and up to which moment.

    A watermark that is not `former` any more stays: somebody has reset it meanwhile.
    """
    this = sa.update(project).where(project.c.id == project_id)
    conn.execute(this.values(synced_at=synced_at))
    conn.execute(this.where(project.c.watermark.is_not_distinct_from(former)).values(watermark=new))


def reset_watermark(conn: sa.Connection, project_id: int) -> None:
    """Forget up to which moment the project's annotations were read."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(watermark=None))


def _record(row: Mapping[Any, Any]) -> ProjectRecord:
    return ProjectRecord(**{name: row[name] for name in _FIELDS})
