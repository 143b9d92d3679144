"""Changes of the species list while people label: no label is lost, and only what is offered is suggested."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.predictions import Predictor
from backend.webhook import receive
from pipeline.errors import LabelStudioError, StoreError
from pipeline.exporters.source import Basis
from pipeline.label_studio import config
from pipeline.label_studio.screen import controls
from pipeline.records import ProjectRecord, Taxon
from pipeline.render import operations as render
from pipeline.render.labelling import species_change
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.labelling.species import (
    add_species,
    list_species,
    merge_species,
    rename_species,
)
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import reset_watermark, sync
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.predict import load_version
from pipeline.steps.learning.train import train
from pipeline.steps.operations.status import status
from pipeline.store import acceptances, categories, choices, models, oracle, projects, taxa
from pipeline.store.acceptances import Acceptance
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import (
    PROJECT,
    SPECIES,
    detection,
    make_workspace,
    populate,
    species,
)
from tests.helpers.stored import Embedder

LABELLED = 45


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    """Crops of which people have labelled some in Label Studio, and the version trained on them, asked."""
    populate(sqlite_database, asked=False)
    return make_workspace(sqlite_database, tmp_path, top_k=60)


@pytest.fixture
def server(workspace: Workspace) -> FakeLabelStudio:
    made = FakeLabelStudio(PROJECT, species=SPECIES)
    cold_start(workspace, PROJECT)
    top_up(workspace, made, PROJECT)
    for crop in range(LABELLED):
        answer(made, crop, species(crop))
    sync(workspace, made, PROJECT)
    train(workspace, PROJECT)
    top_up(workspace, made, PROJECT)
    return made


def answer(server: FakeLabelStudio, crop: int, word: str) -> None:
    """A person answers the newest task about a crop with one of its choices."""
    task = max(number for number in server.rows if server.shows(number) == detection(crop))
    server.submit(task, [chosen(controls.SPECIES, word)])


def chosen(control: str, word: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "crop_0", "type": "choices", "value": {"choices": [word]}}


def named(server: FakeLabelStudio, crop: int) -> set[str]:
    """The words that annotations of a crop have."""
    return {
        word
        for number, row in server.rows.items()
        if server.shows(number) == detection(crop)
        for annotation in row["annotations"]
        for item in annotation["result"]
        for word in item["value"]["choices"]
    }


def labels(workspace: Workspace) -> dict[str, int]:
    """The labels of the project by the name of their category."""
    with workspace.database.read() as conn:
        names = categories.names(conn)
        return {names[number]: count for number, count in oracle.label_counts(conn).items()}


def suggested(server: FakeLabelStudio) -> set[str]:
    """Every word that Label Studio suggests to whoever takes the next tasks."""
    return {
        word
        for each in server.predictions
        if each["model_version"] == server.model_version and not server.rows[each["task"]]["is_labeled"]
        for result in each["result"]
        for word in result["value"]["choices"]
    }


def offered(server: FakeLabelStudio) -> dict[str, str]:
    return config.offered(server.fields["label_config"])


def test_a_renamed_species_keeps_its_labels_key_and_suggestions(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = labels(workspace)
    assert suggested(server) == {"deer", "fox", "boar"}
    report = rename_species(workspace, server, PROJECT, "Fox", "red fox")
    assert report.offered == ["deer", "red fox", "boar", "empty", "unsure"]
    assert offered(server)["red fox"] == "w"
    assert labels(workspace) == {"deer": before["deer"], "red fox": before["fox"], "boar": before["boar"]}
    assert suggested(server) == {"deer", "red fox", "boar"}
    # Annotations keep their word, which is another name of the category now: a sync finds nothing to change.
    assert named(server, 3) == {"fox"}
    server.exported.clear()
    reset_watermark(workspace, PROJECT)
    assert sync(workspace, server, PROJECT).new == 0
    assert server.exported == []
    answer(server, 100, "red fox")
    answer(server, 101, "fox")  # from a screen that was open during the change
    assert sync(workspace, server, PROJECT).new == 2
    assert labels(workspace)["red fox"] == before["fox"] + 2


def test_a_word_of_a_list_is_kept_for_the_annotations_that_have_it(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    task = max(number for number in server.rows if server.shows(number) == detection(100))
    words = [chosen(controls.SPECIES, controls.ANOTHER_SPECIES), chosen(controls.ANOTHER, "fox")]
    server.submit(task, words)
    rename_species(workspace, server, PROJECT, "fox", "red fox")
    assert config.former(server.fields["label_config"]) == ["fox"]
    assert "fox" not in offered(server)


def test_a_rename_back_restores_the_list(workspace: Workspace, server: FakeLabelStudio) -> None:
    before, keys = labels(workspace), offered(server)
    rename_species(workspace, server, PROJECT, "fox", "red fox")
    rename_species(workspace, server, PROJECT, "red fox", "fox")
    assert (labels(workspace), offered(server)) == (before, keys)
    assert config.former(server.fields["label_config"]) == []
    assert suggested(server) == {"deer", "fox", "boar"}


def test_a_change_of_letter_case_changes_the_word_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = labels(workspace)
    rename_species(workspace, server, PROJECT, "fox", "Fox")
    assert labels(workspace) == before
    assert suggested(server) == {"deer", "Fox", "boar"}


def test_merged_species_are_one_in_labels_suggestions_and_probabilities(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = labels(workspace)
    report = merge_species(workspace, server, PROJECT, ["fox", "deer"], "mammal")
    assert report.offered == ["mammal", "boar", "empty", "unsure"]
    assert offered(server)["mammal"] == "q"
    assert labels(workspace) == {"mammal": before["fox"] + before["deer"], "boar": before["boar"]}
    assert suggested(server) == {"mammal", "boar"}
    queued = [each for each in server.predictions if each["model_version"] == server.model_version]
    probabilities = [each["result"][0].get("score", 0) for each in queued if each["result"]]
    assert max(probabilities) <= 1.0001
    with workspace.database.read() as conn:
        current = models.current(conn, PROJECT)
    assert current is not None
    assert current.version.startswith("v1-")  # the same version, nothing is trained for it
    again = train(workspace, PROJECT)
    assert again is not None
    assert set(again.metrics["classes"]) == {"mammal", "boar"}


def test_a_species_that_was_merged_is_added_again_with_its_own_labels(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = labels(workspace)
    merge_species(workspace, server, PROJECT, ["fox"], "deer")
    assert labels(workspace) == {"deer": before["fox"] + before["deer"], "boar": before["boar"]}
    add_species(workspace, server, PROJECT, ["fox", "Moose"])
    assert labels(workspace) == before
    assert list(offered(server)) == ["deer", "boar", "fox", "Moose", "empty", "unsure"]
    assert offered(server)["Moose"] == "r"  # the first free key
    assert suggested(server) == {"deer", "fox", "boar"}
    with pytest.raises(StoreError, match="offers 'Moose' already"):
        add_species(workspace, server, PROJECT, ["moose"])


def test_a_change_that_label_studio_does_not_take_is_completed_by_the_next(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, update = labels(workspace), server.update_project

    def broken(*_: object, **__: object) -> dict[str, object]:
        raise LabelStudioError("the connection broke")

    monkeypatch.setattr(server, "update_project", broken)
    with pytest.raises(LabelStudioError):
        rename_species(workspace, server, PROJECT, "fox", "red fox")
    monkeypatch.setattr(server, "update_project", update)
    top_up(workspace, server, PROJECT)  # meanwhile: what can be chosen is suggested
    assert suggested(server) == {"deer", "fox", "boar"}
    rename_species(workspace, server, PROJECT, "fox", "red fox")
    assert suggested(server) == {"deer", "red fox", "boar"}
    assert labels(workspace)["red fox"] == before["fox"]


def test_a_merge_names_other_projects_that_offer_both(workspace: Workspace, server: FakeLabelStudio) -> None:
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=9, title="Autumn", embedder=Embedder().id))
        choices.see(conn, 9, ["Fox", "deer", "boar", "empty", "unsure"])
    report = merge_species(workspace, server, PROJECT, ["fox"], "deer")
    assert report.doubled == {9: {"deer": ["Fox", "deer"]}}
    told = 'project species merge "Fox" "deer" --into "deer" --project 9` offers one there'
    assert told in species_change(report)


@pytest.mark.parametrize(("former", "into"), [(["deer"], "fox"), (["deer", "fox"], "mammal")])
def test_a_merge_that_label_studio_did_not_take_can_be_run_again(
    workspace: Workspace,
    server: FakeLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
    former: list[str],
    into: str,
) -> None:
    before = labels(workspace)

    def broken(*_: object, **__: object) -> dict[str, object]:
        raise LabelStudioError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(server, "update_project", broken)
        with pytest.raises(LabelStudioError):
            merge_species(workspace, server, PROJECT, former, into)
    report = merge_species(workspace, server, PROJECT, former, into)
    assert report.offered == [into, "boar", "empty", "unsure"]
    assert labels(workspace) == {into: before["fox"] + before["deer"], "boar": before["boar"]}
    assert suggested(server) == {into, "boar"}


def test_wrong_names_change_nothing(workspace: Workspace, server: FakeLabelStudio) -> None:
    before = server.fields["label_config"]
    with pytest.raises(StoreError, match=r"offers no 'lynx', only deer, fox, boar"):
        rename_species(workspace, server, PROJECT, "lynx", "wolf")
    with pytest.raises(StoreError, match=r"offers 'deer' already.*merge"):
        rename_species(workspace, server, PROJECT, "fox", "Deer")
    with pytest.raises(StoreError, match="'blank' names no species"):
        rename_species(workspace, server, PROJECT, "fox", "blank")
    with pytest.raises(StoreError, match="offers no 'lynx'"):
        merge_species(workspace, server, PROJECT, ["lynx"], "deer")
    with pytest.raises(StoreError, match="offers no 'empty'"):
        merge_species(workspace, server, PROJECT, ["empty"], "deer")
    assert server.fields["label_config"] == before


def test_labels_of_no_choice_suggest_nothing_until_their_species_is_offered(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    without = config.render(["deer", "boar"])
    server.update_project(PROJECT, label_config=without)
    top_up(workspace, server, PROJECT)
    assert suggested(server) == {"deer", "boar"}
    with workspace.database.read() as conn:
        assert choices.unoffered(conn, PROJECT) == {"fox": 15}
    assert [one.name for one in list_species(workspace, server, PROJECT) if not one.offered] == ["fox"]
    add_species(workspace, server, PROJECT, ["fox"])
    assert suggested(server) == {"deer", "fox", "boar"}
    with workspace.database.read() as conn:
        assert choices.unoffered(conn, PROJECT) == {}


def test_a_name_that_annotators_typed_is_a_proposal_until_it_is_taken_up(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    def propose(crop: int, name: str) -> None:
        task = max(number for number in server.rows if server.shows(number) == detection(crop))
        typed = {
            "from_name": controls.NAME,
            "to_name": "crop_0",
            "type": "textarea",
            "value": {"text": [name]},
        }
        another = chosen(controls.SPECIES, controls.ANOTHER_SPECIES)
        server.submit(task, [another, chosen(controls.ANOTHER, controls.NOT_IN_LIST), typed])

    def listed() -> dict[str, tuple[int, bool]]:
        found = list_species(workspace, server, PROJECT)
        return {one.name: (one.labels, one.proposed) for one in found if not one.offered}

    propose(100, "Pine Marten")
    propose(101, "pine marten")
    propose(102, "pine martin")
    sync(workspace, server, PROJECT)
    assert listed() == {"pine marten": (2, True), "pine martin": (1, True)}
    [told] = status(workspace).projects
    assert told.proposed == {"pine marten": 2, "pine martin": 1}
    assert "proposed by annotators" in render.status(status(workspace))

    add_species(workspace, server, PROJECT, ["pine marten"])
    merge_species(workspace, server, PROJECT, ["pine martin"], "pine marten")
    assert listed() == {}
    assert labels(workspace)["pine marten"] == 3
    [told] = status(workspace).projects
    assert told.proposed == {}


def test_a_species_of_no_choice_becomes_part_of_one_that_is_offered(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.update_project(PROJECT, label_config=config.render(["deer", "boar"]))
    merge_species(workspace, server, PROJECT, ["fox"], "Deer")
    assert labels(workspace) == {"deer": 30, "boar": 15}
    assert list(offered(server)) == ["deer", "boar", "empty", "unsure"]


def test_a_choice_keeps_its_spelling_in_suggestions(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.update_project(PROJECT, label_config=config.render(["DEER", "Fox", "boar"]))
    top_up(workspace, server, PROJECT)
    assert suggested(server) == {"DEER", "Fox", "boar"}


def test_a_species_added_by_hand_leaves_the_queue_in_place(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    asked = list(server.predictions)
    server.update_project(PROJECT, label_config=config.render(["deer", "fox", "boar", "Moose"]))
    report = top_up(workspace, server, PROJECT)
    assert (report.asked, report.parked) == (0, 0)
    assert server.predictions == asked
    answer(server, 100, "Moose")
    sync(workspace, server, PROJECT)
    assert labels(workspace)["moose"] == 1


def test_a_config_changed_by_hand_is_noticed_by_its_webhook(
    workspace: Workspace, server: FakeLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand = server.fields["label_config"].replace('value="fox"', 'value="red fox"')
    payload = {"action": "PROJECT_UPDATED", "project": {"id": PROJECT, "label_config": by_hand}}
    with caplog.at_level(logging.WARNING):
        assert receive(workspace, payload, lambda _: None)["status"] == "recorded"
    assert "added red fox; removed fox; labels of no choice now: fox (15)" in caplog.text
    with workspace.database.read() as conn:
        assert list(projects.get(conn, PROJECT).choices or ()) == [
            "deer",
            "red fox",
            "boar",
            "empty",
            "unsure",
        ]
    server.fields["label_config"] = by_hand
    top_up(workspace, server, PROJECT)
    assert suggested(server) == {"deer", "boar"}
    other = {"action": "PROJECT_UPDATED", "project": {"id": PROJECT, "label_config": "<View/>"}}
    assert receive(workspace, other, lambda _: None)["status"] == "ignored"


def test_the_backend_suggests_what_the_label_config_of_the_request_offers(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    asked = [{"id": number + 1} for number in range(120)]

    def answered(label_config: str) -> set[str]:
        made = Predictor(workspace).predict(asked, PROJECT, label_config)
        return {result["value"]["choices"][0] for each in made for result in each["result"]}

    assert answered(server.fields["label_config"]) == {"deer", "fox", "boar"}
    assert answered(config.render(["Deer", "boar"])) == {"Deer", "boar"}
    assert answered("<View/>") == {"Deer", "boar"}  # as seen last
    rename_species(workspace, server, PROJECT, "fox", "red fox")
    assert answered(server.fields["label_config"]) == {"deer", "red fox", "boar"}


def test_no_prediction_of_what_nobody_can_choose_is_accepted_or_exported(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    def exported() -> set[str | None]:
        source = StoreExport(workspace, PROJECT, threshold=0.0)
        boxes = [box for photograph in source.photographs() for box in photograph.detections]
        return {box.answer.category for box in boxes if box.answer.basis is Basis.MODEL}

    assert exported() == {"deer", "fox", "boar"}
    server.update_project(PROJECT, label_config=config.render(["deer", "boar"]))
    top_up(workspace, server, PROJECT)
    assert exported() == {"deer", "boar"}
    with workspace.database.read() as conn:
        current = models.current(conn, PROJECT)
        number = categories.numbers(conn)["fox"]
    assert current is not None
    version = load_version(workspace, current)
    predictions = version.predict(np.arange(len(version.pool)))
    assert (predictions.category == number).any()
    assert set(predictions.category[~predictions.offered]) == {number}


@pytest.mark.parametrize("name", ["red fox", "Vulpes vulpes"])
def test_a_renamed_species_stays_the_taxon_that_it_was_and_keeps_its_guarantee(
    name: str, workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        taxa.save(conn, [Taxon(category="fox", scientific_name="Vulpes vulpes")])
        categories.merge(conn, ["vulpes vulpes"], "fox")  # another name of it
        acceptances.save(conn, accepted(server, {categories.numbers(conn)["fox"]: 0.9}))
    rename_species(workspace, server, PROJECT, "fox", name)
    with workspace.database.read() as conn:
        number = categories.numbers(conn)[name.lower()]
        assert taxa.all(conn)[number].scientific_name == "Vulpes vulpes"
        kept = acceptances.for_version(conn, server.model_version)
    assert kept is not None
    assert kept.thresholds == {number: 0.9}


@pytest.mark.parametrize(("former", "into"), [(["fox"], "deer"), (["fox", "deer"], "mammal")])
def test_a_merge_ends_the_guarantee_of_its_species(
    former: list[str], into: str, workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        acceptances.save(conn, accepted(server, {categories.numbers(conn)["deer"]: 0.9}))
    merge_species(workspace, server, PROJECT, former, into)
    with workspace.database.read() as conn:
        assert acceptances.for_version(conn, server.model_version) is None


def accepted(server: FakeLabelStudio, thresholds: dict[int, float]) -> Acceptance:
    """What was accepted of the version that the server shows."""
    return Acceptance(
        model_version=server.model_version,
        precision=0.9,
        confidence=0.9,
        thresholds=thresholds,
        audited=50,
        pool_size=120,
    )


@pytest.mark.parametrize("former", [["fox", "deer"], ["fox"]])
def test_species_that_become_part_of_a_group_do_not_give_it_a_scientific_name(
    former: list[str], workspace: Workspace, server: FakeLabelStudio
) -> None:
    known = [
        Taxon(category="fox", scientific_name="Vulpes"),
        Taxon(category="deer", scientific_name="Cervus"),
    ]
    with workspace.database.write() as conn:
        taxa.save(conn, known)
    into = "mammal" if len(former) > 1 else "boar"
    merge_species(workspace, server, PROJECT, former, into)
    with workspace.database.write() as conn:
        taxa.save(conn, [replace(taxon, source="camtrap-dp:x") for taxon in known])  # an import, later
        assert into not in {taxon.category for taxon in taxa.all(conn).values()}
