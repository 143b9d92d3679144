"""Child processes with their logs: started, waited for, watched, and stopped whatever happens."""

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

from pipeline.demo import interrupt
from pipeline.errors import WildloopError

PATIENCE = 10.0  # seconds between asking a server to stop and making it
POLL = 0.2  # seconds between two looks at a server that is starting
LAST_LINES = 15
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: nothing may be loaded between fork and exec


class ServerError(WildloopError):
    """A server that the demo needs cannot be started, or has died."""


@dataclass(frozen=True, kw_only=True)
class _Server:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int  # bytes that earlier runs left in the log


class Servers:
    """The processes of one demo; leaving the `with` block stops them all, the newest first."""

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
        """Run `command` in a process group of its own; its output is added to `name`.log.

        On Linux the child is told to end also when this process is killed outright.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we stop the rest in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
            log_start = output.tell()
        self._servers.append(_Server(name=name, process=process, log=log, log_start=log_start))

    def wait_until_up(self, url: str, *, seconds: float) -> None:
        """Return once `url` answers 200. Raises ServerError when a server dies or the time is up."""
        deadline = time.monotonic() + seconds
        while not answers(url):
            self.check()
            if time.monotonic() > deadline:
                raise ServerError(f"{url} did not answer within {seconds:.0f} s\n{self._last_words()}")
            time.sleep(POLL)
        self.check()  # that what answers is ours

    def check(self) -> None:
        """Raise ServerError, with its last log lines, if a server has ended; KeyboardInterrupt if told to."""
        interrupt.check()
        for server in self._servers:
            status = server.process.poll()
            if status is not None:
                ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
                raise ServerError(f"{server.name} {ended}; the end of {server.log}:\n{_tail(server)}")

    def stop(self) -> None:
        """End every process group, the newest first: who was started later may need who was earlier."""
        while self._servers:
            server = self._servers.pop()
            _signal_group(server.process, signal.SIGTERM)
            try:
                server.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # the signal below ends it
            finally:
                _signal_group(server.process, signal.SIGKILL)  # and whoever it left behind
                server.process.wait()

    def _last_words(self) -> str:
        return "\n".join(f"the end of {server.log}:\n{_tail(server)}" for server in self._servers)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave servers behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def answers(url: str) -> bool:
    """Whether an HTTP GET of `url` comes back with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def executable(name: str, remedy: str) -> str:
    """The path of a command of this Python environment, or else of the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerError(f"the command `{name}` is not installed", remedy=remedy)
    return found


def free_port(preferred: int | None = None) -> int:
    """`preferred` if nothing listens there, else any free port of this machine."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        # The group bears the number of its first process, also after that one's end.
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # nobody is left in it


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(server: _Server) -> str:
    with server.log.open("rb") as file:
        file.seek(server.log_start)
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-LAST_LINES:])
