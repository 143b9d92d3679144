"""What annotators ask of others: that an expert sees a crop, and that a species joins the list."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import OracleEntry, active_entries
from pipeline.records import Verdict
from pipeline.store import categories, choices, oracle
from pipeline.store.schema import oracle as oracle_table


@dataclass(frozen=True, kw_only=True)
class ExpertRequest:
    """A crop that an annotator wants an expert to see."""

    detection_id: str
    annotator: str | None
    asked_at: dt.datetime
    comment: str | None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The name of a species that annotators typed, because the project does not offer it."""

    name: str
    category: int
    detections: tuple[str, ...]  # so named, in the order of the answers
    annotators: tuple[str, ...]


def for_experts(conn: sa.Connection, project_id: int) -> list[ExpertRequest]:
    """The crops that wait for an expert, longest first.

    A crop does until somebody answers it alone after the last request, and does not ask themselves.
    """
    found = []
    for detection_id, entries in _active(conn, project_id, '"expert": true').items():
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


def proposals(conn: sa.Connection, project_id: int) -> list[Proposal]:
    """The species that annotators named and the project still does not offer, most crops first."""
    names, offered = categories.names(conn), choices.offered(conn, project_id)
    typed: dict[int, list[tuple[str, OracleEntry]]] = defaultdict(list)
    for detection_id, entries in _active(conn, project_id, '"proposed": ').items():
        for entry in entries:
            if entry.label is not None and "proposed" in (entry.attributes or {}):
                typed[entry.label].append((detection_id, entry))
    found = [
        _proposal(names[number], number, so_named)
        for number, so_named in typed.items()
        if number not in offered
    ]
    return sorted(found, key=lambda proposal: (-len(proposal.detections), proposal.name))


def _decides(entry: OracleEntry, request: OracleEntry) -> bool:
    is_vote = entry.verdict in (Verdict.LABEL, Verdict.UNSURE) and not entry.asks_for_expert
    return is_vote and (entry.ground_truth or (entry.is_alone and entry.annotated_at > request.annotated_at))


def _proposal(name: str, number: int, typed: Sequence[tuple[str, OracleEntry]]) -> Proposal:
    in_order = sorted(typed, key=lambda pair: (pair[1].annotated_at, pair[0]))
    annotators = {entry.annotator for _, entry in in_order if entry.annotator is not None}
    return Proposal(
        name=name,
        category=number,
        detections=tuple(dict.fromkeys(detection_id for detection_id, _ in in_order)),
        annotators=tuple(sorted(annotators)),
    )


def _active(conn: sa.Connection, project_id: int, part: str) -> dict[str, list[OracleEntry]]:
    """What counts of every detection whose attributes ever had this part in their JSON."""
    attributes = oracle_table.c.attributes
    query = (
        sa.select(oracle_table.c.detection_id)
        .where(
            oracle_table.c.project_id == project_id,
            attributes.is_not(None),
            sa.cast(attributes, sa.Text).contains(part, autoescape=True),
        )
        .distinct()
    )
    histories = oracle.histories(conn, conn.scalars(query).all())
    return {detection_id: active_entries(history) for detection_id, history in histories.items()}
