"""Carrying out one run: claimed, kept alive by heartbeats, and ended with its result or its error."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from pipeline.errors import StoreError, WildloopError
from pipeline.jobs import redis_queue
from pipeline.jobs.enqueue import SYNC, TRAIN, is_due, train_if_due
from pipeline.jobs.worker_id import own_name
from pipeline.records import RunRecord
from pipeline.store import models, predictions, runs
from pipeline.store.database import Database
from pipeline.store.projects import EmbedderChangedError
from pipeline.workspace import Workspace

BEAT_SECONDS = 5.0
STALE_AFTER = dt.timedelta(seconds=45)  # nine missed heartbeats
KEPT_SYNCS = 100  # ended sync runs of a project that stay to be looked at

log = logging.getLogger(__name__)

Result = Mapping[str, Any]


def perform(workspace: Workspace, run_id: int) -> RunRecord | None:
    """Carry out the run here and now; returns it as it ended.

    None where there is nothing to do: somebody else has it, it ended, or one of its kind still runs
    for the project. What goes wrong becomes the run's error and is not raised. Raises StoreError where
    the store cannot be written; the run is then picked up again once its heartbeat is old.
    """
    with workspace.database.write() as conn:
        claimed = runs.claim(conn, run_id, own_name())
    if claimed is None:
        return None
    error, result = None, None
    with _heartbeat(workspace.database, claimed):
        try:
            result = _KINDS[claimed.kind](workspace, claimed)
        except WildloopError as exc:
            error = str(exc)
        except Exception as exc:  # whatever it is, a run must never take its worker with it
            log.exception("run %d (%s) broke", claimed.id, claimed.kind)
            error = f"{type(exc).__name__}: {exc}"
    with workspace.database.write() as conn:
        kept = runs.finish(conn, claimed, error=error, result=result)
        if claimed.kind == SYNC and claimed.project_id is not None:
            runs.prune(conn, claimed.project_id, SYNC, keep=KEPT_SYNCS)
        waiting = [one for one in runs.claimable(conn) if one.project_id == claimed.project_id]
        ended = runs.get(conn, run_id)
    if not kept:
        log.warning("run %d (%s) was given to another worker meanwhile", claimed.id, claimed.kind)
    elif error is not None:
        log.error("run %d (%s) failed: %s", claimed.id, claimed.kind, error)
    redis_queue.offer(workspace.settings, waiting)
    return ended


def _train(workspace: Workspace, run: RunRecord) -> Result:
    """Train, or make a cold start, and push the queue."""
    from pipeline.steps.labelling.refresh import refresh

    project_id = _project(run)
    with workspace.database.read() as conn:
        if run.trigger == runs.BY_LABELS and not is_due(conn, workspace, project_id):
            return {"version": None, "reason": "a training meanwhile has learned these labels"}
        before = {one.version for one in models.all(conn, project_id)}
    try:
        done = refresh(workspace, project_id)
    except EmbedderChangedError as exc:  # no failure: labels that nothing has learned call for the next
        return {"version": None, "reason": str(exc)}
    return {
        "version": done.record.version,
        "new": done.record.version not in before,
        "labels": done.record.labels,
        "accuracy": done.record.metrics.get("accuracy"),
        "reason": done.reason,
        "push": asdict(done.push),
    }


def _sync(workspace: Workspace, run: RunRecord) -> Result:
    """Make the oracle equal to Label Studio, push what an earlier push left over, train if due."""
    from pipeline.steps.labelling.push import push
    from pipeline.steps.labelling.sync import sync

    project_id = _project(run)
    client = workspace.label_studio()
    report = sync(workspace, client, project_id)
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
        left_over = current is not None and bool(predictions.unpushed(conn, current.version))
    if left_over:
        push(workspace, client, project_id)
    return {**asdict(report), "training": train_if_due(workspace, project_id)}


_KINDS: dict[str, Callable[[Workspace, RunRecord], Result]] = {TRAIN: _train, SYNC: _sync}


def _project(run: RunRecord) -> int:
    assert run.project_id is not None, "the store takes no run without a project"
    return run.project_id


@contextmanager
def _heartbeat(database: Database, claimed: RunRecord) -> Iterator[None]:
    """While the block runs, a thread says every few seconds that it does."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            try:
                with database.write() as conn:
                    runs.beat(conn, claimed)
            except StoreError as exc:
                log.warning("a heartbeat of run %d was missed: %s", claimed.id, exc)

    thread = threading.Thread(target=beat, name=f"heartbeat of run {claimed.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
