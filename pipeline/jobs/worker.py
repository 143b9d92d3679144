"""The worker process."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import StoreError
from pipeline.jobs import presence, scheduler
from pipeline.jobs.execute import perform
from pipeline.records import RunKind, RunRecord, RunState
from pipeline.store import runs
from pipeline.workspace import Workspace

POLL_SECONDS = 0.5
TICK_SECONDS = 5.0
STORE_SECONDS = 5.0  # before the next attempt when the store fails

log = logging.getLogger(__name__)


def work(workspace: Workspace, *, burst: bool = False) -> None:
    """Carry out runs until SIGTERM or SIGINT: the first signal lets the current run end, a second kills.

    With `burst`, stop as soon as no run waits. Any number of workers may share a store: each run is
    claimed by one of them. The worker also does what is due periodically (`scheduler.tick`).
    """
    if workspace.settings.label_studio_api_key is None:
        log.warning("LABEL_STUDIO_API_KEY is not set: no syncs, and nothing is asked in Label Studio")
    try:
        if workspace.settings.redis_url is not None:
            from pipeline.jobs import redis_worker

            redis_worker.work(workspace, burst=burst)
        else:
            with presence.shown(workspace.database):
                _poll(workspace, burst=burst)
    finally:
        presence.end(workspace.database)


def run_now(
    workspace: Workspace, project_id: int, kind: RunKind, *, trigger: str, progress: bool = False
) -> RunRecord:
    """Request a run and carry it out in this process; returns the ended run.

    `progress` is as in `perform`. Waits if a worker has claimed the run first, or while another run of this
    kind is running.
    """
    with workspace.database.write() as conn:
        run_id = runs.request(conn, project_id, kind, trigger=trigger)
    while True:
        ended = perform(workspace, run_id, progress=progress)
        if ended is not None:
            return ended
        with workspace.database.read() as conn:
            run = runs.get(conn, run_id)
        if run.state in (RunState.DONE, RunState.FAILED):
            return run
        scheduler.requeue_stalled(workspace)
        time.sleep(POLL_SECONDS)


def _poll(workspace: Workspace, *, burst: bool) -> None:
    next_tick = 0.0
    with _stop_event() as stop:
        while not stop.is_set():
            if time.monotonic() >= next_tick:
                scheduler.tick(workspace, burst=burst)
                next_tick = time.monotonic() + TICK_SECONDS
            try:
                worked = _work_once(workspace)
            except StoreError as exc:
                log.error("%s", exc)
                stop.wait(STORE_SECONDS)
                continue
            if not worked:
                if burst:
                    return
                stop.wait(POLL_SECONDS)


def _work_once(workspace: Workspace) -> bool:
    """Carry out the first waiting run that can be claimed; False if there was none."""
    with workspace.database.read() as conn:
        waiting = runs.claimable(conn)
    return any(perform(workspace, run.id) is not None for run in waiting)


@contextmanager
def _stop_event() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; outside the main thread no signal sets it."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former_handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in former_handlers.items():
            signal.signal(number, handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        log.info("stopping on %s once the current run has ended", signal.Signals(number).name)
        restore()
        stop.set()

    for number in former_handlers:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()
