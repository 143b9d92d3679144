"""Which detections of a project still wait for a label, and where each detection was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, embedding, image, task


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and in which burst a detection was seen."""

    sequence: str  # of its photograph; the photograph itself where it is in no sequence
    location: str | None


def waiting(conn: sa.Connection, project_id: int) -> list[str]:
    """Published detections of the project that nobody has labelled or found unsure, by id."""
    query = (
        sa.select(task.c.detection_id)
        .join(detection, detection.c.id == task.c.detection_id)
        .where(task.c.project_id == project_id, detection.c.kind.not_in(RESOLVED))
        .order_by(task.c.detection_id)
    )
    return list(conn.scalars(query))


def embedded_count(conn: sa.Connection, project_id: int, embedder: str) -> int:
    """How many published detections of the project this embedder has embedded."""
    query = (
        sa.select(sa.func.count())
        .select_from(task.join(embedding, embedding.c.detection_id == task.c.detection_id))
        .where(task.c.project_id == project_id, embedding.c.embedder == embedder)
    )
    return int(conn.execute(query).scalar_one())


def of_sequences(conn: sa.Connection, sequences: Iterable[str]) -> dict[str, str]:
    """Every detection on the photographs of these sequences, with its sequence.

    A photograph that is in no sequence is one by itself, named as in `Place`.
    """
    found: dict[str, str] = {}
    name = sa.func.coalesce(image.c.seq_id, image.c.id).label("sequence")
    query = sa.select(detection.c.id, name).join(image, image.c.id == detection.c.image_id)
    for some in chunks(sequences, IN_ROWS):
        alone = sa.and_(image.c.seq_id.is_(None), image.c.id.in_(some))
        for row in conn.execute(query.where(sa.or_(image.c.seq_id.in_(some), alone))):
            found[row.id] = row.sequence
    return found


def places(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, Place]:
    """The place of each of these detections; an unknown id has no entry."""
    found: dict[str, Place] = {}
    query = sa.select(
        detection.c.id,
        sa.func.coalesce(image.c.seq_id, image.c.id).label("sequence"),
        image.c.location,
    ).join(image, image.c.id == detection.c.image_id)
    for ids in chunks(detection_ids, IN_ROWS):
        for row in conn.execute(query.where(detection.c.id.in_(ids))):
            found[row.id] = Place(sequence=row.sequence, location=row.location)
    return found
