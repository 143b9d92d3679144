"""Asking for runs, and the rule for when labels call for a training."""

from __future__ import annotations

import datetime as dt
import logging

import sqlalchemy as sa

from pipeline.jobs import redis_queue
from pipeline.records import RunRecord, RunState, utc_now
from pipeline.steps.learning.schedule import GROWTH, labels_known, next_training
from pipeline.store import audits, candidates, embeddings, models, oracle, projects, runs, tasks
from pipeline.workspace import Workspace

TRAIN = "train"
SYNC = "sync"

FIRST_REST = dt.timedelta(minutes=1)  # after a failed training; doubles with each further one
LONGEST_REST = dt.timedelta(hours=1)

log = logging.getLogger(__name__)


def request(workspace: Workspace, project_id: int, kind: str, *, trigger: str) -> int:
    """Ask for a run of `kind` ("train" or "sync"); returns its number.

    Where one waits already this joins it, so any number of triggers during a run make one more. Safe
    from any process, and quick: a Redis that does not answer is left to the worker's timer.
    """
    with workspace.database.write() as conn:
        run_id = runs.request(conn, project_id, kind, trigger=trigger)
        run = runs.get(conn, run_id)
    redis_queue.offer(workspace.settings, [run])
    return run_id


def train_if_due(workspace: Workspace, project_id: int) -> int | None:
    """Ask for a training where enough is new; returns the run's number, else None.

    Enough is: no version yet and crops to order; before any label, a pool that grew by a fifth; or as
    many new labels as `steps.train.next_training` wants. A project whose trainings fail is left alone
    for a minute, then two, four, ... an hour.
    """
    with workspace.database.read() as conn:
        if not is_due(conn, workspace, project_id) or is_resting(conn, project_id, utc_now()):
            return None
    return request(workspace, project_id, TRAIN, trigger=runs.BY_LABELS)


def is_due(conn: sa.Connection, workspace: Workspace, project_id: int) -> bool:
    """Whether enough is new for a training."""
    newest = models.newest(conn, project_id)
    labels = oracle.label_count(conn, project_id)
    if newest is not None and labels >= next_training(newest, workspace.settings.retrain_every):
        news = labels - labels_known(newest)
        audited = audits.label_count(conn, project_id) - int(newest.metrics.get("audit_known", 0))
        return news > audited  # from audit labels alone there is nothing to learn
    if newest is not None and newest.labels:
        return False
    embedder = projects.get(conn, project_id).embedder
    enough = (0 if newest is None else int(newest.metrics["pool"])) * (1 + GROWTH)
    # A webhook waits for this: only where these two quick counts allow it are the tables joined.
    at_most = min(tasks.count(conn, project_id), embeddings.count(conn, embedder))
    return at_most > enough and candidates.embedded_count(conn, project_id, embedder) > enough


def is_resting(conn: sa.Connection, project_id: int, now: dt.datetime) -> bool:
    """Whether the project's last trainings failed so lately that the next one should wait."""
    return now < rest_until(runs.recent(conn, project_id, kind=TRAIN))


def rest_until(ended: list[RunRecord]) -> dt.datetime:
    """When to try again after these ended runs, newest first."""
    failures = 0
    for run in ended:
        if run.state is not RunState.FAILED:
            break
        failures += 1
    if not failures or ended[0].finished_at is None:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    doublings = min(failures - 1, 10)  # an hour is reached long before
    return ended[0].finished_at + min(LONGEST_REST, FIRST_REST * (1 << doublings))
