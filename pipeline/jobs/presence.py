"""A worker's heartbeat: by it, commands and `wildloop doctor` know that a worker runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StoreError
from pipeline.jobs.execute import HEARTBEAT_SECONDS
from pipeline.store import workers
from pipeline.store.database import Database

log = logging.getLogger(__name__)


def beat(database: Database) -> None:
    """Record that this worker is alive; an error of the store is only logged."""
    try:
        with database.write() as conn:
            workers.beat(conn, workers.own_id())
    except StoreError as exc:
        log.warning("the worker missed a heartbeat: %s", exc)


def end(database: Database) -> None:
    """Forget this worker, which stops; an error of the store is only logged."""
    try:
        with database.write() as conn:
            workers.leave(conn, workers.own_id())
    except StoreError as exc:
        log.warning("%s", exc)


@contextmanager
def shown(database: Database) -> Iterator[None]:
    """Record every few seconds, while the block runs, that this worker is alive."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            beat(database)

    beat(database)
    thread = threading.Thread(target=repeat, name="heartbeat of the worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
