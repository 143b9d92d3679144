"""Detections in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.records import Box, DetectionKind, DetectionRecord
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection


def add(conn: sa.Connection, records: Iterable[DetectionRecord]) -> int:
    """Insert the detections that are not there yet; returns how many were."""
    return insert_new(conn, detection, map(_row, records))


def set_crops(conn: sa.Connection, records: Iterable[DetectionRecord]) -> int:
    """Write the crops of detections that were stored before their photographs were read; how many."""
    given = {one.id: one for one in records if one.crop_path is not None}
    lacking: list[str] = []
    for ids in chunks(given, IN_ROWS):
        bare = sa.select(detection.c.id).where(detection.c.id.in_(ids), detection.c.crop_path.is_(None))
        lacking += conn.scalars(bare)
    if lacking:
        conn.execute(
            sa.update(detection)
            .where(detection.c.id == sa.bindparam("key"))
            .values(crop_path=sa.bindparam("crop"), frame_path=sa.bindparam("frame")),
            [{"key": id_, "crop": given[id_].crop_path, "frame": given[id_].frame_path} for id_ in lacking],
        )
    return len(lacking)


def of_images(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, list[DetectionRecord]]:
    """The detections of these photographs, in the order of their ids; one without has no entry."""
    found: dict[str, list[DetectionRecord]] = {}
    for ids in chunks(image_ids, IN_ROWS):
        query = sa.select(detection).where(detection.c.image_id.in_(ids)).order_by(detection.c.id)
        for row in conn.execute(query).mappings():
            found.setdefault(row["image_id"], []).append(_record(row))
    return found


def get(conn: sa.Connection, ids: Iterable[str]) -> dict[str, DetectionRecord]:
    """The records of these ids; an unknown id has no entry."""
    found: dict[str, DetectionRecord] = {}
    for batch in chunks(ids, IN_ROWS):
        rows = conn.execute(sa.select(detection).where(detection.c.id.in_(batch))).mappings()
        found.update((row["id"], _record(row)) for row in rows)
    return found


def counts(conn: sa.Connection) -> dict[str, int]:
    """`detections`, and `crops`: those of them whose crop is written."""
    query = sa.select(sa.func.count(), sa.func.count(detection.c.crop_path)).select_from(detection)
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
        kind=DetectionKind(row["kind"]),
        category_id=row["category_id"],
        category_confidence=row["category_confidence"],
    )
