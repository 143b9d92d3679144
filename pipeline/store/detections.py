"""Detections and their crops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.records import SIGN_OFF_DETECTOR, Box, DetectionKind, DetectionRecord
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection, image


def add(conn: sa.Connection, records: Iterable[DetectionRecord]) -> int:
    """Insert the detections that are not stored yet; returns their number."""
    return insert_new(conn, detection, map(_row, records))


def set_crops(conn: sa.Connection, records: Iterable[DetectionRecord]) -> int:
    """Set the crop and frame of stored detections that have none yet; returns their number."""
    cropped = {record.id: record for record in records if record.crop_path is not None}
    without_crop: list[str] = []
    for batch in chunks(cropped, IN_ROWS):
        query = sa.select(detection.c.id).where(detection.c.id.in_(batch), detection.c.crop_path.is_(None))
        without_crop += conn.scalars(query)
    if without_crop:
        conn.execute(
            sa.update(detection)
            .where(detection.c.id == sa.bindparam("key"))
            .values(crop_path=sa.bindparam("crop"), frame_path=sa.bindparam("frame")),
            [
                {"key": id_, "crop": cropped[id_].crop_path, "frame": cropped[id_].frame_path}
                for id_ in without_crop
            ],
        )
    return len(without_crop)


def set_frames(conn: sa.Connection, records: Iterable[DetectionRecord]) -> None:
    """Set the frame of stored detections that have none yet."""
    rows = [{"key": record.id, "frame": record.frame_path} for record in records if record.frame_path]
    if rows:
        this = sa.update(detection).where(
            detection.c.id == sa.bindparam("key"), detection.c.frame_path.is_(None)
        )
        conn.execute(this.values(frame_path=sa.bindparam("frame")), rows)


def of_images(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, list[DetectionRecord]]:
    """The detections of each of these photographs by image id, sorted by id.

    A photograph without detections has no entry.
    """
    by_image: dict[str, list[DetectionRecord]] = {}
    for batch in chunks(image_ids, IN_ROWS):
        query = sa.select(detection).where(detection.c.image_id.in_(batch)).order_by(detection.c.id)
        for row in conn.execute(query).mappings():
            by_image.setdefault(row["image_id"], []).append(_record(row))
    return by_image


def get(conn: sa.Connection, ids: Iterable[str]) -> dict[str, DetectionRecord]:
    """The records with these ids, by id; an unknown id has no entry."""
    records: dict[str, DetectionRecord] = {}
    for batch in chunks(ids, IN_ROWS):
        rows = conn.execute(sa.select(detection).where(detection.c.id.in_(batch))).mappings()
        records.update((row["id"], _record(row)) for row in rows)
    return records


def beginning_like(conn: sa.Connection, name: str, limit: int) -> list[str]:
    """Up to `limit` ids that share as many first characters with `name` as any, at least four."""
    for length in range(len(name), 3, -1):
        query = sa.select(detection.c.id).where(detection.c.id.startswith(name[:length], autoescape=True))
        found = list(conn.scalars(query.order_by(detection.c.id).limit(limit)))
        if found:
            return found
    return []


def file_names(conn: sa.Connection, ids: Iterable[str]) -> dict[str, str]:
    """The file name of the photograph of each of these detections, by detection id."""
    names: dict[str, str] = {}
    query = sa.select(detection.c.id, image.c.file_name).join(image, image.c.id == detection.c.image_id)
    for batch in chunks(ids, IN_ROWS):
        names.update((row.id, row.file_name) for row in conn.execute(query.where(detection.c.id.in_(batch))))
    return names


def counts(conn: sa.Connection) -> dict[str, int]:
    """The number of `detections`, and of `crops`: detections with a written crop.

    A box that a person drew anew counts instead of the former one.
    """
    query = sa.select(sa.func.count(), sa.func.count(detection.c.crop_path)).where(
        detection.c.replaced_by.is_(None), detection.c.detector != SIGN_OFF_DETECTOR
    )
    detections, crops = conn.execute(query).one()
    return {"detections": detections, "crops": crops}


def _row(record: DetectionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "image_id": record.image_id,
        "kind": int(record.kind),
        "category_id": record.category_id,
        "category_confidence": record.category_confidence,
        "bbox_confidence": record.bbox_confidence,
        "bbox_X1": record.box.x1,
        "bbox_Y1": record.box.y1,
        "bbox_X2": record.box.x2,
        "bbox_Y2": record.box.y2,
        "detector": record.detector,
        "detector_category": record.detector_category,
        "crop_path": record.crop_path,
        "frame_path": record.frame_path,
        "replaced_by": record.replaced_by,
    }


def _record(row: Mapping[Any, Any]) -> DetectionRecord:
    return DetectionRecord(
        id=row["id"],
        image_id=row["image_id"],
        box=Box(x1=row["bbox_X1"], y1=row["bbox_Y1"], x2=row["bbox_X2"], y2=row["bbox_Y2"]),
        bbox_confidence=row["bbox_confidence"],
        detector=row["detector"],
        detector_category=row["detector_category"],
        crop_path=row["crop_path"],
        frame_path=row["frame_path"],
        replaced_by=row["replaced_by"],
        kind=DetectionKind(row["kind"]),
        category_id=row["category_id"],
        category_confidence=row["category_confidence"],
    )
