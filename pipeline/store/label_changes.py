"""Which labels have changed since some moment, such as a training."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from pipeline.current_label import OracleEntry, current_label
from pipeline.records import Verdict
from pipeline.store.database import IN_ROWS, chunks
from pipeline.store.oracle import belongs, histories
from pipeline.store.schema import detection, oracle


def last_row(conn: sa.Connection) -> int:
    """The number of the newest row of the oracle, 0 before the first: a moment, for `changed_since`."""
    newest: int = conn.execute(sa.select(sa.func.coalesce(sa.func.max(oracle.c.id), 0))).scalar_one()
    return newest


def changed_since(conn: sa.Connection, row: int, *, limit: int) -> set[str]:
    """The detections of the project whose label is another one than at `row` (see `last_row`).

    If there are more than `limit`, at least so many of them. These are new labels, corrections, and labels
    that were taken back. A label that somebody confirmed, or whose category was merged, is the same.
    """
    touched = (
        sa.select(oracle.c.detection_id)
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(oracle.c.id > row, belongs())
        .distinct()
    )
    changed: set[str] = set()
    for batch in chunks(conn.scalars(touched).all(), IN_ROWS):
        if len(changed) >= limit:
            break
        then, now = _label_of(histories(conn, batch, until=row)), _label_of(histories(conn, batch))
        changed.update(id_ for id_ in batch if then.get(id_) != now.get(id_))
    return changed


def _label_of(histories_: Mapping[str, list[OracleEntry]]) -> dict[str, int]:
    current = {id_: current_label(history) for id_, history in histories_.items()}
    return {
        id_: found.label
        for id_, found in current.items()
        if found.verdict is Verdict.LABEL and found.label is not None
    }
