"""Carrying out one run: claim it, keep it alive by heartbeats, and end it with its result or its error."""

from __future__ import annotations

import datetime as dt
import logging
from functools import partial

from pipeline.errors import StoreError, WildloopError
from pipeline.jobs import heartbeat, redis_queue
from pipeline.jobs.kinds import project_of, work_of
from pipeline.records import RunKind, RunRecord
from pipeline.store import runs
from pipeline.store.database import Database
from pipeline.store.workers import own_id
from pipeline.workspace import Workspace

STALE_AFTER = dt.timedelta(seconds=45)  # nine missed heartbeats
KEPT_SYNCS = 100  # ended syncs of a project that the store keeps

log = logging.getLogger(__name__)


def perform(workspace: Workspace, run_id: int, *, progress: bool = False) -> RunRecord | None:
    """Carry out the run in this process; returns the ended run.

    Returns None if there is nothing to do: another worker has claimed the run, it has ended, or a running
    run excludes it (`runs.claimable`). `progress` shows progress bars on a terminal. An error during the
    run is stored with the run and not raised. Raises StoreError if the store cannot be written; a worker
    then requeues the run once its heartbeat is old.
    """
    with workspace.database.write() as conn:
        claimed = runs.claim(conn, run_id, own_id())
    if claimed is None:
        return None
    error, result = None, None
    with heartbeat.repeated(partial(_beat, workspace.database, claimed), f"heartbeat of run {claimed.id}"):
        try:
            result = work_of(claimed.kind)(workspace, claimed, progress)
        except WildloopError as exc:
            error = str(exc)
        except Exception as exc:  # no error may end the worker itself
            log.exception("%s failed unexpectedly", describe(claimed))
            error = f"{type(exc).__name__}: {exc}"
    with workspace.database.write() as conn:
        is_ours = runs.finish(conn, claimed, error=error, result=result)
        if claimed.kind is RunKind.SYNC:
            runs.prune(conn, project_of(claimed), RunKind.SYNC, keep=KEPT_SYNCS)
        waiting = runs.claimable(conn)
        ended = runs.get(conn, run_id)
    if not is_ours:
        log.warning("%s was given to another worker meanwhile", describe(claimed))
    elif error is not None:
        log.error("%s failed: %s", describe(claimed), error)
    redis_queue.offer(workspace.settings, waiting)
    return ended


def describe(run: RunRecord) -> str:
    """The run as log lines name it."""
    return f"run {run.id} ({run.kind} of project {run.project_id})"


def _beat(database: Database, claimed: RunRecord) -> None:
    """Renew the heartbeat of the run; an error of the store is only logged."""
    try:
        with database.write() as conn:
            runs.heartbeat(conn, claimed)
    except StoreError as exc:
        log.warning("%s missed a heartbeat: %s", describe(claimed), exc)
