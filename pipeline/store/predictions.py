"""The queue of each model version: predictions in the order in which crops are to be labelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from pipeline.records import PredictionRecord, utc_now
from pipeline.store.database import IN_ROWS, INSERT_ROWS, chunks
from pipeline.store.schema import prediction


def replace(conn: sa.Connection, version: str, records: Iterable[PredictionRecord]) -> None:
    """Replace the version's queue by `records`, none of them pushed yet."""
    conn.execute(sa.delete(prediction).where(prediction.c.model_version == version))
    for batch in chunks(records, INSERT_ROWS):
        conn.execute(sa.insert(prediction), [_row(version, record) for record in batch])


def queue(conn: sa.Connection, version: str) -> list[PredictionRecord]:
    """The version's queue in its order."""
    return _select(conn, prediction.c.model_version == version)


def unpushed(conn: sa.Connection, version: str) -> list[PredictionRecord]:
    """The part of the version's queue that is not pushed to Label Studio yet, in its order."""
    return _select(conn, prediction.c.model_version == version, prediction.c.pushed_at.is_(None))


def unpushed_count(conn: sa.Connection, version: str) -> int:
    """The number of places of the version's queue that are not pushed to Label Studio yet."""
    query = sa.select(sa.func.count()).where(
        prediction.c.model_version == version, prediction.c.pushed_at.is_(None)
    )
    return int(conn.execute(query).scalar_one())


def mark_pushed(conn: sa.Connection, version: str, detection_ids: Iterable[str]) -> None:
    """Record that these predictions of the version are in Label Studio."""
    now = utc_now()
    for ids in chunks(detection_ids, IN_ROWS):
        conn.execute(
            sa.update(prediction)
            .where(prediction.c.model_version == version, prediction.c.detection_id.in_(ids))
            .values(pushed_at=now)
        )


def category_ids(conn: sa.Connection, version: str) -> set[int]:
    """The categories that the version's queue suggests."""
    query = sa.select(prediction.c.category_id).where(prediction.c.model_version == version).distinct()
    return {number for number in conn.scalars(query) if number is not None}


def unpush(conn: sa.Connection, version: str) -> None:
    """Make the version's queue wait to be pushed again."""
    conn.execute(sa.update(prediction).where(prediction.c.model_version == version).values(pushed_at=None))


def by_detection(
    conn: sa.Connection, version: str, detection_ids: Iterable[str]
) -> dict[str, PredictionRecord]:
    """The predictions for these detections in the version's queue; one outside it has no entry."""
    records: dict[str, PredictionRecord] = {}
    in_version = prediction.c.model_version == version
    for batch in chunks(detection_ids, IN_ROWS):
        selected = _select(conn, in_version, prediction.c.detection_id.in_(batch))
        records.update((record.detection_id, record) for record in selected)
    return records


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
