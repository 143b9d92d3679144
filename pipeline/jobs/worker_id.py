"""Who carries out a run, so that others on the same machine can tell whether they still live."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def own_name() -> str:
    """`machine:pid` of this process."""
    return f"{machine()}:{os.getpid()}"


def is_gone(name: str) -> bool:
    """Whether the named process ran here and does not any more; False of another machine's."""
    where, _, pid = name.rpartition(":")
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
    """This host, boot and process namespace: where one pid means one process.

    Two containers may bear one host name, and a pid of one says nothing of the other's.
    """
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot.read_text()[:8]}/{namespace.stat().st_ino}"


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended and only its parent has not asked after it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
