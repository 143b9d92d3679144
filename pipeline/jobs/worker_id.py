"""The id of the process that carries out a run, by which others on the machine see whether it lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path


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
