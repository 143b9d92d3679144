"""Model versions, and which one is current. Rows are added, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.records import ModelRecord, PredictionRecord
from pipeline.store import predictions, projects
from pipeline.store.database import insert_new
from pipeline.store.schema import model, project

LISTED = 10  # candidates that an error names

_FIELDS = tuple(field.name for field in fields(ModelRecord))


def get(conn: sa.Connection, version: str) -> ModelRecord:
    """The version. Raises StoreError if there is none with this name."""
    row = conn.execute(sa.select(model).where(model.c.version == version)).mappings().one_or_none()
    if row is None:
        raise StoreError(f"there is no model version {version!r}", remedy="see `wildloop models`")
    return _record(row)


def find(conn: sa.Connection, name: str) -> ModelRecord:
    """The version with this name, or the only one whose name begins with it: `v3` for `v3-1f2e3d4c`.

    Raises StoreError, with the candidates, if there is no such version or more than one.
    """
    records = _select(conn)
    matches = (
        [record for record in records if record.version == name]
        or [record for record in records if record.version.partition("-")[0] == name]
        or [record for record in records if record.version.startswith(name)]
    )
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise StoreError(f"{name!r} can be {_names(matches)}", remedy="give more of the version's name")
    remedy = f"choose from {_names(records)}" if records else "run `wildloop train`"
    raise StoreError(f"there is no model version {name!r}", remedy=remedy)


def all(conn: sa.Connection, project_id: int) -> list[ModelRecord]:
    """All versions of the project, oldest first."""
    return _select(conn, model.c.project_id == project_id)


def current(conn: sa.Connection, project_id: int) -> ModelRecord | None:
    """The project's current version; None before the first."""
    query = sa.select(project.c.current_model).where(project.c.id == project_id)
    version = conn.execute(query).scalar_one_or_none()
    return None if version is None else get(conn, version)


def newest(conn: sa.Connection, project_id: int) -> ModelRecord | None:
    """The version created last, whether it is current or not; None before the first."""
    versions = all(conn, project_id)
    return versions[-1] if versions else None


def by_digest(conn: sa.Connection, project_id: int, digest: str) -> ModelRecord | None:
    """The version of the project whose inputs have this digest, if there is one."""
    versions = _select(conn, model.c.project_id == project_id, model.c.digest == digest)
    return versions[0] if versions else None


def activate(conn: sa.Connection, record: ModelRecord, queue: Iterable[PredictionRecord]) -> None:
    """Make the version current, with `queue` as its queue, in the caller's transaction.

    A top-up brings the queue to Label Studio. Of a stored version only the queue is replaced; to roll back,
    activate an older version. Raises StoreError if there is no such project, and EmbedderChangedError if
    the project uses another embedder than the version.
    """
    row = {name: getattr(record, name) for name in _FIELDS} | {"metrics": dict(record.metrics)}
    insert_new(conn, model, [row])
    predictions.replace(conn, record.version, queue)
    update = sa.update(project).where(
        project.c.id == record.project_id, project.c.embedder == record.embedder
    )
    if not conn.execute(update.values(current_model=record.version)).rowcount:
        raise projects.embedder_changed(conn, record.project_id, record.embedder)


def _select(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[ModelRecord]:
    query = sa.select(model).where(*conditions).order_by(model.c.created_at, model.c.version)
    return [_record(row) for row in conn.execute(query).mappings()]


def _names(records: Sequence[ModelRecord]) -> str:
    """The names of the newest versions."""
    names = [record.version for record in records[-LISTED:]]
    return ", ".join(names if len(names) == len(records) else ["...", *names])


def _record(row: Mapping[Any, Any]) -> ModelRecord:
    return ModelRecord(**{name: row[name] for name in _FIELDS})
