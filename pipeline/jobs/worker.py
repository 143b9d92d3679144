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
from pipeline.jobs import scheduler
from pipeline.jobs.execute import perform
from pipeline.records import RunRecord, RunState
from pipeline.store import runs
from pipeline.workspace import Workspace

POLL_SECONDS = 0.5
TICK_SECONDS = 5.0
STORE_SECONDS = 5.0  # between tries of a store that fails

log = logging.getLogger(__name__)


def work(workspace: Workspace, *, burst: bool = False) -> None:
    """Carry out runs until SIGTERM or SIGINT; the run at hand is ended first, a second signal kills.

    With `burst`, only until no run waits. Any number of workers may share a store: a run is claimed by
    one. Also does what is due by the clock: syncs, and runs whose worker is gone.
    """
    if workspace.settings.label_studio_api_key is None:
        log.warning("LABEL_STUDIO_API_KEY is not set: no sync, and no queue reaches Label Studio")
    if workspace.settings.redis_url is not None:
        from pipeline.jobs import redis_worker

        redis_worker.work(workspace, burst=burst)
    else:
        _poll(workspace, burst=burst)


def run_now(workspace: Workspace, project_id: int, kind: str, *, trigger: str) -> RunRecord:
    """Ask for a run and carry it out here; returns it as it ended.

    Where a worker of the project was quicker, or still ends another run of this kind, this waits.
    """
    with workspace.database.write() as conn:
        run_id = runs.request(conn, project_id, kind, trigger=trigger)
    while True:
        ended = perform(workspace, run_id)
        if ended is not None:
            return ended
        with workspace.database.read() as conn:
            run = runs.get(conn, run_id)
        if run.state in (RunState.DONE, RunState.FAILED):
            return run
        scheduler.rescue(workspace)
        time.sleep(POLL_SECONDS)


def _poll(workspace: Workspace, *, burst: bool) -> None:
    next_tick = 0.0
    with _told_to_stop() as stop:
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
    """Carry out the first waiting run that can be claimed; False where there was none."""
    with workspace.database.read() as conn:
        waiting = runs.claimable(conn)
    return any(perform(workspace, run.id) is not None for run in waiting)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; in a thread other than the main one, nobody does."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def told(number: int, _frame: FrameType | None) -> None:
        log.info("told to stop by %s, ending the run at hand first", signal.Signals(number).name)
        restore()
        stop.set()

    for number in before:
        signal.signal(number, told)
    try:
        yield stop
    finally:
        restore()
