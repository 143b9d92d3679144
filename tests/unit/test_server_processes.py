"""Child processes of the demo: they answer, they are watched, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.servers.processes import (
    INSTALL,
    ServerError,
    Servers,
    answers,
    executable,
    free_port,
    port_is_free,
)

SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


def ends(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process is gone, or a zombie, within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc, as Linux has it")


@linux
def test_a_server_is_waited_for_and_stopped_with_the_block(tmp_path: Path) -> None:
    port = free_port()
    others = set(children(os.getpid()))  # such as servers that acceptance tests share
    with Servers(tmp_path) as servers:
        servers.start("files", [*SERVER, str(port)], os.environ)
        servers.wait_until_up(f"http://127.0.0.1:{port}/", seconds=20)
        servers.check()
        pids = set(children(os.getpid())) - others
    assert pids
    assert all(ends(pid) for pid in pids)
    assert port_is_free(port)
    assert not answers(f"http://127.0.0.1:{port}/")


def test_a_server_that_dies_is_told_with_its_last_log_lines(tmp_path: Path) -> None:
    (tmp_path / "broken.log").write_text("of an earlier run\n")
    with Servers(tmp_path) as servers:
        servers.start(
            "broken", [sys.executable, "-c", "print('out of cheese'); raise SystemExit(3)"], os.environ
        )
        with pytest.raises(ServerError, match=r"broken ended with status 3[\s\S]*out of cheese") as caught:
            servers.wait_until_up("http://127.0.0.1:9/", seconds=20)
    assert "an earlier run" not in str(caught.value)
    assert (tmp_path / "broken.log").read_text().startswith("of an earlier run")


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with Servers(tmp_path) as servers:
        servers.start("mute", [sys.executable, "-c", "import time; time.sleep(60)"], os.environ)
        with pytest.raises(ServerError, match="did not answer within 1 s"):
            servers.wait_until_up(f"http://127.0.0.1:{free_port()}/", seconds=1)


@linux
def test_grandchildren_and_the_stubborn_are_stopped_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.servers.processes.PATIENCE", 0.5)
    code = textwrap.dedent(
        """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(os.getpid(), child.pid, flush=True)
        time.sleep(60)
        """
    )
    with Servers(tmp_path) as servers:
        servers.start("stubborn", [sys.executable, "-c", code], os.environ)
        deadline = time.monotonic() + 20
        while len(pids := (tmp_path / "stubborn.log").read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert all(ends(int(pid)) for pid in pids)


@linux
def test_servers_end_when_the_demo_is_killed_outright(tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import os, pathlib, sys, time
        from pipeline.servers.processes import Servers
        with Servers(pathlib.Path({str(tmp_path)!r})) as servers:
            servers.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], os.environ)
            print("up", flush=True)
            time.sleep(60)
        """
    )
    demo = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert demo.stdout is not None
    assert demo.stdout.readline() == b"up\n"
    (server,) = children(demo.pid)
    demo.send_signal(signal.SIGKILL)
    demo.wait()
    assert ends(server)


def test_a_missing_command_is_an_error_with_its_remedy() -> None:
    with pytest.raises(ServerError, match=r"no-such-server.*uv pip install '\.\[demo\]'"):
        executable("no-such-server", remedy=INSTALL)


def test_a_taken_port_is_not_given_again() -> None:
    with subprocess.Popen([*SERVER, str(port := free_port())], stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 20
            while not answers(f"http://127.0.0.1:{port}/"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert free_port(port) != port
        finally:
            server.terminate()


def test_an_interrupt_that_python_drops_is_raised_at_the_next_look(tmp_path: Path) -> None:
    code = (
        "import os, signal, weakref\n"
        "from pathlib import Path\n"
        "from pipeline.servers import interrupt\n"
        "from pipeline.servers.processes import Servers\n"
        "interrupt.listen()\n"
        "class Thing: pass\n"
        "thing = Thing()\n"
        "seen = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))\n"
        "del thing\n"
        "print('dropped', flush=True)\n"
        f"with Servers(Path({str(tmp_path)!r})) as servers:\n"
        "    try:\n"
        "        servers.check()\n"
        "    except KeyboardInterrupt:\n"
        "        print('raised')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dropped", "raised"]
