"""Counts and failures for `wildloop status`, each by one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline.records import DetectionKind, RunState
from pipeline.store.oracle import is_crop
from pipeline.store.schema import detection, embedding, image, model, project, run


@dataclass(frozen=True, kw_only=True)
class FailedPhoto:
    """A photograph that could not be used, and the reason."""

    file_name: str
    failure: str
    detail: str | None


def embedded_counts(conn: sa.Connection) -> dict[str, int]:
    """The number of embedded crops by embedder."""
    query = sa.select(embedding.c.embedder, sa.func.count().label("crops")).group_by(embedding.c.embedder)
    return {row.embedder: row.crops for row in conn.execute(query.order_by(embedding.c.embedder))}


def damaged_counts(conn: sa.Connection) -> dict[str, int]:
    """The number of usable photographs with a defect, by the kind of defect."""
    query = sa.select(image.c.defect, sa.func.count().label("photographs")).where(
        image.c.defect.is_not(None), image.c.failure.is_(None)
    )
    rows = conn.execute(query.group_by(image.c.defect).order_by(image.c.defect))
    return {row.defect: row.photographs for row in rows}


def unsure_count(conn: sa.Connection) -> int:
    """The number of detections of the project that people are unsure about."""
    query = (
        sa.select(sa.func.count())
        .select_from(detection)
        .where(
            is_crop(),
            detection.c.kind == DetectionKind.USER,
            detection.c.category_id.is_(None),
        )
    )
    return _count(conn, query)


def trained_count(conn: sa.Connection, project_id: int) -> int:
    """The number of versions of the project that were trained on labels."""
    query = sa.select(sa.func.count()).where(model.c.project_id == project_id, model.c.labels > 0)
    return _count(conn, query)


def last_failed_runs(conn: sa.Connection, limit: int) -> list[sa.Row[Any]]:
    """`id`, `project_id`, `kind`, `finished_at` and `error` of the newest failed runs, newest first.

    Without those of forgotten projects.
    """
    query = (
        sa.select(run.c.id, run.c.project_id, run.c.kind, run.c.finished_at, run.c.error)
        .join(project, project.c.id == run.c.project_id)
        .where(run.c.state == RunState.FAILED, project.c.forgotten_at.is_(None))
        .order_by(run.c.id.desc())
        .limit(limit)
    )
    return list(conn.execute(query))


def last_failed_photos(conn: sa.Connection, limit: int) -> list[FailedPhoto]:
    """The newest failed photographs, newest first."""
    query = (
        sa.select(image.c.file_name, image.c.failure, image.c.failure_detail)
        .where(image.c.failure.is_not(None))
        .order_by(image.c.imported_at.desc(), image.c.file_name)
        .limit(limit)
    )
    return [
        FailedPhoto(file_name=row.file_name, failure=row.failure, detail=row.failure_detail)
        for row in conn.execute(query)
    ]


def _count(conn: sa.Connection, query: sa.Select[Any]) -> int:
    number: int = conn.execute(query).scalar_one()
    return number
