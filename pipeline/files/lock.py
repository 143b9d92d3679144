"""One lock between the processes and threads of a machine, on every operating system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import WildloopError
from pipeline.files.atomic import write_error

_POLL_SECONDS = 0.02


@contextmanager
def locked(path: Path, *, busy: WildloopError | None = None) -> Iterator[None]:
    """Hold the lock file `path`, whose folder is created if missing, while the block runs.

    If another thread or process holds it, raises `busy`, or waits if that is None. The system releases the
    lock of a process that is killed, and forked children do not inherit it: filelock closes it in them.
    Raises FileError if the lock file cannot be created.
    """
    lock = FileLock(path, timeout=-1 if busy is None else 0, poll_interval=_POLL_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as exc:
        assert busy is not None
        raise busy from exc
    except OSError as exc:
        raise write_error(path, exc) from exc
    try:
        yield
    finally:
        lock.release()
