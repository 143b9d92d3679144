"""The way in, as README has it: servers, a project, one import; then people can label."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.label_studio.connection import Connection
from pipeline.local_label_studio import FILE
from pipeline.servers.processes import answers
from tests.conftest import unavailable
from tests.helpers import photographs
from tests.helpers.processes import processes_of

WILDLOOP = [sys.executable, "-c", "from pipeline.cli import main; main()"]
SECONDS = 300.0
PHOTOS = 6

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks processes up in /proc, as Linux has it"
)


def environ() -> dict[str, str]:
    """This environment without settings of the machine's own; nothing is fetched from a network."""
    foreign = ("WILDLOOP_", "LABEL_STUDIO_", "REDIS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"WILDLOOP_EMBEDDER": "descriptor"}


def wildloop(folder: Path, *arguments: str) -> str:
    """Run a command in the folder, without a variable that names Label Studio."""
    done = subprocess.run(
        [*WILDLOOP, *arguments], env=environ(), cwd=folder, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`wildloop label-studio` in the folder, and what it says up to the last line before it waits."""
    process = subprocess.Popen(
        [*WILDLOOP, "label-studio"],
        env=environ(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C stops everything" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield process, said
    finally:
        process.kill()
        process.wait()


def project_of(folder: Path) -> dict[str, Any]:
    (project,) = json.loads(wildloop(folder, "status", "--json"))["projects"]
    found: dict[str, Any] = project
    return found


def test_after_project_create_and_one_import_the_queue_is_there(tmp_path: Path) -> None:
    if not Path(sys.executable).with_name("label-studio").exists():
        unavailable("label-studio is not installed", "run the tests with `uv run --extra demo pytest`")
    for number in range(PHOTOS):
        picture = photographs.encoded(photographs.scene(seed=number))
        photographs.put(tmp_path / "photos" / "site a" / f"{number}.jpg", picture)
    (tmp_path / "species.txt").write_text("deer\nfox\n")

    with servers(tmp_path) as (process, said):
        url = re.search(r"runs at (http://localhost:\d+)", said)
        assert url is not None, said
        assert "log in as" in said
        assert f"export LABEL_STUDIO_URL={url[1]} LABEL_STUDIO_API_KEY=" in said
        account = tmp_path / "wildloop-data" / FILE
        assert account.stat().st_mode & 0o777 == 0o600

        wildloop(tmp_path, "project", "create", "--title", "Spring", "--species", "species.txt")
        wildloop(tmp_path, "import", "folder", "photos", "--detector", "whole-frame")
        deadline = time.monotonic() + SECONDS
        while (project := project_of(tmp_path))["model"] is None or project["queued"] or project["running"]:
            assert time.monotonic() < deadline, project
            time.sleep(0.5)
        assert project["crops"] == PHOTOS

        token = json.loads(account.read_text())["account"]["token"]
        task = Connection(url[1], token).get("next", f"api/projects/{project['id']}/next")
        assert [each["model_version"] for each in task["predictions"]] == [project["model"]["version"]]
        assert Connection(url[1], token).content("a crop", task["data"]["picture"].lstrip("/"), 1 << 20)
        findings = json.loads(wildloop(tmp_path, "doctor", "--json"))
        assert [finding for finding in findings if finding["state"] != "ok"] == []

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert not answers(f"{url[1]}/health")
    assert processes_of(tmp_path) == {}
