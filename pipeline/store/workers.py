"""The worker processes: which of them live, by their heartbeats and by the process id on this machine."""

from __future__ import annotations

import datetime as dt
import os
import socket
from pathlib import Path

import sqlalchemy as sa

from pipeline.records import utc_now
from pipeline.store.database import insert_new
from pipeline.store.schema import worker

SILENCE = dt.timedelta(seconds=60)  # of a worker that is taken for gone; it beats every few seconds
FORGOTTEN = dt.timedelta(days=30)  # after its last heartbeat


def beat(conn: sa.Connection, worker_id: str) -> None:
    """Record that this worker is alive."""
    now = utc_now()
    if insert_new(conn, worker, [{"id": worker_id, "started_at": now, "seen_at": now}]):
        conn.execute(sa.delete(worker).where(worker.c.seen_at < now - FORGOTTEN))
    else:
        conn.execute(sa.update(worker).where(worker.c.id == worker_id).values(seen_at=now))


def leave(conn: sa.Connection, worker_id: str) -> None:
    """Forget a worker that stops."""
    conn.execute(sa.delete(worker).where(worker.c.id == worker_id))


def alive(conn: sa.Connection) -> list[str]:
    """The ids of the workers that run now."""
    recent = sa.select(worker.c.id).where(worker.c.seen_at > utc_now() - SILENCE).order_by(worker.c.id)
    return [worker_id for worker_id in conn.scalars(recent) if not is_gone(worker_id)]


def last_seen(conn: sa.Connection) -> dt.datetime | None:
    """When a worker that did not stop in order was last alive; None if there is none."""
    moment: dt.datetime | None = conn.execute(sa.select(sa.func.max(worker.c.seen_at))).scalar_one()
    return moment


def own_id() -> str:
    """`machine:pid` of this process."""
    return f"{machine()}:{os.getpid()}"


def is_gone(worker_id: str) -> bool:
    """Whether this process ran on this machine and has ended; False for processes of other machines."""
    where, _, pid = worker_id.rpartition(":")
    if where != machine() or not pid.isdecimal() or os.name == "nt":  # Windows has no signal that only asks
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it lives, under another user
    return _is_zombie(int(pid))


def machine() -> str:
    """This host, boot and process namespace, within which a pid identifies one process.

    Two containers can share a host name without sharing process ids.
    """
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot.read_text()[:8]}/{namespace.stat().st_ino}"


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended but its parent has not collected its exit status."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
