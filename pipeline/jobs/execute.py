"""Carrying out one run: claim it, keep it alive by heartbeats, and end it with its result or its error."""

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
from pipeline.jobs.enqueue import is_due, train_if_due
from pipeline.jobs.worker_id import own_id
from pipeline.records import RunKind, RunRecord
from pipeline.store import models, predictions, runs
from pipeline.store.database import Database
from pipeline.store.projects import EmbedderChangedError
from pipeline.workspace import Workspace

HEARTBEAT_SECONDS = 5.0
STALE_AFTER = dt.timedelta(seconds=45)  # nine missed heartbeats
KEPT_SYNCS = 100  # ended syncs of a project that the store keeps

log = logging.getLogger(__name__)

Result = Mapping[str, Any]


def perform(workspace: Workspace, run_id: int) -> RunRecord | None:
    """Carry out the run in this process; returns the ended run.

    Returns None if there is nothing to do: another worker has claimed the run, it has ended, or another
    run of its kind is still running for the project. An error during the run is stored with the run and
    not raised. Raises StoreError if the store cannot be written; a worker then requeues the run once its
    heartbeat is old.
    """
    with workspace.database.write() as conn:
        claimed = runs.claim(conn, run_id, own_id())
    if claimed is None:
        return None
    error, result = None, None
    with _heartbeat(workspace.database, claimed):
        try:
            result = _HANDLERS[claimed.kind](workspace, claimed)
        except WildloopError as exc:
            error = str(exc)
        except Exception as exc:  # no error may end the worker itself
            log.exception("%s failed unexpectedly", describe(claimed))
            error = f"{type(exc).__name__}: {exc}"
    with workspace.database.write() as conn:
        is_ours = runs.finish(conn, claimed, error=error, result=result)
        if claimed.kind is RunKind.SYNC:
            runs.prune(conn, _project(claimed), RunKind.SYNC, keep=KEPT_SYNCS)
        waiting = [run for run in runs.claimable(conn) if run.project_id == claimed.project_id]
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


def _train(workspace: Workspace, run: RunRecord) -> Result:
    """Train, or make a cold start, and push the queue."""
    from pipeline.steps.labelling.refresh import refresh

    project_id = _project(run)
    with workspace.database.read() as conn:
        if run.trigger == runs.BY_LABELS and not is_due(conn, workspace, project_id):
            return {"version": None, "reason": "another training has learned from these labels meanwhile"}
        before = {record.version for record in models.all(conn, project_id)}
    try:
        done = refresh(workspace, project_id)
    except EmbedderChangedError as exc:  # not a failure: the labels stay unlearned, so a training is due
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
    """Sync, push what an earlier push left unsent, and request a training if one is due."""
    from pipeline.steps.labelling.push import push
    from pipeline.steps.labelling.sync import sync

    project_id = _project(run)
    client = workspace.label_studio()
    report = sync(workspace, client, project_id)
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
        has_unpushed = current is not None and bool(predictions.unpushed(conn, current.version))
    if has_unpushed:
        push(workspace, client, project_id)
    return {**asdict(report), "training": train_if_due(workspace, project_id)}


_HANDLERS: dict[RunKind, Callable[[Workspace, RunRecord], Result]] = {
    RunKind.TRAIN: _train,
    RunKind.SYNC: _sync,
}


def _project(run: RunRecord) -> int:
    assert run.project_id is not None, "the store accepts no run without a project"
    return run.project_id


@contextmanager
def _heartbeat(database: Database, claimed: RunRecord) -> Iterator[None]:
    """While the block runs, a thread renews the run's heartbeat every few seconds."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                with database.write() as conn:
                    runs.heartbeat(conn, claimed)
            except StoreError as exc:
                log.warning("%s missed a heartbeat: %s", describe(claimed), exc)

    thread = threading.Thread(target=beat, name=f"heartbeat of run {claimed.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
