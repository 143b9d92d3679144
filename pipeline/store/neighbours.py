"""The photographs of a sequence, as far as a reduced picture of them is on disk."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.schema import detection, image


@dataclass(frozen=True, kw_only=True)
class SequenceFrame:
    """One photograph of a sequence."""

    image_id: str
    frame_path: str  # the reduced photograph, below the data folder
    datetime: dt.datetime | None  # by the camera's clock


def of_sequences(conn: sa.Connection, sequences: Iterable[str]) -> dict[str, list[SequenceFrame]]:
    """The photographs of each of these sequences (`seq_id`), in the order of time."""
    query = (
        sa.select(
            image.c.seq_id,
            image.c.id,
            image.c.datetime,
            sa.func.min(detection.c.frame_path).label("frame_path"),
        )
        .join(detection, detection.c.image_id == image.c.id)
        .where(detection.c.frame_path.is_not(None))
        .group_by(image.c.seq_id, image.c.id, image.c.datetime, image.c.frame_num)
        .order_by(image.c.seq_id, image.c.datetime, image.c.frame_num, image.c.id)
    )
    found: dict[str, list[SequenceFrame]] = defaultdict(list)
    for batch in chunks(sequences, IN_ROWS):
        for row in conn.execute(query.where(image.c.seq_id.in_(batch))):
            frame = SequenceFrame(image_id=row.id, frame_path=row.frame_path, datetime=row.datetime)
            found[row.seq_id].append(frame)
    return dict(found)
