"""Second opinions: a share of the crops is asked twice, of two annotators who see no answer of the other."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from pipeline.current_label import active_entries
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import NOT_BY, Purpose, TaskKind, TaskRecord, Verdict, utc_now
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.store import opinions, oracle, projects

# Somebody else must be there to answer: whoever has not voted for so long may not come back.
PRESENT = dt.timedelta(days=30)
LAST_SCORE = 0.02  # opinions come among the first tasks of the queue, so that they are not put off for ever


def plan_opinions(conn: sa.Connection, project_id: int) -> list[PlannedTask]:
    """A task for each crop whose second opinion is due, kept from the annotator who has named it.

    Which crops are asked twice follows from their ids alone: no annotator can tell beforehand. Nothing is
    planned where only one annotator works.
    """
    share = ScreenOptions.from_json(projects.get(conn, project_id).options).opinions
    if not share:
        return []
    present = opinions.annotators(conn, project_id, utc_now() - PRESENT)
    if len(present) < 2:
        return []
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.OPINION,
            detections=(named.detection_id,),
            score=LAST_SCORE * _fraction("place", project_id, named.detection_id),
            details={NOT_BY: named.annotator},
        )
        for named in opinions.named_once(conn, project_id)
        if _fraction("opinion", project_id, named.detection_id) < share
        and present - {named.annotator}
        and named.annotator.isdecimal()  # a user of Label Studio
    ]


def settled_opinions(conn: sa.Connection, open_tasks: Sequence[TaskRecord]) -> list[int]:
    """The open opinions that are not needed any more: others have voted, or nobody has a vote there."""
    wanted = {record.task_id: record for record in open_tasks if record.purpose is Purpose.OPINION}
    histories = oracle.histories(conn, sorted({record.detections[0] for record in wanted.values()}))
    settled = []
    for number, record in wanted.items():
        active = active_entries(histories.get(record.detections[0], []))
        voters = {entry.annotator for entry in active if entry.verdict in (Verdict.LABEL, Verdict.UNSURE)}
        if record.kept_from not in voters or len(voters) > 1:
            settled.append(number)
    return settled


def _fraction(about: str, project_id: int, detection_id: str) -> float:
    """A number from 0 to 1 that looks random, and is always the same."""
    digest = hashlib.sha256(f"{about}:{project_id}:{detection_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
