"""A worker's periodic work: requeue stalled runs, retry failed ones, request syncs, fill Redis again."""

from __future__ import annotations

import datetime as dt
import logging

from pipeline.errors import StoreError
from pipeline.jobs import redis_queue
from pipeline.jobs.enqueue import request, retry_at
from pipeline.jobs.execute import STALE_AFTER, describe
from pipeline.records import RunKind, RunRecord, RunState, utc_now
from pipeline.store import projects, runs
from pipeline.store.workers import is_gone
from pipeline.workspace import Workspace

MAX_ATTEMPTS = 3  # a run fails after it has stalled this often

log = logging.getLogger(__name__)


def tick(workspace: Workspace, *, burst: bool = False) -> None:
    """Do everything that is due now; a burst requests no run. An error of the store is only logged."""
    try:
        requeue_stalled(workspace)
        if not burst:
            retry_failed(workspace)
            request_syncs(workspace)
        with workspace.database.read() as conn:
            waiting = runs.claimable(conn)
        redis_queue.offer(workspace.settings, waiting)
    except StoreError as exc:
        log.error("the scheduler cannot reach the store and tries again later: %s", exc)


def requeue_stalled(workspace: Workspace) -> None:
    """Requeue runs whose worker is gone; a run that has stalled `MAX_ATTEMPTS` times fails instead."""
    with workspace.database.read() as conn:
        running = runs.running(conn)
    oldest = utc_now() - STALE_AFTER
    for run in running:
        worker_id = run.worker or ""
        if run.heartbeat_at is not None and run.heartbeat_at > oldest and not is_gone(worker_id):
            continue
        error = f"its worker {worker_id} was gone in attempt {run.attempts} of {MAX_ATTEMPTS}"
        with workspace.database.write() as conn:
            state = runs.release(conn, run, error=error, attempts=MAX_ATTEMPTS)
        if state is RunState.QUEUED:
            log.warning("%s waits again: %s", describe(run), error)
        elif state is RunState.FAILED:
            log.error("%s failed: %s", describe(run), error)


def retry_failed(workspace: Workspace) -> None:
    """Request embedding and publishing again that failed, after a pause that doubles with each failure.

    Trainings have a rule of their own (`enqueue.train_if_due`).
    """
    now = utc_now()
    with workspace.database.read() as conn:
        due = [
            (project.id, kind)
            for project in projects.active(conn)
            for kind in (RunKind.EMBED, RunKind.PUBLISH)
            if _failed_before(runs.recent(conn, project.id, kind=kind), now)
            and kind not in {run.kind for run in runs.open_runs(conn, project.id)}
        ]
    for project_id, kind in due:
        request(workspace, project_id, kind, trigger="retry")


def _failed_before(ended: list[RunRecord], now: dt.datetime) -> bool:
    """Whether the newest of these ended runs failed, long enough ago to try again."""
    return bool(ended) and ended[0].state is RunState.FAILED and retry_at(ended) <= now


def request_syncs(workspace: Workspace) -> None:
    """Request a sync for each project whose last sync was requested at least `sync_seconds` ago.

    Workers need no coordination: the time of the last request is in the store. Without an API key there
    is nothing to sync with.
    """
    if workspace.settings.label_studio_api_key is None:
        return
    due = utc_now() - dt.timedelta(seconds=workspace.settings.sync_seconds)
    with workspace.database.read() as conn:
        requested_at = {
            project.id: runs.last_requested(conn, project.id, RunKind.SYNC) for project in projects.all(conn)
        }
    for project_id, moment in requested_at.items():
        if moment is None or moment <= due:
            request(workspace, project_id, RunKind.SYNC, trigger="timer")
