"""Boxes that people drew: which of them stand, which they replaced, and which have no crop yet."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pipeline.records import DRAWN_DETECTOR, DetectionRecord, Role, Verdict
from pipeline.store import audits, detections, oracle
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.schema import detection, image

_SILENT = (Verdict.SKIPPED, Verdict.DELETED)


def authors(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, set[str]]:
    """The annotations, by unique id, that speak of each of these detections; skips do not."""
    found: dict[str, set[str]] = {}
    for detection_id, history in oracle.histories(conn, detection_ids).items():
        latest = {entry.annotation_uid: entry for entry in sorted(history, key=lambda one: one.revision)}
        said = {uid for uid, entry in latest.items() if entry.verdict not in _SILENT}
        found[detection_id] = said
    return found


def replace(conn: sa.Connection, former: str, new: str) -> None:
    """Let a box that a person drew stand for another, in the audit as well."""
    conn.execute(sa.update(detection).where(detection.c.id == former).values(replaced_by=new))
    audits.take_over(conn, former, new)


def settle(conn: sa.Connection, detection_ids: Iterable[str]) -> None:
    """Let those of these drawn boxes stand that an annotation speaks of, and take back the others.

    A box that was taken back replaces nothing any more: the former one stands again. Other detections are
    left as they are.
    """
    drawn: list[str] = []
    for batch in chunks(sorted(set(detection_ids)), IN_ROWS):
        query = sa.select(detection.c.id).where(
            detection.c.id.in_(batch), detection.c.detector == DRAWN_DETECTOR
        )
        drawn += conn.scalars(query)
    by_annotation = authors(conn, drawn)
    for detection_id in drawn:
        this = sa.update(detection).where(detection.c.id == detection_id)
        if by_annotation.get(detection_id):
            conn.execute(this.where(detection.c.replaced_by == detection_id).values(replaced_by=None))
        else:
            of_this = sa.update(detection).where(detection.c.replaced_by == detection_id)
            conn.execute(of_this.values(replaced_by=None))
            conn.execute(this.values(replaced_by=detection_id))


def without_crop(conn: sa.Connection) -> list[DetectionRecord]:
    """The boxes that stand and whose crops are not cut yet, those of one photograph together."""
    query = (
        sa.select(detection.c.id)
        .join(image, image.c.id == detection.c.image_id)
        .where(_lacks_crop())
        .order_by(detection.c.image_id, detection.c.id)
    )
    ids = list(conn.scalars(query))
    records = detections.get(conn, ids)
    return [records[id_] for id_ in ids]


def without_crop_count(conn: sa.Connection) -> int:
    """The number of boxes that stand and whose crops are not cut yet."""
    query = sa.select(sa.func.count()).select_from(detection.join(image, image.c.id == detection.c.image_id))
    return int(conn.execute(query.where(_lacks_crop())).scalar_one())


def _lacks_crop() -> sa.ColumnElement[bool]:
    return sa.and_(
        detection.c.detector == DRAWN_DETECTOR,
        detection.c.replaced_by.is_(None),
        detection.c.crop_path.is_(None),
        image.c.role == Role.TARGET,
    )
