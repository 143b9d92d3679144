"""Doctor: each trap is told apart from the others, with the remedy that mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from pipeline.cli.doctor import doctor
from pipeline.errors import LabelStudioError
from pipeline.label_studio.checks import CheckResult, State, examine_project, examine_server
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.ml_backend import SECRET_HEADER
from pipeline.records import ProjectRecord
from pipeline.settings import Settings
from pipeline.steps.operations.doctor import package_names
from tests.helpers.label_studio_double import LabelStudioDouble

CROP = "crops/ab/abc.jpg"
RECORD = ProjectRecord(id=7, title="Park", embedder="e", current_model="v1")
FAST = "contains invalid field: task ID 0 not found in project Park"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_WEBHOOK_SECRET": "s3cret"}
    return replace(Settings.from_environ(environ), basic_auth_user="wildloop", basic_auth_password="p")


@pytest.fixture
def healthy(settings: Settings) -> LabelStudioDouble:
    """A Label Studio with nothing wrong."""
    server = LabelStudioDouble()
    served = ServedFiles.of(settings)
    number = server.import_tasks(7, [{"detection_id": "abc"}])[0]
    server.import_predictions(7, [{"task": number, "score": 0.0, "model_version": "v1", "result": []}])
    server.update_project(7, model_version="v1")
    server.storages = [{"path": path} for path in served.folders]
    server.served = {served.address(CROP): b"jpeg"}
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
    server: LabelStudioDouble, settings: Settings, record: ProjectRecord = RECORD
) -> list[CheckResult]:
    return list(examine_project(cast(LabelStudio, server), settings, record, CROP))


def test_a_right_project_passes_every_check(healthy: LabelStudioDouble, settings: Settings) -> None:
    found = examined(healthy, settings)
    assert {finding.state for finding in found} == {State.OK}
    assert len(found) == 10


Break = Callable[[LabelStudioDouble], Any]

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
        "wildloop push",
    ),
    "another version chosen": (
        lambda server: server.fields.update(model_version="v0"),
        "model version",
        State.FAIL,
        "wildloop push",
    ),
    "no version chosen": (
        lambda server: server.fields.update(model_version=""),
        "model version",
        State.FAIL,
        "wildloop push",
    ),
    "no storage": (lambda server: server.storages.clear(), "local storage", State.FAIL, "project create"),
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
    "a backend with another password": (
        lambda server: server.connected[0].update(state="ER", error_message="401 Client Error: UNAUTHORIZED"),
        "backend",
        State.FAIL,
        "same settings",
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
    "a foreign label config": (
        lambda server: server.fields.update(label_config="<View/>"),
        "label config",
        State.FAIL,
        "project create",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_is_found_alone_and_its_remedy_named(
    trap: str, healthy: LabelStudioDouble, settings: Settings
) -> None:
    set_up, check, state, remedy = TRAPS[trap]
    set_up(healthy)
    wrong = [finding for finding in examined(healthy, settings) if finding.state is not State.OK]
    assert [(finding.check, finding.state) for finding in wrong] == [(check, state)]
    assert remedy in (wrong[0].remedy or "")


def test_somebody_elses_webhook_is_nobodys_business(healthy: LabelStudioDouble, settings: Settings) -> None:
    healthy.hooks.append(webhook(2, url="https://chat.example.org/hook", headers={"Authorization": "x"}))
    assert {finding.state for finding in examined(healthy, settings)} == {State.OK}


def test_a_project_without_a_version_is_told_to_publish(
    healthy: LabelStudioDouble, settings: Settings
) -> None:
    found = examined(healthy, settings, replace(RECORD, current_model=None))
    assert [finding.remedy for finding in found if finding.check == "model version"] == [
        "run `wildloop publish`"
    ]


def test_a_project_that_was_deleted_is_told_and_nothing_more_is_asked(
    healthy: LabelStudioDouble, settings: Settings
) -> None:
    found = examined(healthy, settings, replace(RECORD, id=8))
    assert [(finding.check, finding.state) for finding in found] == [("project", State.FAIL)]


def test_a_refused_token_is_told_by_its_kind(healthy: LabelStudioDouble) -> None:
    def refuse() -> dict[str, Any]:
        raise LabelStudioError("asking whose token this is: 401")

    healthy.whoami = refuse  # type: ignore[method-assign]
    found = list(examine_server(cast(LabelStudio, healthy)))
    assert [(finding.check, finding.state) for finding in found] == [
        ("server", State.OK),
        ("token", State.FAIL),
    ]
    assert "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN" in (found[1].remedy or "")


def test_foreign_owners_of_our_package_names_are_found() -> None:
    assert package_names({"backend": ["wildloop"], "pipeline": ["wildloop"]}).state is State.OK
    found = package_names({"backend": ["wildloop", "some-backend"], "pipeline": ["pipeline"]})
    assert found.state is State.FAIL
    assert "some-backend" in found.what


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
    assert "-> start it, or set LABEL_STUDIO_URL to its address" in told.output
    findings = json.loads(CliRunner().invoke(doctor, ["--json"]).output)
    states = {finding["check"]: finding["state"] for finding in findings}
    assert states == {"package names": "ok", "redis": "fail", "store": "ok", "server": "fail"}
