"""Crops that somebody must decide: annotators disagree, or one of them asks for an expert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import active_entries
from pipeline.records import Purpose, TaskKind, TaskRecord, Verdict
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.store import categories, detections, oracle, requests, tasks

FIRST_SCORE = -3.0  # decisions come after crops that were struck out, and before reviews: -3 to -2


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """A crop that somebody must decide."""

    detection_id: str
    file_name: str
    purpose: Purpose  # DISPUTED or EXPERT
    said: Mapping[str, tuple[str, ...]]  # the annotators by what they said, such as a species or "unsure"
    comment: str | None  # of whoever asks for an expert


def undecided(conn: sa.Connection, project_id: int) -> list[Undecided]:
    """The crops of the project that somebody must decide, disputed ones first."""
    experts = {request.detection_id: request for request in requests.for_experts(conn, project_id)}
    disputed = sorted(oracle.disputed_ids(conn, project_id) - experts.keys())
    names = categories.names(conn)
    histories = oracle.histories(conn, [*disputed, *experts])
    file_names = detections.file_names(conn, [*disputed, *experts])
    found = []
    for crop in (*disputed, *experts):
        said: dict[str, list[str]] = {}
        for entry in active_entries(histories[crop]):
            if entry.verdict in (Verdict.LABEL, Verdict.UNSURE):
                word = entry.verdict.value if entry.label is None else names[entry.label]
                said.setdefault(word, []).append(entry.annotator or "?")
        found.append(
            Undecided(
                detection_id=crop,
                file_name=file_names[crop],
                purpose=Purpose.EXPERT if crop in experts else Purpose.DISPUTED,
                said={word: tuple(sorted(set(by))) for word, by in said.items()},
                comment=experts[crop].comment if crop in experts else None,
            )
        )
    return found


def plan_decisions(
    conn: sa.Connection, project_id: int, crops: Sequence[Undecided], *, again: bool = False
) -> list[PlannedTask]:
    """A task for each of these crops that none asks about.

    Each is asked once: whom its answer left undecided waits for the manager, who marks an annotation as
    ground truth, or for `again`.
    """
    asked: set[tuple[str, Purpose]] = set()
    for crop, records in tasks.of_detections(conn, project_id, [each.detection_id for each in crops]).items():
        asked |= {(crop, record.purpose) for record in records if not again or _is_open(record)}
    due = [each for each in crops if (each.detection_id, each.purpose) not in asked]
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=each.purpose,
            detections=(each.detection_id,),
            score=FIRST_SCORE + place / len(due),
            reason=_reason(each),
        )
        for place, each in enumerate(due)
    ]


def settled_decisions(open_tasks: Iterable[TaskRecord], crops: Iterable[Undecided]) -> list[int]:
    """The open decisions that are not needed any more."""
    wanted = {(each.detection_id, each.purpose) for each in crops}
    return [
        record.task_id
        for record in open_tasks
        if record.purpose in (Purpose.DISPUTED, Purpose.EXPERT)
        and (record.detections[0], record.purpose) not in wanted
    ]


def _is_open(record: TaskRecord) -> bool:
    return record.answered_at is None and record.parked_at is None


def _reason(crop: Undecided) -> str:
    """What people are told; not who said what."""
    if crop.purpose is Purpose.EXPERT:
        asks = "An annotator asks for an expert"
        return f"{asks}: {crop.comment}" if crop.comment else asks
    return f"Annotators disagree: {', '.join(sorted(crop.said))}"
