"""A real Label Studio on a free port, and a real browser, shared by the acceptance tests of a session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STARTUP_SECONDS = 120
SLOW_IMPORT_FLAG = "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short"


@dataclass(frozen=True, kw_only=True)
class LabelStudioServer:
    """Where the server listens and how to enter it."""

    url: str
    token: str  # a legacy token
    user: str
    password: str
    document_root: Path  # data folders of tests lie below it, so that their crops are served
    log: Path


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A Label Studio with a database of its own, set up as the README tells users to."""
    with label_studio_server(tmp_path_factory.mktemp("label-studio")) as server:
        yield server


@contextlib.contextmanager
def label_studio_server(folder: Path, **environment: str) -> Iterator[LabelStudioServer]:
    """Run Label Studio out of `folder`; `environment` overrides single variables of a local set-up."""
    program = Path(sys.executable).with_name("label-studio")
    command = str(program) if program.exists() else shutil.which("label-studio")
    if command is None:
        unavailable("label-studio is not installed", "run the tests with `uv run --extra demo pytest`")
    port = free_port()
    root = folder / "files"
    root.mkdir()
    server = LabelStudioServer(
        url=f"http://localhost:{port}",
        token="0123456789abcdef0123456789abcdef01234567",
        user="annotator@example.org",
        password="crops-all-day",
        document_root=root,
        log=folder / "label-studio.log",
    )
    variables = os.environ | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        SLOW_IMPORT_FLAG: "true",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        **environment,
    }
    arguments = [command, "start", "--no-browser", "--port", str(port), "--host", server.url]
    arguments += ["--username", server.user, "--password", server.password, "--user-token", server.token]
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            arguments, env=variables, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_up(server, process)
        yield server
    finally:
        _end(process)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_until_up(server: LabelStudioServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"label-studio ended with status {process.returncode}:\n{_tail(server.log)}")
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"label-studio was not up after {STARTUP_SECONDS} s:\n{_tail(server.log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server with every process that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        unavailable("Chromium is not installed", "install it (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, label_studio: LabelStudioServer) -> Iterator[Page]:
    """A browser window of an annotator who has logged in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.goto(f"{label_studio.url}/user/login/")
    opened.fill("input[name=email]", label_studio.user)
    opened.fill("input[name=password]", label_studio.password)
    opened.click("button[type=submit]")
    opened.wait_for_url(f"{label_studio.url}/**")
    yield opened
    context.close()
