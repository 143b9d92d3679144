"""What a project has beside its tasks: tabs for managers, instructions for annotators, a key that submits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.label_studio import config
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.results import choice_result
from pipeline.records import TaskRecord
from pipeline.store import categories, oracle, projects, tasks
from pipeline.store.schema import project as project_table
from tests.acceptance.conftest import Installation, LabelStudioServer
from tests.helpers import earlier_release

if TYPE_CHECKING:
    from playwright.sync_api import Page

SPECIES = ("deer", "fox", "boar")
OWN = "<p>Ask Ada if you are <b>not</b> sure.</p>"
PICTURES = (
    "[...document.querySelectorAll('.dm-content img, [class*=table] img')].map(each => each.naturalWidth)"
)


@pytest.fixture
def project_id(installation: Installation) -> int:
    """A project of six photographs, made by the commands."""
    run, title = installation.wildloop, installation.folder.name
    run("import", "folder", str(installation.photographs(6)), "--detector", "whole-frame")
    species = str(installation.species(*SPECIES))
    create = ("project", "create", "--title", title, "--species", species, "--no-backend")
    told = run(*create, "--with", "count,sex", "--behaviours", "feeding,resting")
    assert "tabs added: Waiting, Audit" in told
    assert "instructions written" in told
    assert "nothing changed" in run(*create)
    return int(installation.client.projects(title)[0]["id"])


def test_managers_find_pictures_in_tabs_and_annotators_the_instructions_and_one_key(
    project_id: int, label_studio: LabelStudioServer, page: Page
) -> None:
    page.goto(f"{label_studio.url}/projects/{project_id}/data")
    page.get_by_text("picture", exact=True).wait_for(timeout=120_000)
    for column in ("picture", "species", "probability", "place", "time"):
        assert page.get_by_text(column, exact=True).is_visible(), column
    for column in ("detections", "head", "single", "group", "version"):
        assert page.get_by_text(column, exact=True).count() == 0, column
    page.wait_for_function(f"{PICTURES}.filter(width => width > 0).length == 6", timeout=30_000)

    page.get_by_role("button", name="Label All Tasks").click()
    page.get_by_text("Random checks").wait_for(timeout=60_000)
    assert page.get_by_text("feeding, resting").is_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Random checks").wait_for(state="hidden")
    page.wait_for_selector(".wildloop .lsf-choice:visible", timeout=60_000)
    page.wait_for_timeout(1_000)
    page.keyboard.press("0")  # empty

    def stored(response: Any) -> bool:
        return response.request.method == "POST" and "/annotations" in response.url

    with page.expect_response(stored, timeout=60_000) as answer:
        page.keyboard.press("Space")
    assert answer.value.status == 201
    assert any(item["value"].get("choices") == ["empty"] for item in answer.value.json()["result"])


def test_options_change_while_people_label_and_a_managers_words_stay(
    installation: Installation, project_id: int
) -> None:
    run, client = installation.wildloop, installation.client
    mine = f"{OWN}\n{client.project(project_id)['expert_instruction']}"
    client.update_project(project_id, expert_instruction=mine)
    run("project", "options", "--with", "age", "--without", "count", "--suggest-from", "0.7")
    told = run("project", "options")
    assert "sex, age" in told
    assert "0.7" in told
    screen = config.controls(client.project(project_id)["label_config"])
    assert "age_{{idx}}" in screen
    assert "count_{{idx}}" not in screen
    instructions = client.project(project_id)["expert_instruction"]
    assert instructions.startswith(OWN)
    assert "adult, subadult, juvenile" in instructions

    task = client.task_ids(project_id)[0]
    sex = {"from_name": "sex_0", "to_name": "crop_0", "type": "choices", "value": {"choices": ["male"]}}
    installation.api.send("label", "POST", f"api/tasks/{task}/annotations/", {"result": [sex]})
    told = run("project", "options", "--without", "sex", status=1)
    assert f"wildloop project renew --project {project_id} --without sex" in told


def test_a_project_with_the_earlier_screen_goes_on_in_a_new_one(
    installation: Installation, project_id: int
) -> None:
    run, client, title = installation.wildloop, installation.client, installation.folder.name
    database = installation.workspace.database
    crops = make_earlier(installation, project_id)
    run("sync")
    with database.read() as conn:
        names = categories.names(conn)
        assert {names[number] for number in oracle.labels(conn).values()} == {"deer", "fox"}
    with pytest.raises(ApiResponseError, match="incompatible"):
        client.update_project(project_id, label_config=config.render(SPECIES))
    told = run("publish", status=1)
    assert f"wildloop project renew --project {project_id}" in told

    told = run("project", "renew", "--no-backend", "--with", "comment")
    assert "goes on with 2 labels" in told
    [new] = client.projects(title)
    assert client.project(project_id)["title"] == f"{title} (replaced)"
    assert config.species_of(new["label_config"]) == list(SPECIES)
    assert "comment_{{idx}}" in config.controls(new["label_config"])
    with database.read() as conn:
        assert projects.choose(conn, None).id == int(new["id"])
        waiting = {crop for task in tasks.open_tasks(conn, int(new["id"])) for crop in task.detections}
    assert waiting == set(crops) - set(crops[:2])

    label(installation, client.task_ids(project_id)[2], "boar")  # somebody had it open
    run("sync", "--project", str(project_id))
    with database.read() as conn:
        assert oracle.label_count(conn) == 3
    findings = run("doctor", status=0)
    assert f"replaced by project {new['id']}" in findings


def make_earlier(installation: Installation, project_id: int) -> list[str]:
    """Make the project one of an earlier release, with two labels; returns its crops."""
    client = installation.client
    with installation.workspace.database.read() as conn:
        stored = tasks.open_tasks(conn, project_id)
    crops = sorted(crop for task in stored for crop in task.detections)
    client.delete_tasks(project_id, [task.task_id for task in stored])
    client.update_project(project_id, label_config=earlier_release.label_config(), expert_instruction="")
    shown = {"crop": "", "frame": "", "location": "", "datetime": "", "file_name": ""}
    numbers = client.import_tasks(project_id, [{"detection_id": crop, **shown} for crop in crops])
    with installation.workspace.database.write() as conn:
        tasks.remove(conn, project_id, [task.task_id for task in stored])
        tasks.add(
            conn,
            [
                TaskRecord(project_id=project_id, task_id=number, detections=(crop,))
                for number, crop in zip(numbers, crops, strict=True)
            ],
        )
        conn.execute(project_table.update().values(options=None))
    label(installation, numbers[0], "deer")
    label(installation, numbers[1], "fox")
    return crops


def label(installation: Installation, task_id: int, word: str) -> None:
    body = {"result": choice_result(word, None)}
    installation.api.send("labelling", "POST", f"api/tasks/{task_id}/annotations/", body)
