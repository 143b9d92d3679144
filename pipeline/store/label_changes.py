"""Which labels have changed since some moment, such as a training."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from pipeline.current_label import OracleEntry, current_label
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import RESOLVED, belongs, histories
from pipeline.store.schema import detection, oracle


def last_row(conn: sa.Connection) -> int:
    """The number of the newest row of the oracle, 0 before the first: a moment, for `changed_since`."""
    newest: int = conn.execute(sa.select(sa.func.coalesce(sa.func.max(oracle.c.id), 0))).scalar_one()
    return newest


def touched_since(conn: sa.Connection, row: int, *, limit: int) -> int:
    """The number of detections of which anything was said since `row`, up to `limit`.

    No fewer than have another label, and much quicker to count.
    """
    some = sa.select(oracle.c.detection_id).where(oracle.c.id > row).distinct().limit(limit)
    return int(conn.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one())


def changed_since(conn: sa.Connection, row: int, *, limit: int) -> set[str]:
    """The crops whose label is another one than at `row` (see `last_row`).

    If there are more than `limit`, at least so many of them. These are new labels, corrections, and labels
    that were taken back. A label that somebody confirmed, or whose category was merged, is the same.
    """
    earlier = oracle.alias()
    had_rows = sa.exists().where(earlier.c.detection_id == detection.c.id, earlier.c.id <= row)
    touched = sa.select(oracle.c.detection_id).where(oracle.c.id > row)
    query = sa.select(detection.c.id, _label(), had_rows.label("had_rows"))
    changed: set[str] = set()
    for batch in chunks(conn.execute(query.where(detection.c.id.in_(touched), belongs())), IN_ROWS):
        if len(changed) >= limit:
            break
        then = _labels(histories(conn, [found.id for found in batch if found.had_rows], until=row))
        changed.update(found.id for found in batch if then.get(found.id) != found.label)
    return changed


def _label() -> sa.ColumnElement[int | None]:
    """The category that is the label of a detection now."""
    return sa.case((detection.c.kind.in_(RESOLVED), detection.c.category_id)).label("label")


def _labels(histories_: Mapping[str, list[OracleEntry]]) -> dict[str, int | None]:
    """The category that was the label of each of these detections, as `detection` had it."""
    current = {id_: current_label(history) for id_, history in histories_.items()}
    return {id_: label.label if label.resolved else None for id_, label in current.items()}
