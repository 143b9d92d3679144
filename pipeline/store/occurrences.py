"""How often the sources of labels name each category."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from pipeline.store import categories
from pipeline.store.schema import category, detection, image_label, oracle


def sources(conn: sa.Connection) -> list[str]:
    """The provenance of every label that came in with photographs, such as coco:ena24, sorted."""
    of_boxes = sa.select(oracle.c.source).where(oracle.c.project_id.is_(None))
    return sorted(conn.scalars(sa.union(sa.select(image_label.c.source), of_boxes)))


def by_category(conn: sa.Connection, given: Collection[str]) -> dict[str, int]:
    """The number of photographs on which these sources name each category, most first.

    Labels of boxes, photographs and sequences count alike, and merged categories as their target.
    """
    later = oracle.alias()
    is_withdrawn = sa.exists().where(
        later.c.annotation_uid == oracle.c.annotation_uid, later.c.revision > oracle.c.revision
    )
    of_boxes = (
        sa.select(detection.c.image_id, oracle.c.label.label("number"))
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(oracle.c.project_id.is_(None), oracle.c.source.in_(given), ~is_withdrawn)
    )
    of_photographs = sa.select(image_label.c.image_id, image_label.c.category_id.label("number")).where(
        image_label.c.source.in_(given)
    )
    named = sa.union(of_boxes, of_photographs).subquery()
    number = sa.func.coalesce(category.c.merged_into, category.c.id).label("number")
    photographs = sa.func.count(sa.distinct(named.c.image_id)).label("photographs")
    query = (
        sa.select(number, photographs)
        .join(named, named.c.number == category.c.id)
        .group_by(number)
        .order_by(photographs.desc(), number)
    )
    names = categories.names(conn)
    return {names[row.number]: row.photographs for row in conn.execute(query)}
