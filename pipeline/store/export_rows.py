"""All stored data of each photograph, as a stream for exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import OracleEntry
from pipeline.records import SIGN_OFF_DETECTOR, DetectionRecord, ImageRecord, Role, SourceLabel
from pipeline.store import detections, image_labels, images, oracle
from pipeline.store.schema import image

PAGE = 2_000  # photographs read at once


@dataclass(frozen=True, kw_only=True)
class ExportRow:
    """One photograph with its detections and labels."""

    image: ImageRecord
    detections: tuple[DetectionRecord, ...]  # highest confidence first; not those that people drew anew
    labels: tuple[SourceLabel, ...]
    scans: tuple[str, ...]  # names of the scans, see `pipeline.identity`
    histories: Mapping[str, list[OracleEntry]]  # oracle entries by detection id
    sign_off: tuple[OracleEntry, ...] = ()  # of the photograph as a whole


def stream(conn: sa.Connection, role: Role) -> Iterator[ExportRow]:
    """All photographs of a pool, sorted by location, sequence, frame, file name and id.

    Of a file that changed, only the newest content; a failure only if the file could never be read.
    """
    keys = (image.c.location, image.c.seq_id, image.c.frame_num, image.c.file_name, image.c.id)
    query = sa.select(image).where(image.c.role == role, ~images.superseded()).order_by(*keys)
    result = conn.execution_options(yield_per=PAGE).execute(query).mappings()
    for page in result.partitions():
        yield from _page(conn, [images.from_row(row) for row in page])


def _page(conn: sa.Connection, records: Sequence[ImageRecord]) -> Iterator[ExportRow]:
    ids = [record.id for record in records]
    detections_of = detections.of_images(conn, ids)
    labels = image_labels.by_image(conn, ids)
    scans = images.scans_of(conn, ids)
    histories = oracle.histories(conn, (box.id for boxes in detections_of.values() for box in boxes))
    for record in records:
        found = detections_of.get(record.id, ())
        whole = [box for box in found if box.detector == SIGN_OFF_DETECTOR]
        standing = [box for box in found if box.replaced_by is None and box not in whole]
        boxes = sorted(standing, key=lambda box: (-(box.bbox_confidence or 0.0), box.id))
        yield ExportRow(
            image=record,
            detections=tuple(boxes),
            labels=tuple(labels.get(record.id, ())),
            scans=tuple(sorted(scans.get(record.id, ()))),
            histories={box.id: histories[box.id] for box in boxes if box.id in histories},
            sign_off=tuple(entry for box in whole for entry in histories.get(box.id, ())),
        )
