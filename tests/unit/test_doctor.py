"""Doctor: each mistake in a set-up is named alone, with the remedy that repairs it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from pipeline.cli.doctor import doctor
from pipeline.embedders import failed_download
from pipeline.errors import LabelStudioError
from pipeline.installation import unmet_requirements
from pipeline.label_studio.checks import (
    CheckResult,
    State,
    examine_document_root,
    examine_project,
    examine_server,
)
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.ml_backend import SECRET_HEADER
from pipeline.label_studio.tabs import ensure_tabs
from pipeline.records import ProjectRecord, utc_now
from pipeline.settings import Settings, unknown_variables
from pipeline.steps.operations import doctor as module
from pipeline.steps.operations.doctor import package_names, packages, variables, worker
from pipeline.store import workers
from pipeline.store.database import Database
from pipeline.store.schema import worker as worker_table
from tests.helpers import earlier_release
from tests.helpers.fake_label_studio import FakeLabelStudio

CROP = "crops/ab/abc.jpg"
RECORD = ProjectRecord(id=7, title="Park", embedder="e", current_model="v1")
TASK = 101  # the first of a fake Label Studio
FAST = "contains invalid field: task ID 0 not found in project Park"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_WEBHOOK_SECRET": "s3cret"}
    return replace(Settings.from_environ(environ), basic_auth_user="wildloop", basic_auth_password="p")


@pytest.fixture(autouse=True)
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool | None]:
    """Whether the backend takes the password of the settings; None: it does not answer from here."""
    found: dict[str, bool | None] = {"takes_password": None}
    monkeypatch.setattr(
        "pipeline.label_studio.checks.backend.takes_password", lambda _: found["takes_password"]
    )
    return found


@pytest.fixture
def healthy(settings: Settings) -> FakeLabelStudio:
    """A Label Studio with nothing wrong."""
    server = FakeLabelStudio()
    served = ServedFiles.of(settings)
    address = served.address(CROP)
    number = server.import_tasks(7, [{"detections": ["abc"], "picture": address}])[0]
    ensure_tabs(server, 7)
    assert number == TASK
    server.import_predictions(7, [{"task": number, "score": 0.0, "model_version": "v1", "result": []}])
    server.update_project(7, model_version="v1")
    server.storages = [{"path": path} for path in served.folders]
    server.served = {served.address(CROP): b"jpeg"}
    (settings.data_dir / CROP).parent.mkdir(parents=True)
    (settings.data_dir / CROP).write_bytes(b"jpeg")
    server.refusals = {"api/projects/7/import/predictions": FAST, "api/ml": "timeout: a number, please"}
    server.connected = [backend()]
    server.hooks = [webhook(1)]
    return server


def backend(**changes: Any) -> dict[str, Any]:
    fields = {
        "id": 1,
        "title": "Wildloop",
        "url": "http://localhost:9090",
        "state": "CO",
        "error_message": None,
    }
    return fields | changes


def webhook(number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "id": number,
        "url": "http://localhost:9090/webhook",
        "headers": {SECRET_HEADER: "s3cret"},
        "is_active": True,
        "send_payload": True,
        "send_for_all_actions": True,
    }
    return fields | changes


def examined(
    server: FakeLabelStudio, settings: Settings, record: ProjectRecord = RECORD
) -> list[CheckResult]:
    return list(examine_project(server, settings, record, [(TASK, CROP)]))


def test_a_right_project_passes_every_check(healthy: FakeLabelStudio, settings: Settings) -> None:
    found = examined(healthy, settings)
    assert {finding.state for finding in found} == {State.OK}
    assert len(found) == 11


Break = Callable[[FakeLabelStudio], Any]


def lose_storages(server: FakeLabelStudio) -> None:
    server.storages.clear()
    server.served.clear()


def without_another(label_config: str) -> str:
    """The label config without the search for another species than the likeliest."""
    root = ET.fromstring(label_config)
    for parent in list(root.iter()):
        for child in [each for each in parent if each.get("name") == "find_{{idx}}"]:
            parent.remove(child)
    return ET.tostring(root, encoding="unicode")


TRAPS: dict[str, tuple[Break, str, State, str]] = {
    "random sampling": (
        lambda server: server.fields.update(sampling="Sequential sampling"),
        "sampling",
        State.FAIL,
        "project create",
    ),
    "hidden predictions": (
        lambda server: server.fields.update(show_collab_predictions=False),
        "predictions",
        State.FAIL,
        "project create",
    ),
    "the backend's title chosen as version": (
        lambda server: server.fields.update(model_version="Wildloop"),
        "model version",
        State.FAIL,
        "wildloop publish",
    ),
    "another version chosen": (
        lambda server: server.fields.update(model_version="v0"),
        "model version",
        State.FAIL,
        "wildloop publish",
    ),
    "no version chosen": (
        lambda server: server.fields.update(model_version=""),
        "model version",
        State.FAIL,
        "wildloop publish",
    ),
    "no storage": (lambda server: server.storages.clear(), "local storage", State.FAIL, "project create"),
    "no storage, so that Label Studio serves nothing": (
        lose_storages,
        "local storage",
        State.FAIL,
        "project create",
    ),
    "another document root": (
        lambda server: server.served.clear(),
        "crops",
        State.FAIL,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
    ),
    "a refused backend address": (
        lambda server: server.refusals.update({"api/ml": "URL resolves to a reserved network address"}),
        "local addresses",
        State.FAIL,
        "ML_BLOCK_LOCAL_IP=false",
    ),
    "a refused webhook address": (
        lambda server: server.refusals.update(
            {"api/webhooks/": "URL resolves to a reserved network address"}
        ),
        "local addresses",
        State.FAIL,
        "SSRF_PROTECTION_ENABLED=false",
    ),
    "no backend": (lambda server: server.connected.clear(), "backend", State.WARN, "project create"),
    "a backend that is down": (
        lambda server: server.connected[0].update(state="DI"),
        "backend",
        State.FAIL,
        "wildloop serve",
    ),
    "a backend at an earlier address": (
        lambda server: server.connected[0].update(url="http://localhost:9999"),
        "backend",
        State.FAIL,
        "project create",
    ),
    "no webhook": (lambda server: server.hooks.clear(), "webhook", State.WARN, "project create"),
    "a webhook without the secret": (
        lambda server: server.hooks[0].update(headers={}),
        "webhook",
        State.FAIL,
        "project create",
    ),
    "a webhook switched off": (
        lambda server: server.hooks[0].update(is_active=False),
        "webhook",
        State.FAIL,
        "project create",
    ),
    "a stray webhook": (
        lambda server: server.hooks.append(webhook(2, url="http://localhost:9999/webhook")),
        "webhook",
        State.WARN,
        "project create",
    ),
    "a webhook twice": (
        lambda server: server.hooks.append(webhook(2)),
        "webhook",
        State.WARN,
        "project create",
    ),
    "slow import": (
        lambda server: server.refusals.update(
            {"api/projects/7/import/predictions": "Prediction 0: Invalid task ID 0 - task not found"}
        ),
        "prediction import",
        State.WARN,
        "fflag_fix_back_4620",
    ),
    "no tabs": (lambda server: server.views.clear(), "tabs", State.WARN, "project create"),
    "a screen without what the project asks": (
        lambda server: server.fields.update(label_config=without_another(server.fields["label_config"])),
        "label config",
        State.WARN,
        "project create",
    ),
    "the screen of an earlier release": (
        lambda server: server.fields.update(label_config=earlier_release.label_config()),
        "label config",
        State.WARN,
        "wildloop project renew --project 7",
    ),
    "a foreign label config": (
        lambda server: server.fields.update(label_config="<View/>"),
        "label config",
        State.FAIL,
        "project create",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_is_found_alone_and_its_remedy_named(
    trap: str, healthy: FakeLabelStudio, settings: Settings
) -> None:
    set_up, check, state, remedy = TRAPS[trap]
    set_up(healthy)
    wrong = [finding for finding in examined(healthy, settings) if finding.state is not State.OK]
    assert [(finding.check, finding.state) for finding in wrong] == [(check, state)]
    assert remedy in (wrong[0].remedy or "")


@pytest.mark.parametrize("path", ["/label", ""])
def test_pictures_at_another_path_than_label_studio_are_named_with_their_remedy(
    path: str, healthy: FakeLabelStudio, settings: Settings
) -> None:
    data = healthy.rows[TASK]["data"]
    if path:
        healthy.path = path
    else:
        data["picture"] = "/label" + data["picture"]
    wrong = [result for result in examined(healthy, settings) if result.state is not State.OK]
    assert [(result.check, result.state) for result in wrong] == [("crops", State.FAIL)]
    assert "wildloop publish" in (wrong[0].remedy or "")
    data.update(picture=path + ServedFiles.of(settings).address(CROP))
    assert {result.state for result in examined(healthy, settings)} == {State.OK}


def test_a_project_that_was_replaced_is_only_named(healthy: FakeLabelStudio, settings: Settings) -> None:
    healthy.connected.clear()
    [found] = examined(healthy, settings, replace(RECORD, replaced_by=9))
    assert found.state is State.OK
    assert "replaced by project 9" in found.what


def test_a_label_studio_that_does_not_know_its_path_is_named_with_the_variable(
    healthy: FakeLabelStudio, settings: Settings
) -> None:
    healthy.url = "https://labels.example.org/label"
    [wrong] = [result for result in examined(healthy, settings) if result.state is not State.OK]
    assert wrong.check == "address"
    assert wrong.remedy == "start it with LABEL_STUDIO_HOST=https://labels.example.org/label"


REJECTED = {"state": "ER", "error_message": "401 Client Error: UNAUTHORIZED"}


@pytest.mark.parametrize(
    ("state", "takes_password", "remedy"),
    [
        ({}, False, "run this shell's commands"),
        (REJECTED, False, "restart `wildloop serve`"),
        (REJECTED, None, "restart `wildloop serve`"),
        (REJECTED, True, "run `wildloop project create` again"),
    ],
)
def test_the_one_with_another_password_is_told_by_whom_the_backend_takes(
    state: dict[str, str],
    takes_password: bool | None,
    remedy: str,
    healthy: FakeLabelStudio,
    settings: Settings,
    answer: dict[str, bool | None],
) -> None:
    healthy.connected[0].update(state)
    answer["takes_password"] = takes_password
    wrong = [finding for finding in examined(healthy, settings) if finding.state is not State.OK]
    assert [(finding.check, finding.state) for finding in wrong] == [("backend", State.FAIL)]
    assert (wrong[0].remedy or "").startswith(remedy)


def test_a_document_root_of_label_studio_that_holds_the_data_folder_is_taken_over(
    healthy: FakeLabelStudio, settings: Settings
) -> None:
    above = settings.data_dir.parents[1]
    healthy.served.clear()
    healthy.refusals["api/storages/localfiles/validate"] = f'of LOCAL_FILES_DOCUMENT_ROOT="{above}" by'
    wrong = [finding for finding in examined(healthy, settings) if finding.state is not State.OK]
    assert [finding.check for finding in wrong] == ["document root"]
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={above} for wildloop" in (wrong[0].remedy or "")


def test_a_deleted_crop_is_told_apart_from_a_wrong_document_root(
    healthy: FakeLabelStudio, settings: Settings
) -> None:
    (settings.data_dir / CROP).unlink()
    healthy.served.clear()
    wrong = [result for result in examined(healthy, settings) if result.state is not State.OK]
    assert [(result.check, result.state) for result in wrong] == [("crops", State.FAIL)]
    assert str(settings.data_dir / CROP) in wrong[0].what
    assert "backup" in (wrong[0].remedy or "")
    assert "DOCUMENT_ROOT" not in (wrong[0].remedy or "")


def test_a_data_folder_outside_the_document_root_is_named_once_and_before_any_project(
    healthy: FakeLabelStudio, settings: Settings, tmp_path: Path
) -> None:
    assert examine_document_root(settings).state is State.OK
    outside = replace(settings, files_root=tmp_path / "photos")
    result = examine_document_root(outside)
    assert (result.check, result.state) == ("document root", State.FAIL)
    assert "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT" in (result.remedy or "")
    assert {result.state for result in examined(healthy, outside)} == {State.OK}


def test_somebody_elses_webhook_is_nobodys_business(healthy: FakeLabelStudio, settings: Settings) -> None:
    healthy.hooks.append(webhook(2, url="https://chat.example.org/hook", headers={"Authorization": "x"}))
    assert {finding.state for finding in examined(healthy, settings)} == {State.OK}


def test_a_project_without_a_version_is_told_to_publish(healthy: FakeLabelStudio, settings: Settings) -> None:
    found = examined(healthy, settings, replace(RECORD, current_model=None))
    assert [finding.remedy for finding in found if finding.check == "model version"] == [
        "run `wildloop publish`"
    ]


def test_a_project_that_was_deleted_is_told_and_nothing_more_is_asked(
    healthy: FakeLabelStudio, settings: Settings
) -> None:
    found = examined(healthy, settings, replace(RECORD, id=8))
    assert [(finding.check, finding.state) for finding in found] == [("project", State.FAIL)]


def test_a_refused_token_is_told_by_its_kind(healthy: FakeLabelStudio) -> None:
    def refuse() -> dict[str, Any]:
        raise LabelStudioError("asking whose token this is: 401")

    healthy.whoami = refuse  # type: ignore[method-assign]
    found = list(examine_server(healthy))
    assert [(finding.check, finding.state) for finding in found] == [
        ("server", State.OK),
        ("token", State.FAIL),
    ]
    assert "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN" in (found[1].remedy or "")


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (
            b'{"model_class": "SpeciesModel", "status": "UP"}',
            "LABEL_STUDIO_URL to the address of Label Studio",
        ),
        (b'{"status": "UP"}', "Access Token"),
        (None, "Access Token"),
    ],
)
def test_an_ml_backend_in_place_of_label_studio_is_recognised(
    healthy: FakeLabelStudio, answer: bytes | None, remedy: str
) -> None:
    def refuse() -> str:
        raise ApiResponseError("reading the version", status=401, detail="", remedy="a valid Access Token")

    healthy.version = refuse  # type: ignore[method-assign]
    healthy.served = {} if answer is None else {"health": answer}
    (result,) = examine_server(healthy)
    assert (result.check, result.state) == ("server", State.FAIL)
    assert remedy in (result.remedy or "")


def test_foreign_owners_of_our_package_names_are_found() -> None:
    assert package_names({"backend": ["wildloop"], "pipeline": ["wildloop"]}, {}).state is State.OK
    found = package_names({"backend": ["wildloop", "some-backend"], "pipeline": ["pipeline"]}, {})
    assert found.state is State.FAIL
    assert "some-backend" in found.what


def test_a_folder_that_hides_one_of_our_packages_is_named(tmp_path: Path) -> None:
    found = package_names({}, {"backend": tmp_path / "backend" / "__init__.py"})
    assert found.state is State.FAIL
    assert str(tmp_path / "backend") in found.what
    assert "PYTHONPATH" in (found.remedy or "")


def test_old_and_missing_packages_are_named_with_the_command_that_replaces_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = {"flask": "1.1.2", "werkzeug": "2.0.2", "jinja2": "3.0.3", "numpy": "2.2.6"}

    def version_of(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(module, "unmet_requirements", lambda texts: unmet_requirements(texts, version_of))
    requirements = ["flask>=3.1", "werkzeug>=3.1", "jinja2>=3.1.4", "numpy>=1.26", "rq>=2"]
    found = packages([*requirements, 'timm>=1; extra == "timm"'])
    assert found.state is State.FAIL
    for text in (
        "flask>=3.1 is required, 1.1.2 is installed",
        "werkzeug>=3.1 is required, 2.0.2 is installed",
        "jinja2>=3.1.4 is required, 3.0.3 is installed",
        "rq>=2 is required, but missing",
    ):
        assert text in found.what
    assert "numpy" not in found.what
    assert "timm" not in found.what
    assert "uv pip install" in (found.remedy or "")
    assert packages(["numpy>=1.26"]).state is State.OK


def test_a_misspelt_variable_is_named_with_the_right_name() -> None:
    names = ("EMBEDER", "DATADIR", "DB_URL", "TOP_K", "PHOTOS", "TEST_REDIS", "SHARED_DATA", "EXTRAS")
    unknown = unknown_variables({f"WILDLOOP_{name}": "x" for name in names} | {"PATH": "/bin"})
    assert unknown == [
        ("WILDLOOP_DATADIR", "WILDLOOP_DATA_DIR"),
        ("WILDLOOP_DB_URL", "WILDLOOP_DATABASE_URL"),
        ("WILDLOOP_EMBEDER", "WILDLOOP_EMBEDDER"),
        ("WILDLOOP_EXTRAS", None),
        ("WILDLOOP_PHOTOS", None),
        ("WILDLOOP_SHARED_DATA", None),
        ("WILDLOOP_TEST_REDIS", None),
    ]
    (result,) = variables([("WILDLOOP_EMBEDER", "WILDLOOP_EMBEDDER"), ("WILDLOOP_PHOTOS", None)])
    assert result.state is State.WARN
    assert result.remedy == "did you mean WILDLOOP_EMBEDDER?"


def test_a_failed_download_of_weights_is_named_until_the_file_is_there(settings: Settings) -> None:
    assert list(module.embedder_weights(settings)) == []
    failed_download.remember(settings.data_dir / "cache", "net-0123.pth", "no route to host")
    assert list(module.embedder_weights(replace(settings, embedder="descriptor"))) == []
    (result,) = module.embedder_weights(settings)
    assert result.state is State.WARN
    assert "no route to host" in result.what
    assert ".[weights]" in (result.remedy or "")
    (settings.data_dir / "cache" / "weights" / "net-0123.pth").touch()
    assert list(module.embedder_weights(settings)) == []


def test_a_worker_that_stopped_is_noticed() -> None:
    assert worker(["elsewhere:7"], utc_now()).state is State.OK
    for seen in (None, utc_now()):
        result = worker([], seen)
        assert (result.state, result.remedy) == (State.WARN, "start `wildloop worker`")


def test_a_worker_lives_from_its_first_heartbeat_until_it_stops_or_is_killed(
    sqlite_database: Database,
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with sqlite_database.write() as conn:
        assert workers.alive(conn) == []
        workers.beat(conn, workers.own_id())
        workers.beat(conn, f"{workers.machine()}:{ended.pid}")
        workers.beat(conn, "elsewhere:7")
        assert workers.alive(conn) == sorted(["elsewhere:7", workers.own_id()])
        workers.leave(conn, workers.own_id())
        long_ago = utc_now() - 2 * workers.SILENCE
        conn.execute(sa.update(worker_table).values(seen_at=long_ago))
        assert workers.alive(conn) == []
        assert workers.last_seen(conn) == long_ago
        workers.beat(conn, "elsewhere:7")
        assert workers.alive(conn) == ["elsewhere:7"]


def test_the_command_ends_with_status_1_and_names_the_remedy_where_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-legacy-token")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    told = CliRunner().invoke(doctor)
    assert told.exit_code == 1
    assert "server: reading the version: Label Studio at http://127.0.0.1:9 cannot be reached" in told.output
    assert "-> start it, on this machine with `wildloop label-studio`, or set LABEL_STUDIO_URL" in told.output
    findings = json.loads(CliRunner().invoke(doctor, ["--json"]).output)
    states = {finding["check"]: finding["state"] for finding in findings}
    assert states == {
        "package names": "ok",
        "packages": "ok",
        "redis": "fail",
        "store": "warn",
        "document root": "ok",
        "server": "fail",
    }
