"""A set-up that works, broken in one place: doctor names that place alone, with the remedy that mends it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.label_studio import ml_backend
from pipeline.label_studio.checks import CheckResult, State
from pipeline.label_studio.checks.first_project import TITLE
from pipeline.label_studio.checks.result import CREATE_AGAIN
from pipeline.servers.processes import Servers, free_port
from pipeline.settings import Settings
from pipeline.steps.labelling.project import create_project
from pipeline.steps.operations.doctor import examine
from pipeline.store import projects, workers
from tests.acceptance.conftest import (
    FAST_IMPORT_FLAG,
    Installation,
    LabelStudioServer,
    install,
    label_studio_server,
)
from tests.conftest import POSTGRES, listens

ROOT = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"
Changes = Mapping[str, str]  # of the environment


class Site:
    """An installation with a project, a backend and a worker, in which nothing is wrong."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation, self.client, self.api = installation, installation.client, installation.api
        self.workspace, self.settings = installation.workspace, installation.workspace.settings
        self._backend = Servers(folder)
        self.start_backend()
        species = str(installation.species("deer", "fox"))
        installation.wildloop("import", "folder", str(installation.photographs(3)), "--detector=whole-frame")
        installation.wildloop("project", "create", "--title", "Broken", "--species", species)
        with self.workspace.database.read() as conn:
            (self.project,) = projects.all(conn)

    def start_backend(self) -> None:
        with self._backend:  # makes the folder of its log
            pass
        self.installation.serve(self._backend)

    def stop_backend(self) -> None:
        self._backend.stop()

    def repair(self) -> None:
        """What `wildloop project create` repairs."""
        create_project(
            self.workspace,
            self.client,
            title=self.project.title,
            species=["deer", "fox"],
            embedder_id=self.project.embedder,
        )

    def findings(self, changes: Changes) -> list[CheckResult]:
        """What doctor finds wrong under this environment."""
        return wrong(self.installation.environ | dict(changes))


def wrong(environ: Mapping[str, str]) -> list[CheckResult]:
    settings = Settings.from_environ(environ).with_secrets(generate=False)
    return [result for result in examine(settings) if result.state is not State.OK]


