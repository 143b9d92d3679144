"""Background runs: requested, claimed by one worker, finished once.

Each project has at most one queued and one running run of a kind, and projects with one embedder have one
running embed run between them. The functions that change a state hold the lock `runs` to ensure this; the
unique indexes of the table only guard it.
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
from pipeline.store.schema import project, run

_FIELDS = tuple(field.name for field in fields(RunRecord))
BY_LABELS = "labels"  # trigger of trainings that were requested because of the number of labels
_ENDED = (RunState.DONE, RunState.FAILED)


def request(conn: sa.Connection, project_id: int, kind: RunKind, *, trigger: str) -> int:
    """Queue a run of this kind, unless one is queued already; returns its id.

    If the queued run was requested because of the number of labels only, it gets the new `trigger`.
    """
    lock(conn, "runs")
    queued = _first(conn, run.c.project_id == project_id, run.c.kind == kind, run.c.state == RunState.QUEUED)
    if queued is not None:
        if queued.trigger == BY_LABELS:
            conn.execute(sa.update(run).where(run.c.id == queued.id).values(trigger=trigger))
        return queued.id
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
    """Start the run as `worker`; None if it is not queued any more or another of its kind is running."""
    lock(conn, "runs")
    if not any(record.id == run_id for record in claimable(conn)):
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
    """Queued runs that no running run excludes, oldest first.

    A running run excludes those of its kind for the same project. A running embed run also excludes embed
    runs of other projects with the same embedder: they find their crops embedded when it has ended.
    """
    running, owner, other = run.alias(), project.alias(), project.alias()
    same_embedder = (
        sa.exists()
        .where(
            running.c.kind == RunKind.EMBED,
            owner.c.id == run.c.project_id,
            other.c.id == running.c.project_id,
            owner.c.embedder == other.c.embedder,
        )
        .correlate_except(owner, other)
    )
    busy = sa.exists().where(
        running.c.kind == run.c.kind,
        running.c.state == RunState.RUNNING,
        sa.or_(running.c.project_id == run.c.project_id, same_embedder),
    )
    return _select(conn, run.c.state == RunState.QUEUED, ~busy)


def open_runs(conn: sa.Connection, project_id: int) -> list[RunRecord]:
    """The project's queued and running runs, oldest first."""
    is_open = run.c.state.in_((RunState.QUEUED, RunState.RUNNING))
    return _select(conn, run.c.project_id == project_id, is_open)


def running(conn: sa.Connection) -> list[RunRecord]:
    """Running runs, oldest first."""
    return _select(conn, run.c.state == RunState.RUNNING)


def heartbeat(conn: sa.Connection, claimed: RunRecord) -> bool:
    """Record that the run's worker is alive; False if the run was taken from it."""
    return bool(conn.execute(sa.update(run).where(_held(claimed)).values(heartbeat_at=utc_now())).rowcount)


def finish(
    conn: sa.Connection,
    claimed: RunRecord,
    *,
    error: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """End the run, as failed if there is an `error`; False if it was taken from its worker."""
    lock(conn, "runs")
    ended = {
        "state": RunState.DONE if error is None else RunState.FAILED,
        "finished_at": utc_now(),
        "error": error,
        "result": result,
    }
    return bool(conn.execute(sa.update(run).where(_held(claimed)).values(ended)).rowcount)


def release(conn: sa.Connection, claimed: RunRecord, *, error: str, attempts: int) -> RunState | None:
    """Take the run from a worker that is gone, and queue it again or end it as failed with `error`.

    It fails if it had `attempts` attempts already or another run of its kind is queued. Returns the new
    state; None if its worker has ended it in the meantime.
    """
    lock(conn, "runs")
    queued = _first(
        conn,
        run.c.project_id == claimed.project_id,
        run.c.kind == claimed.kind,
        run.c.state == RunState.QUEUED,
    )
    if queued is not None or claimed.attempts >= attempts:
        return RunState.FAILED if finish(conn, claimed, error=error) else None
    values = {"state": RunState.QUEUED, "worker": None, "heartbeat_at": None, "error": error}
    requeued = conn.execute(sa.update(run).where(_held(claimed)).values(values)).rowcount
    return RunState.QUEUED if requeued else None


def end_queued(conn: sa.Connection, project_id: int, *, reason: str) -> None:
    """End the project's queued runs: nothing is left for them to do, for this `reason`."""
    lock(conn, "runs")
    waiting = run.c.project_id == project_id, run.c.state == RunState.QUEUED
    ended = {"state": RunState.DONE, "finished_at": utc_now(), "result": {"reason": reason}}
    conn.execute(sa.update(run).where(*waiting).values(ended))


def get(conn: sa.Connection, run_id: int) -> RunRecord:
    """The run. Raises StoreError if there is none with this id."""
    record = _first(conn, run.c.id == run_id)
    if record is None:
        raise StoreError(f"there is no run {run_id}")
    return record


def recent(
    conn: sa.Connection, project_id: int, *, kind: RunKind | None = None, limit: int = 20
) -> list[RunRecord]:
    """The project's last `limit` ended runs, newest first."""
    conditions = [run.c.project_id == project_id, run.c.state.in_(_ENDED)]
    if kind is not None:
        conditions.append(run.c.kind == kind)
    query = sa.select(run).where(*conditions).order_by(run.c.finished_at.desc(), run.c.id.desc()).limit(limit)
    return [_record(row) for row in conn.execute(query).mappings()]


def last_requested(conn: sa.Connection, project_id: int, kind: RunKind) -> dt.datetime | None:
    """The time of the newest request for a run of this kind."""
    query = sa.select(sa.func.max(run.c.requested_at)).where(
        run.c.project_id == project_id, run.c.kind == kind
    )
    time: dt.datetime | None = conn.execute(query).scalar_one()
    return time


def prune(conn: sa.Connection, project_id: int, kind: RunKind, *, keep: int) -> None:
    """Delete all but the newest `keep` ended runs of this kind."""
    ended = run.c.project_id == project_id, run.c.kind == kind, run.c.state.in_(_ENDED)
    newest = sa.select(run.c.id).where(*ended).order_by(run.c.id.desc()).limit(keep)
    conn.execute(sa.delete(run).where(*ended, run.c.id.not_in(newest)))


def _held(claimed: RunRecord) -> sa.ColumnElement[bool]:
    """Whether the run is still running, by the same worker, in the same attempt."""
    return sa.and_(
        run.c.id == claimed.id,
        run.c.state == RunState.RUNNING,
        run.c.worker == claimed.worker,
        run.c.attempts == claimed.attempts,
    )


def _first(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> RunRecord | None:
    records = _select(conn, *conditions)
    return records[0] if records else None


def _select(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[RunRecord]:
    query = sa.select(run).where(*conditions).order_by(run.c.requested_at, run.c.id)
    return [_record(row) for row in conn.execute(query).mappings()]


def _record(row: Mapping[Any, Any]) -> RunRecord:
    values = {name: row[name] for name in _FIELDS}
    return RunRecord(**values | {"kind": RunKind(row["kind"]), "state": RunState(row["state"])})
