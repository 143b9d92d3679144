"""Background runs: rows that are asked for, claimed by one worker, and ended once.

Whoever changes a run's state first takes the lock `runs`, so that the rule of one waiting and one
running run for each project and kind is decided here; the unique indexes only guard it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.records import RunKind, RunRecord, RunState, utc_now
from pipeline.store.database import lock
from pipeline.store.schema import run

_FIELDS = tuple(field.name for field in fields(RunRecord))
BY_LABELS = "labels"  # the one trigger that a training meanwhile may have answered
_ENDED = (RunState.DONE, RunState.FAILED)


def request(conn: sa.Connection, project_id: int, kind: RunKind, *, trigger: str) -> int:
    """The waiting run of this kind, made now unless one waits already: later triggers join it.

    Where a person joins a run that only the number of labels asked for, it is that person's from then.
    """
    lock(conn, "runs")
    waiting = _one(conn, run.c.project_id == project_id, run.c.kind == kind, run.c.state == RunState.QUEUED)
    if waiting is not None:
        if waiting.trigger == BY_LABELS:
            conn.execute(sa.update(run).where(run.c.id == waiting.id).values(trigger=trigger))
        return waiting.id
    row = {
        "project_id": project_id,
        "kind": kind,
        "state": RunState.QUEUED,
        "trigger": trigger,
        "requested_at": utc_now(),
        "attempts": 0,
    }
    return int(conn.execute(sa.insert(run).values(row).returning(run.c.id)).scalar_one())


def claim(conn: sa.Connection, run_id: int, worker: str) -> RunRecord | None:
    """Begin the run as `worker`; None where it does not wait any more, or one of its kind still runs."""
    lock(conn, "runs")
    if not any(one.id == run_id for one in claimable(conn)):
        return None
    now = utc_now()
    conn.execute(
        sa.update(run)
        .where(run.c.id == run_id)
        .values(
            state=RunState.RUNNING,
            worker=worker,
            started_at=now,
            heartbeat_at=now,
            attempts=run.c.attempts + 1,
        )
    )
    return get(conn, run_id)


def claimable(conn: sa.Connection) -> list[RunRecord]:
    """Waiting runs whose project and kind has none running, oldest first."""
    running = run.alias()
    busy = sa.exists().where(
        running.c.project_id == run.c.project_id,
        running.c.kind == run.c.kind,
        running.c.state == RunState.RUNNING,
    )
    return _select(conn, run.c.state == RunState.QUEUED, ~busy)


def running(conn: sa.Connection) -> list[RunRecord]:
    """Runs that somebody claimed and did not end, oldest first."""
    return _select(conn, run.c.state == RunState.RUNNING)


def beat(conn: sa.Connection, claimed: RunRecord) -> bool:
    """Say that the run's worker lives; False where the run was taken from it."""
    return bool(conn.execute(sa.update(run).where(_held(claimed)).values(heartbeat_at=utc_now())).rowcount)


def finish(
    conn: sa.Connection,
    claimed: RunRecord,
    *,
    error: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """End the run, as failed where there is an error; False where it was taken from its worker."""
    lock(conn, "runs")
    ended = {
        "state": RunState.DONE if error is None else RunState.FAILED,
        "finished_at": utc_now(),
        "error": error,
        "result": result,
    }
    return bool(conn.execute(sa.update(run).where(_held(claimed)).values(ended)).rowcount)


def release(conn: sa.Connection, claimed: RunRecord, *, error: str, attempts: int) -> RunState | None:
    """Take the run from a worker that is gone: it waits again, or fails with `error`.

    It fails after `attempts` of them, and where another run of its kind waits to do the same work.
    Returns the state that it is in now; None where its worker ended it after all.
    """
    lock(conn, "runs")
    waiting = _one(
        conn,
        run.c.project_id == claimed.project_id,
        run.c.kind == claimed.kind,
        run.c.state == RunState.QUEUED,
    )
    if waiting is not None or claimed.attempts >= attempts:
        return RunState.FAILED if finish(conn, claimed, error=error) else None
    again = {"state": RunState.QUEUED, "worker": None, "heartbeat_at": None, "error": error}
    freed = conn.execute(sa.update(run).where(_held(claimed)).values(again)).rowcount
    return RunState.QUEUED if freed else None


def get(conn: sa.Connection, run_id: int) -> RunRecord:
    """The run; StoreError where there is none of that number."""
    found = _one(conn, run.c.id == run_id)
    if found is None:
        raise StoreError(f"there is no run {run_id}")
    return found


def recent(
    conn: sa.Connection, project_id: int, *, kind: RunKind | None = None, limit: int = 20
) -> list[RunRecord]:
    """The project's ended runs, newest first."""
    conditions = [run.c.project_id == project_id, run.c.state.in_(_ENDED)]
    if kind is not None:
        conditions.append(run.c.kind == kind)
    query = sa.select(run).where(*conditions).order_by(run.c.finished_at.desc(), run.c.id.desc()).limit(limit)
    return [_record(row) for row in conn.execute(query).mappings()]


def last_requested(conn: sa.Connection, project_id: int, kind: RunKind) -> dt.datetime | None:
    """When a run of this kind was last asked for."""
    query = sa.select(sa.func.max(run.c.requested_at)).where(
        run.c.project_id == project_id, run.c.kind == kind
    )
    moment: dt.datetime | None = conn.execute(query).scalar_one()
    return moment


def prune(conn: sa.Connection, project_id: int, kind: RunKind, *, keep: int) -> None:
    """Forget all but the newest `keep` ended runs of this kind."""
    mine = run.c.project_id == project_id, run.c.kind == kind, run.c.state.in_(_ENDED)
    newest = sa.select(run.c.id).where(*mine).order_by(run.c.id.desc()).limit(keep)
    conn.execute(sa.delete(run).where(*mine, run.c.id.not_in(newest)))


def _held(claimed: RunRecord) -> sa.ColumnElement[bool]:
    """Still running, by the same worker, in the same attempt."""
    return sa.and_(
        run.c.id == claimed.id,
        run.c.state == RunState.RUNNING,
        run.c.worker == claimed.worker,
        run.c.attempts == claimed.attempts,
    )


def _one(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> RunRecord | None:
    found = _select(conn, *conditions)
    return found[0] if found else None


def _select(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[RunRecord]:
    query = sa.select(run).where(*conditions).order_by(run.c.requested_at, run.c.id)
    return [_record(row) for row in conn.execute(query).mappings()]


def _record(row: Mapping[Any, Any]) -> RunRecord:
    values = {name: row[name] for name in _FIELDS}
    return RunRecord(**values | {"kind": RunKind(row["kind"]), "state": RunState(row["state"])})
