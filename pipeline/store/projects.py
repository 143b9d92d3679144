"""The Label Studio projects that Wildloop feeds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.errors import ModelError, StoreError
from pipeline.records import ProjectRecord, utc_now
from pipeline.store import predictions, runs
from pipeline.store.database import insert_new, place
from pipeline.store.schema import project, task, task_crop

_FIELDS = tuple(field.name for field in fields(ProjectRecord))
_MENDING = ""  # no address begins with nothing but this


class EmbedderChangedError(ModelError):
    """The project was switched to another embedder during work for its former one."""


def get(conn: sa.Connection, project_id: int) -> ProjectRecord:
    """The project. Raises StoreError if there is none with this id."""
    row = conn.execute(sa.select(project).where(project.c.id == project_id)).mappings().one_or_none()
    if row is None:
        raise StoreError(
            f"no project {project_id} in {place(conn.engine.url)}",
            remedy="run `wildloop project create` first",
        )
    return _record(row)


def all(conn: sa.Connection) -> list[ProjectRecord]:
    """All projects, sorted by id, without those that were deleted in Label Studio and forgotten."""
    query = sa.select(project).where(project.c.forgotten_at.is_(None)).order_by(project.c.id)
    return [_record(row) for row in conn.execute(query).mappings()]


def active(conn: sa.Connection) -> list[ProjectRecord]:
    """All projects in which people label: those of `all` that no other one goes on with."""
    return [record for record in all(conn) if record.replaced_by is None]


def active_one(conn: sa.Connection, project_id: int) -> ProjectRecord:
    """The project, if people label in it. Raises StoreError for one that was replaced, or is unknown."""
    record = get(conn, project_id)
    if record.replaced_by is not None:
        raise StoreError(
            f"project {project_id} was replaced by project {record.replaced_by}: only its labels still count",
            remedy=f"use --project {record.replaced_by}",
        )
    return record


def choose(conn: sa.Connection, project_id: int | None) -> ProjectRecord:
    """The project with this id, or the only active project if it is None.

    Raises StoreError, with the projects, if there is no such project or the choice is ambiguous.
    """
    records = {record.id: record for record in (active if project_id is None else all)(conn)}
    if not records:
        raise StoreError(
            f"there is no project yet in {place(conn.engine.url)}",
            remedy="run `wildloop project create` first",
        )
    listed = ", ".join(f"{record.id} ({record.title})" for record in records.values())
    if project_id is None:
        if len(records) > 1:
            raise StoreError(f"there are several projects: {listed}", remedy="choose one with --project ID")
        return next(iter(records.values()))
    if project_id not in records:
        row = conn.execute(sa.select(project.c.forgotten_at).where(project.c.id == project_id)).one_or_none()
        if row is not None:
            raise StoreError(
                f"project {project_id} was forgotten on {row.forgotten_at:%Y-%m-%d}",
                remedy=f"`wildloop project create --project {project_id}` with its title and species takes "
                "it up again",
            )
        raise StoreError(f"there is no project {project_id}, only {listed}", remedy="see --project")
    return records[project_id]


def save(conn: sa.Connection, record: ProjectRecord) -> bool:
    """Add the project, or set the title of the stored project with this id; returns whether it is new.

    Embedder, current version and watermark of a stored project stay: see `change_embedder`,
    `models.activate` and `move_watermark`.
    """
    row = {name: getattr(record, name) for name in _FIELDS} | {"created_at": utc_now()}
    is_new = insert_new(conn, project, [row]) > 0
    if not is_new:
        conn.execute(sa.update(project).where(project.c.id == record.id).values(title=record.title))
    return is_new


def forget(conn: sa.Connection, project_id: int) -> None:
    """Mark the project as deleted in Label Studio: nothing asks for it any more. All its rows stay."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(forgotten_at=utc_now()))
    runs.end_queued(conn, project_id, reason="the project was forgotten")


