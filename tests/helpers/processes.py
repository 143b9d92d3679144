"""Processes of this machine, from Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines of living processes, by id, whose environment or command line names the folder."""
    found = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if command and str(folder).encode() in command + (entry / "environ").read_bytes():
                found[int(entry.name)] = command.replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended, or belongs to another user
    return found


def processor_seconds(folder: Path) -> float:
    """How long the processes of a folder have computed: the same on a busy machine as on an idle one."""
    ticks = 0
    for number in processes_of(folder):
        fields = (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # in user mode and in the kernel
    return ticks / os.sysconf("SC_CLK_TCK")
