"""Labelled detections by photograph: the content of a classification dataset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby

import sqlalchemy as sa

from pipeline.records import SIGN_OFF_DETECTOR, DetectionKind, Role
from pipeline.store.oracle import RESOLVED
from pipeline.store.schema import detection, image

PAGE = 2_000  # rows read at once


@dataclass(frozen=True, kw_only=True)
class LabelledCrop:
    """One detection with its current label and fields of its photograph."""

    id: str
    image_id: str
    category_id: int
    bbox_confidence: float | None  # None if a person drew the box
    crop_path: str | None  # below the data folder; None if it is not cut yet
    file_name: str
    source_id: str | None
    location: str | None
    datetime: dt.datetime | None
    seq_id: str | None
    frame_num: int | None
    seq_num_frames: int | None


def crops_by_image(
    conn: sa.Connection, roles: Iterable[Role], *, weak: bool = False
) -> Iterator[list[LabelledCrop]]:
    """The labelled crops of each photograph of these pools, sorted by image id, then detection id.

    Photographs without labelled crops are left out. Weak labels count only if `weak`.
    """
    kinds = (*RESOLVED, DetectionKind.MODEL) if weak else RESOLVED
    own = {column.name for column in detection.columns}  # all other fields are of the photograph
    columns = [(detection if field.name in own else image).c[field.name] for field in fields(LabelledCrop)]
    query = (
        sa.select(*columns)
        .join(image, image.c.id == detection.c.image_id)
        .where(
            image.c.role.in_(list(roles)),
            detection.c.kind.in_(kinds),
            detection.c.category_id.is_not(None),
            detection.c.replaced_by.is_(None),
            detection.c.detector != SIGN_OFF_DETECTOR,
        )
        .order_by(detection.c.image_id, detection.c.id)
    )
    rows = conn.execution_options(yield_per=PAGE).execute(query).mappings()
    for _, crops in groupby(rows, key=lambda row: row["image_id"]):
        yield [LabelledCrop(**row) for row in crops]