def renew(conn: sa.Connection, record: ProjectRecord, *, made_at: dt.datetime | None) -> None:
    """Let the stored project with the id of `record` stand for the one that Label Studio has now.

    Label Studio made that one at `made_at`. If this was before the project was stored, it is the same one,
    which was forgotten by mistake: all that is known of it holds again, and the next sync compares it all.
    Otherwise, or if nothing is known, it is another: Label Studio gives ids again after it started from
    nothing. Tasks of the former project are
    removed, and its annotations count as before, whatever becomes of those that have the same ids now
    (`oracle.active_annotations`). Audit and versions stay; a version of another embedder is not current
    any more.
    """
    former = get(conn, record.id)
    this = sa.update(project).where(project.c.id == record.id)
    stored_at = conn.execute(sa.select(project.c.created_at).where(project.c.id == record.id)).scalar_one()
    if made_at is None or made_at > stored_at:
        for table in (task_crop, task):
            conn.execute(sa.delete(table).where(table.c.project_id == record.id))
        conn.execute(this.values(created_at=utc_now()))
    values = {name: getattr(record, name) for name in _FIELDS if name not in ("id", "current_model")}
    if former.embedder != record.embedder:
        values["current_model"] = None
    elif former.current_model is not None:
        predictions.unpush(conn, former.current_model)
    conn.execute(this.values(values))


def replace(conn: sa.Connection, former: int, new: int) -> None:
    """Let project `new` go on with the labels of `former`, in which nothing is asked or trained any more."""
    conn.execute(sa.update(project).where(project.c.id == former).values(replaced_by=new))
    runs.end_queued(conn, former, reason=f"project {new} replaced the project")


def rename(conn: sa.Connection, project_id: int, title: str) -> None:
    """Give the project another title."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(title=title))


def set_options(conn: sa.Connection, project_id: int, options: Mapping[str, Any]) -> None:
    """Store the options of the project's screens."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(options=dict(options)))


def change_embedder(conn: sa.Connection, project_id: int, *, former: str, new: str) -> None:
    """Switch the project to embedder `new`. Call `models.activate` with a version of it afterwards.

    Raises EmbedderChangedError if the project does not use `former` any more.
    """
    update = sa.update(project).where(project.c.id == project_id, project.c.embedder == former)
    if not conn.execute(update.values(embedder=new)).rowcount:
        raise embedder_changed(conn, project_id, former)


def embedder_changed(conn: sa.Connection, project_id: int, former: str) -> EmbedderChangedError:
    """The error for a project that does not use `former` any more. Raises StoreError without a project."""
    present = get(conn, project_id).embedder
    return EmbedderChangedError(
        f"project {project_id} was switched from {former} to {present} in the meantime",
        remedy=f"nothing was changed; run the command again to use {present}",
    )


def mend_tasks(conn: sa.Connection) -> None:
    """Make the next publication of each project compare what its tasks show with the store."""
    conn.execute(sa.update(project).values(served_from=None))


def begin_mending(conn: sa.Connection, project_id: int) -> None:
    """Record that the project's tasks are being mended."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(served_from=_MENDING))


def end_mending(conn: sa.Connection, project_id: int, prefix: str) -> None:
    """Record what the addresses of pictures in the project's tasks begin with now.

    Nothing is recorded if `mend_tasks` was called since `begin_mending`: the tasks are mended once more.
    """
    begun = sa.update(project).where(project.c.id == project_id, project.c.served_from == _MENDING)
    conn.execute(begun.values(served_from=prefix))


def move_watermark(
    conn: sa.Connection,
    project_id: int,
    *,
    former: dt.datetime | None,
    new: dt.datetime | None,
    synced_at: dt.datetime,
) -> None:
    """Record when the project's annotations were read, and up to which moment.

    A watermark that is no longer `former` stays: it was reset in the meantime.
    """
    this = sa.update(project).where(project.c.id == project_id)
    conn.execute(this.values(synced_at=synced_at))
    conn.execute(this.where(project.c.watermark.is_not_distinct_from(former)).values(watermark=new))


def reset_watermark(conn: sa.Connection, project_id: int) -> None:
    """Make the next sync read all annotations of the project."""
    conn.execute(sa.update(project).where(project.c.id == project_id).values(watermark=None))


def _record(row: Mapping[Any, Any]) -> ProjectRecord:
    return ProjectRecord(**{name: row[name] for name in _FIELDS})
