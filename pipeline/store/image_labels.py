"""What sources say of whole photographs or sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.identity import digest
from pipeline.records import Level, SourceLabel, category_name
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import category, image_label


def add(conn: sa.Connection, labels: Iterable[tuple[str, SourceLabel]], numbers: Mapping[str, int]) -> int:
    """Insert the labels, pairs of image id and label, that are not there yet; returns how many were.

    There is one of each photograph, source, level, category and key. `numbers` is the category of each
    label's name as it stands in the label.
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


def forget_others(conn: sa.Connection, said: Mapping[str, Iterable[SourceLabel]]) -> None:
    """Remove what a source said of these photographs, by id, and does not say now.

    Sources that say nothing now keep what they said.
    """
    given = {_id(image_id, label) for image_id, labels in said.items() for label in labels}
    sources = {image_id: {label.source for label in labels} for image_id, labels in said.items()}
    stale: list[str] = []
    for ids in chunks(said, IN_ROWS):
        query = sa.select(image_label.c.id, image_label.c.image_id, image_label.c.source)
        for row in conn.execute(query.where(image_label.c.image_id.in_(ids))):
            if row.source in sources[row.image_id] and row.id not in given:
                stale.append(row.id)
    for keys in chunks(stale, IN_ROWS):
        conn.execute(sa.delete(image_label).where(image_label.c.id.in_(keys)))


def of(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, list[SourceLabel]]:
    """The labels of these photographs, each list in a fixed order; one without has no entry."""
    found: dict[str, list[SourceLabel]] = {}
    query = (
        sa.select(image_label, category.c.name)
        .outerjoin(category, category.c.id == image_label.c.category_id)
        .order_by(
            image_label.c.image_id,
            image_label.c.source,
            image_label.c.level,
            sa.func.coalesce(image_label.c.category_id, -1),  # each database has a place of its own for NULL
            image_label.c.key,
        )
    )
    for ids in chunks(image_ids, IN_ROWS):
        for row in conn.execute(query.where(image_label.c.image_id.in_(ids))).mappings():
            found.setdefault(row["image_id"], []).append(_label(row))
    return found


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
