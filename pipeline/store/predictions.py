"""The queues: what each model version says of the detections it puts in front of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.records import PredictionRecord, utc_now
from pipeline.store.database import IN_ROWS, INSERT_ROWS, chunks
from pipeline.store.schema import prediction


def replace(conn: sa.Connection, version: str, records: Iterable[PredictionRecord]) -> None:
    """Make `records` the version's whole queue, none of it pushed yet."""
    conn.execute(sa.delete(prediction).where(prediction.c.model_version == version))
    for batch in chunks(records, INSERT_ROWS):
        conn.execute(sa.insert(prediction), [_row(version, record) for record in batch])


def of(conn: sa.Connection, version: str) -> list[PredictionRecord]:
    """The version's queue, first in line first."""
    return _select(conn, prediction.c.model_version == version)


def unpushed(conn: sa.Connection, version: str) -> list[PredictionRecord]:
    """What of the version's queue Label Studio has not been told yet, first in line first."""
    return _select(conn, prediction.c.model_version == version, prediction.c.pushed_at.is_(None))


def mark_pushed(conn: sa.Connection, version: str, detection_ids: Iterable[str]) -> None:
    """Note that Label Studio has these predictions of the version now."""
    now = utc_now()
    for ids in chunks(detection_ids, IN_ROWS):
        conn.execute(
            sa.update(prediction)
            .where(prediction.c.model_version == version, prediction.c.detection_id.in_(ids))
            .values(pushed_at=now)
        )


def queue(conn: sa.Connection, version: str, detection_ids: Iterable[str]) -> dict[str, PredictionRecord]:
    """The version's predictions of these detections; one that is not in its queue has no entry."""
    found: dict[str, PredictionRecord] = {}
    for ids in chunks(detection_ids, IN_ROWS):
        mine = prediction.c.model_version == version, prediction.c.detection_id.in_(ids)
        found.update((record.detection_id, record) for record in _select(conn, *mine))
    return found


def _select(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[PredictionRecord]:
    query = sa.select(prediction).where(*conditions).order_by(prediction.c.rank)
    return [_record(row) for row in conn.execute(query).mappings()]


def _row(version: str, record: PredictionRecord) -> dict[str, Any]:
    return {
        "model_version": version,
        "detection_id": record.detection_id,
        "rank": record.rank,
        "score": record.score,
        "category_id": record.category_id,
        "probability": record.probability,
        "novel": record.novel,
        "pushed_at": None,
    }


def _record(row: Mapping[Any, Any]) -> PredictionRecord:
    return PredictionRecord(
        detection_id=row["detection_id"],
        rank=row["rank"],
        score=row["score"],
        category_id=row["category_id"],
        probability=row["probability"],
        novel=row["novel"],
    )
