"""What can be chosen changes while people label: by hand in Label Studio, or by command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.label_studio import config
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord, PredictionRecord
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.species import merge_species, rename_species
from pipeline.steps.labelling.sync import sync
from pipeline.store import categories, choices, oracle, projects
from tests.acceptance.conftest import Installation, LabelStudioServer
from tests.acceptance.published import PublishedProject
from tests.helpers.label_stream import Stream
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.stored import Embedder

if TYPE_CHECKING:
    from playwright.sync_api import Page

CROPS = 4


@pytest.fixture
def project(installation: Installation) -> PublishedProject:
    """Four crops that can be a deer, a fox or a boar."""
    for number in range(CROPS):
        put(installation.workspace.data_dir / f"crops/{number}.jpg", encoded(scene(seed=number)))
    images = [ImageRecord(id=f"i{n}", file_name=f"{n}.jpg", path=f"{n}.jpg") for n in range(CROPS)]
    crops = [
        DetectionRecord(
            id=f"{installation.folder.name}-{n}",
            image_id=f"i{n}",
            box=WHOLE_FRAME,
            bbox_confidence=0.9,
            detector="test",
            crop_path=f"crops/{n}.jpg",
        )
        for n in range(CROPS)
    ]
    published = PublishedProject(installation, ["deer", "fox", "boar"], images, crops)
    published.embed()
    return published


def label_config(project: PublishedProject) -> str:
    return str(project.client.project(project.id)["label_config"])


def counts(project: PublishedProject) -> dict[str, int]:
    with project.database.read() as conn:
        names = categories.names(conn)
        return {names[number]: count for number, count in oracle.label_counts(conn).items()}


def suggestion(project: PublishedProject, detection: str) -> list[Any]:
    """What Label Studio suggests for a detection."""
    told = project.client.task(project.task_of[detection])
    return [each["value"]["choices"] for made in told["predictions"] for each in made["result"]]


def test_renamed_and_merged_species_are_shown_to_annotators_as_what_they_are_now(
    project: PublishedProject, label_studio: LabelStudioServer, page: Page
) -> None:
    first, second, third, fourth = project.ids
    project.annotate(project.task_of[first], "fox")
    project.annotate(project.task_of[second], "deer")
    sync(project.workspace, project.client, project.id)

    rename_species(project.workspace, project.client, project.id, "fox", "red fox")
    assert config.offered(label_config(project))["red fox"] == "2"
    merge_species(project.workspace, project.client, project.id, ["deer", "boar"], "ungulate")
    assert list(config.offered(label_config(project))) == ["ungulate", "red fox", "empty", "unsure"]
    assert config.former(label_config(project)) == ["fox", "deer"]  # nothing was labelled as a boar

    assert sync(project.workspace, project.client, project.id).new == 0
    assert counts(project) == {"red fox": 1, "ungulate": 1}
    project.annotate(project.task_of[third], "fox")  # from a screen that was opened before
    sync(project.workspace, project.client, project.id)
    assert counts(project) == {"red fox": 2, "ungulate": 1}

    stream = Stream(page, label_studio.url, project.id)
    stream.view(project.task_of[fourth])
    assert stream.offered() == ["ungulate", "red fox", "empty", "unsure"]
    stream.view(project.task_of[first])  # an old annotation shows its old word
    assert stream.offered() == ["fox", "ungulate", "red fox", "empty", "unsure"]
    assert stream.chosen() == ["fox"]


def test_a_choice_added_by_hand_is_suggested_in_its_own_spelling_and_kept_by_every_list(
    project: PublishedProject,
) -> None:
    moose, empty = '<Choice value="Moose"/>', '<Choice value="empty"'
    by_hand = label_config(project).replace(empty, moose + empty)
    project.client.update_project(project.id, label_config=by_hand)
    first, second, third, fourth = project.ids
    project.annotate(project.task_of[first], "Moose")
    sync(project.workspace, project.client, project.id)
    with project.database.read() as conn:
        numbers = categories.numbers(conn)
    made_up = [
        prediction(second, 0, numbers["moose"]),
        prediction(third, 1, numbers["fox"]),
        prediction(fourth, 2, categories_of(project, "lynx")),
    ]
    project.activate_version("v1-made-up", made_up)
    project.top_up()
    assert suggestion(project, second) == [["Moose"]]
    assert suggestion(project, third) == [["fox"]]
    assert suggestion(project, fourth) == []  # nobody can choose a lynx

    for species in (["deer", "fox", "boar"], ["deer", "fox", "boar", "moose"]):
        _, changes = create_project(
            project.workspace,
            project.client,
            title=project.installation.folder.name,
            species=species,
            embedder_id=Embedder().id,
            connect_backend=False,
        )
        assert "Moose" in config.offered(label_config(project)), changes
    assert list(config.offered(label_config(project))) == ["deer", "fox", "boar", "Moose", "empty", "unsure"]


def test_a_species_renamed_by_hand_is_told_by_the_webhook_at_once(installation: Installation) -> None:
    run, client = installation.wildloop, installation.client
    with installation.backend():
        title = installation.folder.name
        run("project", "create", "--title", title, "--species", str(installation.species("red fox", "deer")))
        [project] = client.projects(title)
        number = int(project["id"])
        by_hand = str(project["label_config"]).replace('value="red fox"', 'value="fox"')
        client.update_project(number, label_config=by_hand)
        with installation.workspace.database.read() as conn:
            assert projects.get(conn, number).choices == ["fox", "deer", "empty", "unsure"]
            assert set(choices.offered(conn, number).values()) == {"fox", "deer", "empty"}
        log = (installation.folder / "backend.log").read_text()
    assert "added fox; removed red fox" in log


def test_a_deleted_project_is_named_with_its_command_and_then_left_alone(installation: Installation) -> None:
    run = installation.wildloop
    gone, left = (
        create_project(
            installation.workspace,
            installation.client,
            title=f"{installation.folder.name} {title}",
            species=["fox"],
            embedder_id=Embedder().id,
            connect_backend=False,
        )[0].id
        for title in ("first", "second")
    )
    installation.api.send("deleting the project", "DELETE", f"api/projects/{gone}/", None)
    remedy = f"wildloop project forget {gone}"
    assert remedy in run("sync", "--project", str(gone), status=1)
    assert remedy in run("doctor", status=1)
    run("project", "forget", str(gone))
    assert "0 changes recorded" in run("sync")  # without --project
    told = run("status")
    assert f"Project {left}:" in told
    assert f"Project {gone}:" not in told


def prediction(detection: str, rank: int, category: int) -> PredictionRecord:
    return PredictionRecord(
        detection_id=detection, rank=rank, score=rank / 10, category_id=category, probability=0.8
    )


def categories_of(project: PublishedProject, name: str) -> int:
    with project.database.write() as conn:
        return categories.ensure(conn, [name])[name]
