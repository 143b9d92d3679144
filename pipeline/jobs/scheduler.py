"""What a worker does by the clock: picks up runs of the dead, asks for syncs, fills Redis again."""

from __future__ import annotations

import datetime as dt
import logging

from pipeline.errors import StoreError
from pipeline.jobs import redis_queue
from pipeline.jobs.enqueue import SYNC, request
from pipeline.jobs.execute import STALE_AFTER
from pipeline.jobs.worker_id import is_gone
from pipeline.records import RunState, utc_now
from pipeline.store import projects, runs
from pipeline.workspace import Workspace

ATTEMPTS = 3  # a run that took three workers with it is not tried a fourth time

log = logging.getLogger(__name__)


def tick(workspace: Workspace, *, burst: bool = False) -> None:
    """Everything that is due now; in a burst no sync is asked for. A store that fails is logged."""
    try:
        rescue(workspace)
        if not burst:
            request_syncs(workspace)
        with workspace.database.read() as conn:
            waiting = runs.claimable(conn)
        redis_queue.offer(workspace.settings, waiting)
    except StoreError as exc:
        log.error("the timer is put off: %s", exc)


def rescue(workspace: Workspace) -> None:
    """Take runs from workers that are gone: they wait again, or fail after the third worker."""
    with workspace.database.read() as conn:
        running = runs.running(conn)
    oldest = utc_now() - STALE_AFTER
    for run in running:
        name = run.worker or ""
        if run.heartbeat_at is not None and run.heartbeat_at > oldest and not is_gone(name):
            continue
        error = f"its worker {name} was gone in attempt {run.attempts} of {ATTEMPTS}"
        with workspace.database.write() as conn:
            state = runs.release(conn, run, error=error, attempts=ATTEMPTS)
        if state is RunState.QUEUED:
            log.warning("run %d (%s) waits again: %s", run.id, run.kind, error)
        elif state is RunState.FAILED:
            log.error("run %d (%s) failed: %s", run.id, run.kind, error)


def request_syncs(workspace: Workspace) -> None:
    """Ask for a sync of each project whose last one was asked for a while ago.

    Several workers share one clock: the rows. Without an API key there is nothing to ask.
    """
    if workspace.settings.label_studio_api_key is None:
        return
    due = utc_now() - dt.timedelta(seconds=workspace.settings.sync_seconds)
    with workspace.database.read() as conn:
        asked = {one.id: runs.last_requested(conn, one.id, SYNC) for one in projects.all(conn)}
    for project_id, moment in asked.items():
        if moment is None or moment <= due:
            request(workspace, project_id, SYNC, trigger="timer")
