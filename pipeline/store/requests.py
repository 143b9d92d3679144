"""What annotators ask of others: that an expert sees a crop."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import OracleEntry, active_entries
from pipeline.records import Verdict
from pipeline.store import oracle
from pipeline.store.schema import oracle as oracle_table


@dataclass(frozen=True, kw_only=True)
class ExpertRequest:
    """A crop that an annotator wants an expert to see."""

    detection_id: str
    annotator: str | None
    asked_at: dt.datetime
    comment: str | None


def for_experts(conn: sa.Connection, project_id: int) -> list[ExpertRequest]:
    """The crops that wait for an expert, longest first.

    A crop does until somebody answers it alone after the last request, and does not ask themselves.
    """
    found = []
    for detection_id, entries in _asked(conn, project_id).items():
        asked = [entry for entry in entries if entry.asks_for_expert]
        if not asked:
            continue
        last = max(asked, key=lambda entry: entry.annotated_at)
        if not any(_decides(entry, last) for entry in entries):
            comment = (last.attributes or {}).get("comment")
            found.append(
                ExpertRequest(
                    detection_id=detection_id,
                    annotator=last.annotator,
                    asked_at=last.annotated_at,
                    comment=comment,
                )
            )
    return sorted(found, key=lambda request: (request.asked_at, request.detection_id))


def _decides(entry: OracleEntry, request: OracleEntry) -> bool:
    is_vote = entry.verdict in (Verdict.LABEL, Verdict.UNSURE) and not entry.asks_for_expert
    return is_vote and (entry.ground_truth or (entry.is_alone and entry.annotated_at > request.annotated_at))


def _asked(conn: sa.Connection, project_id: int) -> dict[str, list[OracleEntry]]:
    """What counts of every crop for which an expert was ever asked."""
    attributes = oracle_table.c.attributes
    query = (
        sa.select(oracle_table.c.detection_id)
        .where(
            oracle_table.c.project_id == project_id,
            attributes.is_not(None),  # there is an index of these
            sa.cast(attributes, sa.Text).contains('"expert": true'),
        )
        .distinct()
    )
    histories = oracle.histories(conn, conn.scalars(query).all())
    return {detection_id: active_entries(history) for detection_id, history in histories.items()}
