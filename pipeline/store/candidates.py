"""The detections of a project that wait for a label, and the sequence and location of detections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED, is_crop
from pipeline.store.schema import detection, embedding, image

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
    return sa.and_(is_crop(), detection.c.kind.not_in(RESOLVED))
