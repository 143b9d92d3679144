"""`wildloop demo` as a user starts it: it learns, it stops clean, it goes on where it ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.servers.processes import answers
from tests.conftest import unavailable
from tests.helpers.processes import processes_of

WILDLOOP = [sys.executable, "-c", "from pipeline.cli import main; main()"]
MINUTES = 15 * 60  # on a machine that does other things as well; three suffice on an idle one
FOREIGN = ("WILDLOOP_", "LABEL_STUDIO_", "REDIS_")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks processes up in /proc, as Linux has it"
)


@dataclass(frozen=True, kw_only=True)
class Played:
    """A demo that was played to its end."""

    folder: Path
    output: str


def environ() -> dict[str, str]:
    """This environment without settings of the machine's own: SQLite, no Redis."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def arguments(folder: Path, *more: str) -> list[str]:
    return [*WILDLOOP, "demo", "--folder", str(folder), *more]


def status(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*WILDLOOP, "status", "--json"],
        env={**environ(), "WILDLOOP_DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        check=True,
    )
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def nobody_is_left(folder: Path, seconds: float = 20.0) -> dict[int, str]:
    """Wait until no process of the demo lives; returns those that do at the end."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The demo with at least 150 played labels, ended by itself."""
    if not Path(sys.executable).with_name("label-studio").exists() and not shutil.which("label-studio"):
        unavailable("label-studio is not installed", "run the tests with `uv run --extra demo pytest`")
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        arguments(folder, "--annotator", "truth", "--labels", "150", "--exit", "--embedder", "descriptor"),
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MINUTES,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert nobody_is_left(folder) == {}
    yield Played(folder=folder, output=done.stdout)
    shutil.rmtree(folder)


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A second start, up to the line that says that everything runs; killed if the test fails."""
    process = subprocess.Popen(
        arguments(folder), env=environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        else:
            pytest.fail("the demo ended:\n" + "".join(lines))
        yield process, "".join(lines)
    finally:
        process.kill()
        process.wait()


def login(output: str) -> str:
    found = re.search(r"log in as (\S+) with the password (\S+)", output)
    assert found is not None, output
    return found[0]


def test_the_played_labels_train_versions_one_after_another(played: Played) -> None:
    read = status(played.folder)
    (project,) = read["projects"]
    assert project["versions"] >= 2
    assert 150 <= project["labelled"] < 175  # the last task may be a board
    assert project["audit_labels"] >= 2  # every tenth task, and no version learns from it
    assert project["model"]["labels"] == project["labelled"] - project["audit_labels"]
    assert read["photographs"] == 300
    assert read["crops"] == read["detections"] == project["crops"]
    assert read["failed_runs"] == []
    assert project["queued"] == project["running"] == 0


def test_more_labels_make_better_answers_on_the_unlabelled_rest(played: Played) -> None:
    figures = [float(share) for share in re.findall(r"^v\d+-\S+ .*?([\d.]+)% of \d+$", played.output, re.M)]
    assert len(figures) >= 2, played.output
    assert figures[-1] > figures[0]
    assert figures[-1] > 40


def test_at_its_end_the_demo_says_what_was_learned_and_what_the_audit_says(played: Played) -> None:
    (project,) = status(played.folder)["projects"]
    labels, audit = project["labelled"], project["audit_labels"]
    last = played.output.splitlines()[-2:]
    assert re.fullmatch(
        rf"all {labels} labels arrived: v\d+-\w+ learned from {labels - audit} of them, and Label Studio "
        "serves its queue",
        last[0],
    )
    told = re.fullmatch(
        rf"accuracy on randomly drawn crops: (\d+)% \((\d+)% to (\d+)%\), from {audit} audit labels",
        last[1],
    )
    assert told is not None, last[1]
    value, low, high = map(int, told.groups())
    assert low <= value <= high
    right = re.findall(r"^v\d+-\S+ .*?([\d.]+)% of \d+$", played.output, re.M)
    assert low <= float(right[-1]) <= high


def test_a_second_start_goes_on_and_ctrl_c_leaves_nobody(played: Played) -> None:
    before = status(played.folder)
    with started(played.folder) as (demo, output):
        assert login(output) == login(played.output)
        url = re.search(r"http://localhost:\d+", output)
        assert url is not None
        assert answers(f"{url[0]}/health")
        assert len(processes_of(played.folder)) >= 4  # the demo, Label Studio, backend, worker
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
        assert nobody_is_left(played.folder) == {}
    after = status(played.folder)
    assert after["crops"] == before["crops"]
    assert [project["id"] for project in after["projects"]] == [
        project["id"] for project in before["projects"]
    ]
    assert after["projects"][0]["crops"] == before["projects"][0]["crops"]
    assert after["projects"][0]["labelled"] == before["projects"][0]["labelled"]


def test_a_server_that_dies_ends_the_demo_with_its_last_words(played: Played) -> None:
    with started(played.folder) as (demo, _):
        (backend,) = (
            process
            for process, command in processes_of(played.folder).items()
            if " serve " in command and Path(f"/proc/{process}/stat").read_text().split()[3] == str(demo.pid)
        )
        os.kill(backend, signal.SIGKILL)
        assert demo.stdout is not None
        rest = demo.stdout.read()
        assert demo.wait(timeout=60) == 1
        assert "backend was ended by signal 9" in rest
        assert "the end of" in rest
        assert nobody_is_left(played.folder) == {}


def test_a_demo_killed_outright_takes_its_servers_with_it(played: Played) -> None:
    with started(played.folder) as (demo, _):
        demo.kill()
        demo.wait()
        assert nobody_is_left(played.folder, seconds=60) == {}