@pytest.fixture(scope="module")
def site(label_studio: LabelStudioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    built = Site(install(label_studio), tmp_path_factory.mktemp("backend"))
    yield built
    built.stop_backend()
    built.workspace.database.dispose()


@pytest.fixture(autouse=True)
def worker(site: Site) -> None:
    """A worker that lives: this process."""
    with site.workspace.database.write() as conn:
        workers.beat(conn, workers.own_id())


def test_where_nothing_is_broken_doctor_finds_nothing(site: Site) -> None:
    assert site.findings({}) == []


Breakage = Callable[[Site], AbstractContextManager[None]]


def environment(**changes: str) -> tuple[Breakage, Callable[[Site], Changes]]:
    """Other variables in the shell."""
    return lambda _: contextlib.nullcontext(), lambda _: changes


def computed(changes: Callable[[Site], Changes]) -> tuple[Breakage, Callable[[Site], Changes]]:
    """Other variables, which depend on the site."""
    return lambda _: contextlib.nullcontext(), changes


def deed(breakage: Breakage) -> tuple[Breakage, Callable[[Site], Changes]]:
    """Something that somebody did; undone afterwards."""
    return breakage, lambda _: {}


def changed_project(field: str, value: str) -> Breakage:
    @contextlib.contextmanager
    def change(site: Site) -> Iterator[None]:
        former = site.client.project(site.project.id)[field]
        site.client.update_project(site.project.id, **{field: value})
        yield
        site.client.update_project(site.project.id, **{field: former})

    return change


@contextlib.contextmanager
def backend_stopped(site: Site) -> Iterator[None]:
    site.stop_backend()
    yield
    site.start_backend()


@contextlib.contextmanager
def backend_removed(site: Site) -> Iterator[None]:
    (backend,) = site.client.backends(site.project.id)
    site.client.delete_backend(int(backend["id"]))
    yield
    site.repair()


@contextlib.contextmanager
def storage_missing(site: Site) -> Iterator[None]:
    storage = site.client.local_storages(site.project.id)[0]
    site.api.send("removing a storage", "DELETE", f"api/storages/localfiles/{storage['id']}", None)
    yield
    site.repair()


@contextlib.contextmanager
def crops_deleted(site: Site) -> Iterator[None]:
    crops = site.settings.data_dir / "crops"
    away = crops.rename(crops.with_name("away"))
    yield
    away.rename(crops)


@contextlib.contextmanager
def worker_stopped(site: Site) -> Iterator[None]:
    with site.workspace.database.write() as conn:
        workers.leave(conn, workers.own_id())
    yield


def unknown_role(_site: Site) -> Changes:
    if not listens(POSTGRES, 5432):
        pytest.skip("PostgreSQL does not answer")
    return {"WILDLOOP_DATABASE_URL": sa.make_url(POSTGRES).set(username="nobody").render_as_string(False)}


BREAKAGES: dict[str, tuple[tuple[Breakage, Callable[[Site], Changes]], str, State, str]] = {
    "wrong token": (
        environment(LABEL_STUDIO_API_KEY="f" * 40),
        "token",
        State.FAIL,
        "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
    ),
    "no token": (
        environment(LABEL_STUDIO_API_KEY=""),
        "token",
        State.FAIL,
        "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
    ),
    "server down": (
        computed(lambda _: {"LABEL_STUDIO_URL": f"http://localhost:{free_port()}"}),
        "server",
        State.FAIL,
        "start it, on this machine with `wildloop label-studio`, or set LABEL_STUDIO_URL to its address",
    ),
    "an address without http://": (
        computed(lambda site: {"LABEL_STUDIO_URL": site.client.url.removeprefix("http://")}),
        "server",
        State.FAIL,
        "LABEL_STUDIO_URL",
    ),
    "LABEL_STUDIO_URL points at the ML backend": (
        computed(lambda site: {"LABEL_STUDIO_URL": site.settings.backend_url}),
        "server",
        State.FAIL,
        "set LABEL_STUDIO_URL to the address of Label Studio",
    ),
    "Redis down": (environment(REDIS_URL="redis://127.0.0.1:9/0"), "redis", State.FAIL, "unset REDIS_URL"),
    "PostgreSQL role unknown": (computed(unknown_role), "store", State.FAIL, "check that the database"),
    "wrong document root": (
        computed(lambda site: {ROOT: str(site.installation.folder.parent.parent)}),
        "document root",
        State.FAIL,
        f"set {ROOT}=",
    ),
    "webhook secret changed": (
        environment(WILDLOOP_WEBHOOK_SECRET="another"),
        "webhook",
        State.FAIL,
        CREATE_AGAIN,
    ),
    "another basic-auth password": (
        environment(WILDLOOP_BASIC_AUTH_PASSWORD="another"),
        "backend",
        State.FAIL,
        "the same WILDLOOP_BASIC_AUTH_PASSWORD as `wildloop serve`",
    ),
    "backend stopped": (deed(backend_stopped), "backend", State.FAIL, "start it with `wildloop serve`"),
    "ML backend removed": (deed(backend_removed), "backend", State.WARN, CREATE_AGAIN),
    "model version is the backend's title": (
        deed(changed_project("model_version", ml_backend.BACKEND_TITLE)),
        "model version",
        State.FAIL,
        "`wildloop publish`",
    ),
    "sampling changed": (
        deed(changed_project("sampling", "Sequential sampling")),
        "sampling",
        State.FAIL,
        CREATE_AGAIN,
    ),
    "local-files storage missing": (deed(storage_missing), "local storage", State.FAIL, CREATE_AGAIN),
    "crop files deleted": (deed(crops_deleted), "crops", State.FAIL, "restore the data folder"),
    "worker stopped": (deed(worker_stopped), "worker", State.WARN, "start `wildloop worker`"),
    "a misspelt variable": (
        environment(WILDLOOP_EMBEDER="descriptor"),
        "variable",
        State.WARN,
        "did you mean WILDLOOP_EMBEDDER?",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_one_breakage_is_one_finding(name: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (breakage, changes), check, state, remedy = BREAKAGES[name]
    shell = changes(site)
    for variable, value in shell.items():
        monkeypatch.setenv(variable, value)  # misspelt ones are looked for in the process's own
    with breakage(site):
        found = site.findings(shell)
    assert [(finding.check, finding.state) for finding in found] == [(check, state)]
    assert remedy in (found[0].remedy or "")


def test_status_tells_of_a_stopped_worker(site: Site) -> None:
    with worker_stopped(site):
        assert "none runs: nothing is trained or synced (start `wildloop worker`)" in (
            site.installation.wildloop("status")
        )


def test_a_server_that_was_restarted_with_its_defaults_is_told_what_it_lacks(
    site: Site, label_studio: LabelStudioServer, tmp_path: Path
) -> None:
    former: dict[str, Any] = {
        ROOT: str(label_studio.document_root),
        "ML_BLOCK_LOCAL_IP": "true",
        "SSRF_PROTECTION_ENABLED": "true",
        FAST_IMPORT_FLAG: "false",
    }
    with label_studio_server(tmp_path, like=label_studio, **former) as server:
        found = site.findings({"LABEL_STUDIO_URL": server.url})
    assert [(finding.check, finding.state) for finding in found] == [
        ("local addresses", State.FAIL),
        ("prediction import", State.WARN),
    ]
    assert found[0].remedy == "start it with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"
    assert found[1].remedy == f"start Label Studio with {FAST_IMPORT_FLAG}=true"


# --- before the first project

FIRST = {"store", "project"}  # doctor says that there is neither yet


def newcomer(site: Site, folder: Path) -> dict[str, str]:
    """The shell of somebody who begins, beside a backend that has the same secrets."""
    return site.installation.environ | {
        "WILDLOOP_DATA_DIR": str(folder / "data"),
        "WILDLOOP_BASIC_AUTH_USER": site.settings.basic_auth_user or "",
        "WILDLOOP_BASIC_AUTH_PASSWORD": site.settings.basic_auth_password or "",
        "WILDLOOP_WEBHOOK_SECRET": site.settings.webhook_secret or "",
    }


def test_before_the_first_project_everything_is_tried_and_nothing_left(
    site: Site, label_studio: LabelStudioServer
) -> None:
    folder = label_studio.document_root / "beginner"
    assert {finding.check for finding in wrong(newcomer(site, folder))} == FIRST
    assert not folder.exists()
    assert site.client.projects(TITLE) == []


def test_a_data_folder_outside_the_document_root_is_named_before_the_first_project(
    site: Site, label_studio: LabelStudioServer, tmp_path: Path
) -> None:
    shell = newcomer(site, tmp_path) | {ROOT: ""}
    (found,) = [finding for finding in wrong(shell) if finding.check not in FIRST]
    assert (found.check, found.state) == ("document root", State.FAIL)
    assert str(label_studio.document_root) in found.what
    assert found.remedy == f"start Label Studio with {ROOT}={tmp_path}, which holds the data folder"


def test_all_that_a_server_with_its_defaults_lacks_is_named_before_the_first_project(
    site: Site, label_studio: LabelStudioServer, tmp_path: Path
) -> None:
    defaults: dict[str, Any] = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "true",
        "SSRF_PROTECTION_ENABLED": "true",
        FAST_IMPORT_FLAG: "false",
    }
    with label_studio_server(tmp_path, like=label_studio, **defaults) as server:
        shell = newcomer(site, server.document_root) | {"LABEL_STUDIO_URL": server.url}
        shell[ROOT] = str(server.document_root)
        found = [finding for finding in wrong(shell) if finding.check not in FIRST]
    assert [(finding.check, finding.remedy) for finding in found] == [
        ("file serving", "start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true"),
        ("local addresses", "start it with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"),
        ("prediction import", f"start Label Studio with {FAST_IMPORT_FLAG}=true"),
    ]
