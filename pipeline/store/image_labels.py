"""Labels from sources, of whole photographs and sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.identity import digest
from pipeline.records import Level, SourceLabel, category_name
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import category, image_label


def add(conn: sa.Connection, labels: Iterable[tuple[str, SourceLabel]], numbers: Mapping[str, int]) -> int:
    """Insert the labels, pairs of image id and label, that are not stored yet; returns their number.

    A photograph has one label per source, level, category and key. `numbers` has the category id of each
    label's `category`, spelled as in the label.
    """
    rows = (
        {
            "id": _id(image_id, label),
            "image_id": image_id,
            "source": label.source,
            "level": label.level.value,
            "category_id": None if label.category is None else numbers[label.category],
            "key": label.key,
            "weak": label.weak,
            "confidence": label.confidence,
            "annotator": label.annotator,
            "annotated_at": label.annotated_at,
            "count": label.count,
            "details": label.details,
        }
        for image_id, label in labels
    )
    return insert_new(conn, image_label, rows)


def remove_others(conn: sa.Connection, labels: Mapping[str, Iterable[SourceLabel]]) -> None:
    """Remove the labels that a source no longer gives to these photographs.

    `labels` has the present labels by image id, with those of boxes. Labels by sources that give neither a
    photograph nor its boxes a label now stay.
    """
    present = {_id(image_id, label) for image_id, own in labels.items() for label in own}
    sources = {image_id: {label.source for label in own} for image_id, own in labels.items()}
    stale: list[str] = []
    query = sa.select(image_label.c.id, image_label.c.image_id, image_label.c.source)
    for batch in chunks(labels, IN_ROWS):
        for row in conn.execute(query.where(image_label.c.image_id.in_(batch))):
            if row.source in sources[row.image_id] and row.id not in present:
                stale.append(row.id)
    for batch in chunks(stale, IN_ROWS):
        conn.execute(sa.delete(image_label).where(image_label.c.id.in_(batch)))


def by_image(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, list[SourceLabel]]:
    """The labels of each of these photographs in a fixed order; one without labels has no entry.

    A merged category has the name of the category that it was merged into.
    """
    labels: dict[str, list[SourceLabel]] = {}
    given, target = category.alias(), category.alias()
    query = (
        sa.select(image_label, sa.func.coalesce(target.c.name, given.c.name).label("name"))
        .outerjoin(given, given.c.id == image_label.c.category_id)
        .outerjoin(target, target.c.id == given.c.merged_into)
        .order_by(
            image_label.c.image_id,
            image_label.c.source,
            image_label.c.level,
            sa.func.coalesce(image_label.c.category_id, -1),  # databases sort NULL differently
            image_label.c.key,
        )
    )
    for batch in chunks(image_ids, IN_ROWS):
        for row in conn.execute(query.where(image_label.c.image_id.in_(batch))).mappings():
            labels.setdefault(row["image_id"], []).append(_label(row))
    return labels


def _id(image_id: str, label: SourceLabel) -> str:
    return digest(image_id, label.source, label.level.value, category_name(label.category or ""), label.key)


def _label(row: Mapping[Any, Any]) -> SourceLabel:
    return SourceLabel(
        category=row["name"],
        source=row["source"],
        level=Level(row["level"]),
        weak=row["weak"],
        confidence=row["confidence"],
        annotator=row["annotator"],
        annotated_at=row["annotated_at"],
        count=row["count"],
        key=row["key"],
        details=row["details"],
    )
