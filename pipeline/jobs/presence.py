"""A worker's heartbeat: by it, commands and `wildloop doctor` know that a worker runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from pipeline.errors import StoreError
from pipeline.jobs import heartbeat
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
    beat(database)
    with heartbeat.repeated(partial(beat, database), "heartbeat of the worker"):
        yield
