"""The stock of a project, and what is known of its crops, as the store has them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pipeline.steps.labelling.stock_plan import Stock, Waiting
from pipeline.steps.learning.accepted import accepted_among
from pipeline.store import audits, candidates, models, oracle, predictions, projects, tasks
from pipeline.workspace import Workspace


def read_stock(conn: sa.Connection, project_id: int) -> Stock:
    """The open tasks of the project."""
    version = projects.get(conn, project_id).current_model
    return Stock(tasks=tasks.open_tasks(conn, project_id), version=version)


def read_waiting(workspace: Workspace, project_id: int, crops: Iterable[str]) -> Waiting:
    """What is known of these crops, and of all that were struck out or are disputed."""
    with workspace.database.read() as conn:
        struck = oracle.struck_ids(conn, project_id)
        asked = {*crops, *struck}
        unlabelled = candidates.waiting_among(conn, sorted(asked))
        audited = audits.drawn_among(conn, project_id, sorted(asked))
        requested = [crop for crop in audits.sample(conn, project_id).requested if crop in audited]
        disputed = oracle.disputed_ids(conn, project_id)
        current = models.current(conn, project_id)
        queued = set() if current is None else predictions.by_detection(conn, current.version, asked).keys()
    accepted = accepted_among(workspace, current, unlabelled - struck) if current is not None else set()
    return Waiting(
        unlabelled=unlabelled - accepted,
        audited=audited,
        requested=requested,
        queued=queued,
        struck=struck,
        disputed=disputed,
    )
