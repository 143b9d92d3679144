"""The detections of a project that wait for a label, and the sequence and location of detections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import DetectionKind
from pipeline.store import tasks
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED, is_crop
from pipeline.store.schema import (
    acceptance,
    detection,
    embedding,
    image,
    prediction,
    project,
)

_UNRESOLVED = tuple(kind for kind in DetectionKind if kind not in RESOLVED)
# A photograph without a sequence is a sequence by itself.
SEQUENCE = sa.func.coalesce(image.c.seq_id, image.c.id).label("sequence")


@dataclass(frozen=True, kw_only=True)
class CropPlace:
    """The sequence and location of a detection."""

    sequence: str  # of its photograph; the photograph's id if it belongs to no sequence
    location: str | None


def waiting_ids(conn: sa.Connection) -> list[str]:
    """The crops of the project that have no label and are not unsure, by id."""
    query = sa.select(detection.c.id).where(_waits()).order_by(detection.c.id)
    return list(conn.scalars(query))


def waiting_count(conn: sa.Connection) -> int:
    """The number of crops of the project that have no label and are not unsure."""
    return int(conn.execute(sa.select(sa.func.count()).where(_waits())).scalar_one())


def count(conn: sa.Connection) -> int:
    """The number of crops of the project."""
    return int(conn.execute(sa.select(sa.func.count()).where(is_crop())).scalar_one())


def left_for_people(conn: sa.Connection, project_id: int, *, limit: int) -> int:
    """How many crops wait for a label that only people can give, counted up to `limit`.

    Once predictions are accepted, these are the waiting crops of the queue.
    """
    query = sa.select(detection.c.id).where(_waits())
    version = conn.execute(
        sa.select(project.c.current_model)
        .join(acceptance, acceptance.c.model_version == project.c.current_model)
        .where(project.c.id == project_id)
    ).scalar_one_or_none()
    if version is not None:
        query = query.join(
            prediction,
            sa.and_(prediction.c.detection_id == detection.c.id, prediction.c.model_version == version),
        )
    found = query.limit(limit).subquery()
    return int(conn.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())


def waiting_among(conn: sa.Connection, detection_ids: Iterable[str]) -> set[str]:
    """Those of these detections that wait for a label."""
    waiting: set[str] = set()
    for batch in chunks(detection_ids, IN_ROWS):
        waiting.update(conn.scalars(sa.select(detection.c.id).where(_waits(), detection.c.id.in_(batch))))
    return waiting


def unasked(conn: sa.Connection, project_id: int, limit: int) -> list[str]:
    """Up to `limit` waiting crops that no open task of the project asks about.

    By id, which is a digest: a sample of all places and times. It costs as many rows as there are open
    tasks, however large the pool.
    """
    asked = {crop for record in tasks.open_tasks(conn, project_id) for crop in record.detections}
    # `not_in`, so that SQLite reads the rows by id and stops: through an index it would sort them all.
    waits = sa.and_(is_crop(), detection.c.kind.not_in(RESOLVED))
    query = sa.select(detection.c.id).where(waits).order_by(detection.c.id).limit(limit + len(asked))
    return [crop for crop in conn.scalars(query) if crop not in asked][:limit]


def embedded_among(conn: sa.Connection, embedder: str, detection_ids: Iterable[str]) -> set[str]:
    """Those of these detections that have an embedding by this embedder."""
    found: set[str] = set()
    query = sa.select(embedding.c.detection_id).where(embedding.c.embedder == embedder)
    for batch in chunks(detection_ids, IN_ROWS):
        found.update(conn.scalars(query.where(embedding.c.detection_id.in_(batch))))
    return found


def embedded_count(conn: sa.Connection, embedder: str) -> int:
    """The number of crops of the project with an embedding by this embedder."""
    query = (
        sa.select(sa.func.count())
        .select_from(detection.join(embedding, embedding.c.detection_id == detection.c.id))
        .where(is_crop(), embedding.c.embedder == embedder)
    )
    return int(conn.execute(query).scalar_one())


def in_sequences(conn: sa.Connection, sequences: Iterable[str]) -> dict[str, str]:
    """The sequence of every detection on photographs of these sequences, by detection id.

    Sequences are named as in `CropPlace`.
    """
    sequence_of: dict[str, str] = {}
    query = sa.select(detection.c.id, SEQUENCE).join(image, image.c.id == detection.c.image_id)
    for batch in chunks(sequences, IN_ROWS):
        single = sa.and_(image.c.seq_id.is_(None), image.c.id.in_(batch))
        for row in conn.execute(query.where(sa.or_(image.c.seq_id.in_(batch), single))):
            sequence_of[row.id] = row.sequence
    return sequence_of


def places(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, CropPlace]:
    """The place of each of these detections; an unknown id has no entry."""
    place_of: dict[str, CropPlace] = {}
    query = sa.select(detection.c.id, SEQUENCE, image.c.location).join(
        image, image.c.id == detection.c.image_id
    )
    for batch in chunks(detection_ids, IN_ROWS):
        for row in conn.execute(query.where(detection.c.id.in_(batch))):
            place_of[row.id] = CropPlace(sequence=row.sequence, location=row.location)
    return place_of


def _waits() -> sa.ColumnElement[bool]:
    return sa.and_(is_crop(), detection.c.kind.in_(_UNRESOLVED))  # not `not_in`: that has no use for an index
