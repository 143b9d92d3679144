"""Everything that the store knows of each photograph, as a stream: for exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.oracle import OracleEntry
from pipeline.records import DetectionRecord, ImageRecord, Role, SourceLabel
from pipeline.store import detections, image_labels, images, oracle
from pipeline.store.schema import image

PAGE = 2_000  # photographs read at once


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One photograph with all that hangs on it."""

    image: ImageRecord
    detections: tuple[DetectionRecord, ...]  # surest first
    labels: tuple[SourceLabel, ...]
    scans: tuple[str, ...]  # of detectors that looked
    histories: Mapping[str, list[OracleEntry]]  # oracle entries by detection id


def stream(conn: sa.Connection, role: Role) -> Iterator[Stored]:
    """Every photograph of the pool by location, sequence, frame, file name and id.

    Of a file that changed the newest content; a failure only where the file was never read.
    """
    keys = (image.c.location, image.c.seq_id, image.c.frame_num, image.c.file_name, image.c.id)
    query = sa.select(image).where(image.c.role == role, ~_superseded()).order_by(*keys)
    result = conn.execution_options(yield_per=PAGE).execute(query).mappings()
    for page in result.partitions():
        yield from _page(conn, [images.from_row(row) for row in page])


def _superseded() -> sa.ColumnElement[bool]:
    other = image.alias()
    return sa.exists().where(
        other.c.path == image.c.path,
        other.c.id != image.c.id,
        other.c.role == image.c.role,
        other.c.failure.is_(None),
        sa.or_(
            image.c.failure.is_not(None),
            sa.tuple_(other.c.imported_at, other.c.id) > sa.tuple_(image.c.imported_at, image.c.id),
        ),
    )


def _page(conn: sa.Connection, records: Sequence[ImageRecord]) -> Iterator[Stored]:
    ids = [record.id for record in records]
    boxes = detections.of_images(conn, ids)
    labels = image_labels.of(conn, ids)
    scans = images.scans_of(conn, ids)
    spoken = oracle.histories(conn, (box.id for own in boxes.values() for box in own))
    for record in records:
        own = sorted(boxes.get(record.id, ()), key=lambda box: (-(box.bbox_confidence or 0.0), box.id))
        yield Stored(
            image=record,
            detections=tuple(own),
            labels=tuple(labels.get(record.id, ())),
            scans=tuple(sorted(scans.get(record.id, ()))),
            histories={box.id: spoken[box.id] for box in own if box.id in spoken},
        )
