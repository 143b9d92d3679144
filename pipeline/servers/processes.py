"""Child processes with logs: started, awaited, watched, and stopped whatever happens."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pipeline.errors import WildloopError
from pipeline.servers import interrupt

INSTALL = "uv pip install '.[demo]'"
PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL
POLL = 0.2  # seconds between two requests to a server that is starting
LAST_LINES = 15
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here because nothing may be loaded between fork and exec


class ServerError(WildloopError):
    """A server cannot be started, or has ended."""


@dataclass(frozen=True, kw_only=True)
class _Server:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int  # bytes of earlier runs in the log


class Servers:
    """Processes that belong together; the end of the `with` block stops them all, the newest first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._servers: list[_Server] = []

    def __enter__(self) -> Servers:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _undisturbed():
            self.stop()

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Run `command` in its own process group; its output is appended to `name`.log.

        On Linux the child also ends if this process is killed by SIGKILL.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process only, which stops the others in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
            log_start = output.tell()
        self._servers.append(_Server(name=name, process=process, log=log, log_start=log_start))

    def wait_until_up(self, url: str, *, seconds: float) -> None:
        """Return when `url` answers 200. Raises ServerError if a server ends, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not answers(url):
            self.check()
            if time.monotonic() > deadline:
                raise ServerError(f"{url} did not answer within {seconds:.0f} s\n{self._last_words()}")
            time.sleep(POLL)
        self.check()  # it is our server that answers, not another on this port

    def check(self) -> None:
        """Raise ServerError with the log's end if a server has ended; KeyboardInterrupt after a signal."""
        interrupt.check()
        for server in self._servers:
            status = server.process.poll()
            if status is not None:
                ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
                raise ServerError(f"{server.name} {ended}; the end of {server.log}:\n{_tail(server)}")

    def stop(self) -> None:
        """End every process group, the newest first: later servers may depend on earlier ones."""
        while self._servers:
            server = self._servers.pop()
            _signal_group(server.process, signal.SIGTERM)
            try:
                server.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # the signal below ends it
            finally:
                _signal_group(server.process, signal.SIGKILL)  # and the children it left behind
                server.process.wait()

    def _last_words(self) -> str:
        return "\n".join(f"the end of {server.log}:\n{_tail(server)}" for server in self._servers)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore signals: a second Ctrl-C must not leave servers behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def answers(url: str) -> bool:
    """Whether an HTTP GET of `url` returns 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def executable(name: str, remedy: str) -> str:
    """The path of a command in this Python environment, or else on PATH; ServerError if there is none."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerError(f"the command `{name}` is not installed", remedy=remedy)
    return found


def free_port(preferred: int | None = None) -> int:
    """`preferred` if it is free, else any free port of this machine."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether a server can listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        # The group has the id of its first process, even after that process has ended.
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # the group is empty


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(server: _Server) -> str:
    with server.log.open("rb") as file:
        file.seek(server.log_start)
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-LAST_LINES:])
