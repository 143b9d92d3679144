"""A project from the command line, beside a real Label Studio and a real backend."""

from __future__ import annotations

import json
from typing import Any

from pipeline.label_studio.config import offered
from pipeline.label_studio.ml_backend import SECRET_HEADER
from pipeline.label_studio.screen import controls
from pipeline.label_studio.screen.content import Asked, CropShown
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import task_data
from pipeline.records import Purpose, TaskKind
from pipeline.store import categories, projects
from tests.acceptance.conftest import Installation


def test_a_project_is_created_filled_and_queued_and_a_second_run_of_each_step_changes_nothing(
    installation: Installation,
) -> None:
    run, client = installation.wildloop, installation.client
    run("import", "folder", str(installation.photographs(12)), "--detector", "whole-frame")
    species = str(installation.species("Red Fox", "deer & <co>", "RED FOX", "unsure"))
    create = ("project", "create", "--title", "A park", "--species", species)

    told = run(*create, status=1)
    assert "start it with `wildloop serve`" in told  # Label Studio asks the backend before it connects

    with installation.backend():
        told = run(*create)
        assert "12 crops embedded by descriptor" in told
        assert "Label Studio asks 12 tasks" in told
        assert "a cold start" in told
        assert "line 3: 'red fox' is already in line 1" in told
        assert "ML backend connected" in told
        assert "secret added to webhook" in told
        (project,) = client.projects("A park")
        number = int(project["id"])
        assert list(offered(project["label_config"])) == ["red fox", "deer & <co>", "empty", "unsure"]
        before = state(installation, number)
        assert [hook["headers"] for hook in before["webhooks"]] == [
            {SECRET_HEADER: installation.workspace.settings.webhook_secret}
        ]
        assert [each["basic_auth_pass_is_set"] for each in before["backends"]] == [True]

        assert "nothing changed" in run(*create)
        assert state(installation, number) == before
        with installation.workspace.database.read() as conn:
            assert categories.names(conn) == {0: "empty", 1: "red fox", 2: "deer & <co>"}

        assert len(client.task_ids(number)) == 12
        with installation.workspace.database.read() as conn:
            current = projects.get(conn, number).current_model
        assert client.project(number)["model_version"] == current
        published = state(installation, number)
        assert "new tasks" not in run("publish")
        assert state(installation, number) == published

        findings = json.loads(run("doctor", "--json"))
        wrong = {finding["check"]: finding["remedy"] for finding in findings if finding["state"] != "ok"}
        assert wrong == {"worker": "start `wildloop worker`"}  # none runs in this test

    findings = json.loads(run("doctor", "--json", status=1))
    wrong = {finding["check"]: finding["remedy"] for finding in findings if finding["state"] == "fail"}
    assert list(wrong) == ["backend"]
    assert "wildloop serve" in wrong["backend"]


def test_species_are_added_to_a_project_and_never_taken_from_under_its_labels(
    installation: Installation,
) -> None:
    run, client = installation.wildloop, installation.client

    def create(*species: str) -> str:
        path = str(installation.species(*species))
        return run("project", "create", "--title", "Changing", "--species", path, "--no-backend")

    create("deer", "fox", "lynx")
    (project,) = client.projects("Changing")
    number = int(project["id"])
    crop = CropShown(detection_id="d1", crop="", frame="")
    asked = Asked(kind=TaskKind.SINGLE, purpose=Purpose.QUEUE, crops=(crop,))
    (task,) = client.import_tasks(number, [task_data(asked, ScreenOptions())])
    annotate(installation, task, "fox")

    told = create("badger", "deer", "fox")
    assert "species added: badger" in told
    assert "species removed: lynx" in told
    keys = offered(client.project(number)["label_config"])
    assert (keys["deer"], keys["fox"], keys["badger"]) == ("q", "w", "e")

    told = create("badger", "deer")
    assert "kept, because labels use them, though they are not in the list: fox (1)" in told
    assert "fox" in offered(client.project(number)["label_config"])


def test_a_backend_that_moves_takes_its_webhook_along(installation: Installation) -> None:
    run, client = installation.wildloop, installation.client
    create = ("project", "create", "--title", "Moving", "--species", str(installation.species("fox")))
    with installation.backend():
        run(*create)
        number = int(client.projects("Moving")[0]["id"])
        client.create_webhook(
            number, url="http://localhost:9/webhook", headers={SECRET_HEADER: "of long ago"}
        )
        client.create_webhook(number, url="https://chat.example.org/hook", headers={})
        told = run(*create)
    assert "unused webhook deleted: http://localhost:9/webhook" in told
    urls = {hook["url"] for hook in client.webhooks(number)}
    assert urls == {f"{installation.workspace.settings.backend_url}/webhook", "https://chat.example.org/hook"}


def state(installation: Installation, project_id: int) -> dict[str, Any]:
    """Everything of a project that a second run might change."""
    client = installation.client
    project = client.project(project_id)
    asked = (
        "title",
        "label_config",
        "sampling",
        "show_collab_predictions",
        "model_version",
        "task_number",
        "expert_instruction",
        "show_instruction",
    )
    return {
        "project": {name: project[name] for name in asked},
        "webhooks": client.webhooks(project_id),
        "storages": client.local_storages(project_id),
        "backends": [without_times(each) for each in client.backends(project_id)],
        "predictions": client.prediction_versions(project_id),
        "tabs": client.tabs(project_id),
    }


def without_times(backend: dict[str, Any]) -> dict[str, Any]:
    """A backend's row without what Label Studio notes each time it looks."""
    return {name: value for name, value in backend.items() if name not in ("updated_at", "model_version")}


def annotate(installation: Installation, task_id: int, choice: str) -> None:
    """Choose another species than the likeliest."""
    chosen = {controls.SPECIES: controls.ANOTHER_SPECIES, controls.ANOTHER: choice}
    result = [
        {"from_name": name, "to_name": controls.CROP, "type": "choices", "value": {"choices": [word]}}
        for name, word in chosen.items()
    ]
    path = f"api/tasks/{task_id}/annotations/"
    installation.api.send("labelling", "POST", path, {"result": result})
