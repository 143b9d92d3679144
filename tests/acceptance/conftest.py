"""A real Label Studio on a free port, and a real browser, shared by the acceptance tests of a session."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import Connection
from pipeline.servers.label_studio import KEYMAP
from pipeline.servers.processes import ServerError, Servers, executable, free_port
from pipeline.settings import Settings
from pipeline.workspace import Workspace, open_workspace
from tests.conftest import unavailable
from tests.helpers import photographs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STARTUP_SECONDS = 300  # 30 on an idle machine, most of it migrations
DATABASE = "label_studio.sqlite3"
FAST_IMPORT_FLAG = "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short"


@dataclass(frozen=True, kw_only=True)
class LabelStudioServer:
    """Where the server listens, and an account on it."""

    url: str
    token: str  # a legacy token
    user: str
    password: str
    document_root: Path  # data folders of tests lie below it, so that their crops are served
    log: Path


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A workspace of its own on a Label Studio, and the commands that work on it."""

    workspace: Workspace
    client: LabelStudio
    api: Connection  # for what people do in Label Studio, which the client does not
    environ: dict[str, str]  # what a user exports
    folder: Path  # anything else a test writes

    def wildloop(self, *arguments: str, status: int = 0) -> str:
        """Run the command as a user does; returns its output. Fails if it ends with another status."""
        done = subprocess.run(
            [Path(sys.executable).with_name("wildloop"), *arguments],
            env=os.environ | self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, f"wildloop {' '.join(arguments)}: {output}"
        return output

    def photographs(self, count: int) -> Path:
        """A folder of `count` different photographs, at two locations."""
        folder = self.folder / "photos"
        for number in range(count):
            scene = photographs.encoded(photographs.scene(seed=number))
            photographs.put(folder / f"site {number % 2}" / f"photo{number:02}.jpg", scene)
        return folder

    def species(self, *names: str) -> Path:
        """Write a species list."""
        path = self.folder / "species.txt"
        path.write_text("\n".join(names))
        return path

    @contextlib.contextmanager
    def backend(self) -> Iterator[None]:
        """Run the ML backend at `settings.backend_url` until the block ends."""
        with Servers(self.folder) as servers:
            self.serve(servers)
            yield

    def serve(self, servers: Servers) -> None:
        """Start the ML backend among `servers`; its log is `backend.log` in their folder."""
        url = self.workspace.settings.backend_url
        command = [executable("wildloop", ""), "serve", "--port", url.rsplit(":", 1)[1], "--workers", "1"]
        servers.start("backend", command, os.environ | self.environ)
        servers.wait_until_up(f"{url}/health", seconds=STARTUP_SECONDS)


def install(server: LabelStudioServer, **more: str) -> Installation:
    """An empty workspace on this Label Studio, with `more` variables in its environment."""
    folder = server.document_root / secrets.token_hex(4)
    folder.mkdir()
    environ = {
        "WILDLOOP_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_API_KEY": server.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(server.document_root),
        "WILDLOOP_BACKEND_URL": f"http://localhost:{free_port()}",
        "WILDLOOP_EMBEDDER": "descriptor",
        **more,
    }
    workspace = open_workspace(Settings.from_environ(environ).with_secrets())
    return Installation(
        workspace=workspace,
        client=LabelStudio(server.url, server.token),
        api=Connection(server.url, server.token),
        environ=environ,
        folder=folder,
    )


@pytest.fixture
def installation(label_studio: LabelStudioServer) -> Iterator[Installation]:
    """An empty workspace on the session's Label Studio."""
    installed = install(label_studio)
    yield installed
    installed.workspace.database.dispose()


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A Label Studio with its own database, set up as the documentation says."""
    with label_studio_server(tmp_path_factory.mktemp("label-studio")) as server:
        yield server


@contextlib.contextmanager
def label_studio_server(
    folder: Path,
    *,
    like: LabelStudioServer | None = None,
    port: str = "",
    host: str = "",
    **environment: str,
) -> Iterator[LabelStudioServer]:
    """Run Label Studio out of `folder`; `environment` overrides variables of a correct set-up.

    With `like` it begins with a copy of that server's database, already migrated. `host` is the address that
    browsers use, if it is another one than that of its `port`.
    """
    try:
        command = executable("label-studio", "run the tests with `uv run --extra demo pytest`")
    except ServerError as error:
        unavailable(str(error), error.remedy or "")
    number = int(port or free_port())
    root = folder / "files"
    root.mkdir()
    server = LabelStudioServer(
        url=f"http://localhost:{number}",
        token="0123456789abcdef0123456789abcdef01234567",
        user="annotator@example.org",
        password="crops-all-day",
        document_root=root,
        log=folder / "label-studio.log",
    )
    data = folder / "data"
    if like is not None:
        data.mkdir()
        _copy_database(like.log.with_name("data") / DATABASE, data / DATABASE)
    variables = os.environ | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        FAST_IMPORT_FLAG: "true",
        "EDITOR_KEYMAP": KEYMAP,
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        **environment,
    }
    arguments = [command, "start", "--no-browser", "--port", str(number), "--host", host or server.url]
    arguments += ["--username", server.user, "--password", server.password, "--user-token", server.token]
    with Servers(folder) as servers:
        servers.start("label-studio", arguments, variables)
        servers.wait_until_up(f"{server.url}/health", seconds=STARTUP_SECONDS)
        yield server


def _copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database that is in use."""
    with (
        contextlib.closing(sqlite3.connect(source)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


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
    with logged_in(browser, label_studio) as opened:
        yield opened


@contextlib.contextmanager
def logged_in(browser: Browser, server: LabelStudioServer) -> Iterator[Page]:
    """A browser window of an annotator who has logged in; self-signed certificates are accepted."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, ignore_https_errors=True)
    opened = context.new_page()
    opened.goto(f"{server.url}/user/login/")
    opened.fill("input[name=email]", server.user)
    opened.fill("input[name=password]", server.password)
    opened.click("button[type=submit]")
    opened.wait_for_url(f"{server.url}/**")
    yield opened
    context.close()
