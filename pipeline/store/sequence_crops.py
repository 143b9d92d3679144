"""The crops of sequences that wait for a label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.store.candidates import SEQUENCE
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED, is_crop
from pipeline.store.schema import detection, image


@dataclass(frozen=True, kw_only=True)
class SequenceCrop:
    """A crop and its photograph."""

    detection_id: str
    image_id: str
    sequence: str  # as in `candidates.CropPlace`


def waiting(conn: sa.Connection, sequences: Iterable[str]) -> list[SequenceCrop]:
    """The crops of these sequences that wait for a label: by sequence, and in it in the order of time."""
    query = (
        sa.select(detection.c.id, detection.c.image_id, SEQUENCE)
        .join(image, image.c.id == detection.c.image_id)
        .where(is_crop(), detection.c.kind.not_in(RESOLVED))
        .order_by(
            SEQUENCE, image.c.datetime, image.c.frame_num, image.c.id, detection.c.bbox_X1, detection.c.id
        )
    )
    found: list[SequenceCrop] = []
    for batch in chunks(sorted(set(sequences)), IN_ROWS):
        alone = sa.and_(image.c.seq_id.is_(None), image.c.id.in_(batch))
        rows = conn.execute(query.where(sa.or_(image.c.seq_id.in_(batch), alone)))
        found += [
            SequenceCrop(detection_id=row.id, image_id=row.image_id, sequence=row.sequence) for row in rows
        ]
    return found
