"""Requesting runs, and the rule that decides when a training is due."""

from __future__ import annotations

import datetime as dt
import logging

import sqlalchemy as sa

from pipeline.jobs import redis_queue
from pipeline.records import RunKind, RunRecord, RunState, utc_now
from pipeline.steps.learning.schedule import GROWTH, is_enough
from pipeline.store import candidates, embeddings, models, projects, runs
from pipeline.workspace import Workspace

FIRST_BACKOFF = dt.timedelta(minutes=1)  # after a failed training; doubles with each further failure
MAX_BACKOFF = dt.timedelta(hours=1)

log = logging.getLogger(__name__)


def request(workspace: Workspace, project_id: int, kind: RunKind, *, trigger: str) -> int:
    """Request a run of `kind` for the project; returns the run's id.

    If such a run waits already, this request joins it, so that any number of requests during a run lead
    to one more run. Any process may call this, and it returns quickly: if Redis does not answer, the
    worker's scheduler enqueues the run later.
    """
    with workspace.database.write() as conn:
        run_id = runs.request(conn, project_id, kind, trigger=trigger)
        run = runs.get(conn, run_id)
    redis_queue.offer(workspace.settings, [run])
    return run_id


def train_if_due(workspace: Workspace, project_id: int) -> int | None:
    """Request a training if one is due; returns the run's id, or None if none is due.

    A training is due if the project has crops but no version; if it has no label but its pool grew by a
    fifth since the cold start; or if as many labels are new or corrected as `schedule.new_labels_wanted`
    says. After a failed training the project waits for a minute, after the next for two, four, and so on
    up to an hour.
    """
    with workspace.database.read() as conn:
        if not is_due(conn, workspace, project_id) or is_backing_off(conn, project_id, utc_now()):
            return None
    return request(workspace, project_id, RunKind.TRAIN, trigger=runs.BY_LABELS)


def top_up_if_low(workspace: Workspace, project_id: int, *, trigger: str) -> int | None:
    """Request a top-up of the project's stock if it is low; returns the run's id, or None if it is not.

    After a failed top-up the project waits as after a failed training.
    """
    from pipeline.steps.labelling.stock import is_low

    with workspace.database.read() as conn:
        if projects.get(conn, project_id).replaced_by is not None:
            return None
        ended = runs.recent(conn, project_id, kind=RunKind.PUBLISH)
    if utc_now() < retry_at(ended):
        return None
    report = ((ended[0].result if ended else None) or {}).get("stock") or {}
    if not is_low(workspace, project_id, complete=bool(report.get("complete"))):
        return None
    return request(workspace, project_id, RunKind.PUBLISH, trigger=trigger)


def is_due(conn: sa.Connection, workspace: Workspace, project_id: int) -> bool:
    """Whether there are enough new or corrected labels, or new crops, for a training."""
    if projects.get(conn, project_id).replaced_by is not None:
        return False
    newest = models.newest(conn, project_id)
    if newest is not None and is_enough(conn, project_id, workspace.settings.retrain_every):
        return True
    if newest is not None and newest.labels:
        return False
    embedder = projects.get(conn, project_id).embedder
    threshold = (0 if newest is None else int(newest.metrics["pool"])) * (1 + GROWTH)
    # This is asked after every answer, so the tables are joined only if a quick count allows it.
    return (
        embeddings.count(conn, embedder) > threshold and candidates.embedded_count(conn, embedder) > threshold
    )


def is_backing_off(conn: sa.Connection, project_id: int, now: dt.datetime) -> bool:
    """Whether the project's last trainings failed so recently that the next one must wait."""
    return now < retry_at(runs.recent(conn, project_id, kind=RunKind.TRAIN))


def retry_at(ended: list[RunRecord]) -> dt.datetime:
    """The earliest time of the next attempt after these ended runs, newest first."""
    failures = 0
    for run in ended:
        if run.state is not RunState.FAILED:
            break
        failures += 1
    if not failures or ended[0].finished_at is None:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    doublings = min(failures - 1, 10)  # the maximum is reached long before
    return ended[0].finished_at + min(MAX_BACKOFF, FIRST_BACKOFF * (1 << doublings))
