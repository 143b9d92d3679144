"""Labels that a source brought: those of no choice, those that people correct, and nothing that waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from importers.detectors import load_detector
from importers.sources.coco import import_coco
from pipeline.embedders import load
from pipeline.jobs.enqueue import is_due
from pipeline.label_studio.checks import State
from pipeline.label_studio.species import read_species
from pipeline.records import EMPTY, Purpose, TaskKind
from pipeline.render.labelling import stock_report
from pipeline.render.operations import status as told
from pipeline.steps.embedding.embed import embed
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.stock import StockReport, top_up
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.train import train
from pipeline.steps.operations.choices_check import examine_choices, read_labels
from pipeline.steps.operations.status import ProjectStatus, status
from pipeline.store import categories, oracle, projects
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import EmptyLabelStudio
from tests.helpers.labelled_workspace import make_workspace

PROJECT = 7


class Survey:
    """A COCO file of `source_labels`, embedded and published."""

    def __init__(self, workspace: Workspace, folder: Path, name: str) -> None:
        self.workspace, self.server = workspace, EmptyLabelStudio(PROJECT)
        import_coco(workspace, [folder / name], str(folder / "photos"), load_detector("whole-frame"))
        embedder = load("descriptor", data_dir=workspace.data_dir)
        embed(workspace, embedder)
        create_project(
            workspace,
            self.server,
            title="Survey",
            species=read_species(folder / "species.txt").names,
            embedder_id=embedder.id,
            connect_backend=False,
        )
        cold_start(self.workspace, PROJECT)
        self.stock = self.top_up()

    def top_up(self) -> StockReport:
        return top_up(self.workspace, self.server, PROJECT)

    def status(self) -> ProjectStatus:
        [project] = status(self.workspace).projects
        return project

    def suggested(self) -> set[str]:
        return {
            result["value"]["choices"][0]
            for each in self.server.predictions
            if each["model_version"] == self.server.model_version
            and each["task"] in self.server.tasks_in_stream(PROJECT)
            for result in each["result"]
        }


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    return make_workspace(sqlite_database, tmp_path / "data")


def test_only_choices_are_suggested_and_the_labels_of_no_choice_are_told(
    workspace: Workspace, field_cases: Path
) -> None:
    survey = Survey(workspace, field_cases / "source_labels", "half.json")
    record = train(workspace, PROJECT)
    assert record is not None
    assert set(record.metrics["classes"]) == {EMPTY, "red fox", "vulpes vulpes"}
    survey.top_up()
    assert survey.suggested()
    assert survey.suggested() <= {"red fox", "roe deer", EMPTY}
    assert survey.status().unoffered == {"vulpes vulpes": 4}
    assert 'vulpes vulpes (4): offer them with `wildloop project species add "vulpes vulpes"`' in told(
        status(workspace)
    )
    with workspace.database.read() as conn:
        project, labels = projects.get(conn, PROJECT), read_labels(conn)
    [found] = examine_choices(survey.server, project, labels)
    assert found.state is State.WARN
    assert "vulpes vulpes (4)" in found.what
    assert "wildloop project species add" in (found.remedy or "")


def test_corrections_of_source_labels_make_a_training_due(workspace: Workspace, field_cases: Path) -> None:
    survey = Survey(workspace, field_cases / "source_labels", "half.json")
    train(workspace, PROJECT)
    with workspace.database.read() as conn:
        labels, names = oracle.labels(conn), categories.names(conn)
        assert len(labels) == 28
        assert not is_due(conn, workspace, PROJECT)
    corrections = [
        PlannedTask(kind=TaskKind.SINGLE, purpose=Purpose.REVIEW, detections=(crop,), score=-1.5)
        for crop in sorted(labels)
    ]
    task_of = {
        task.detections[0]: task.task_id for task in ask(workspace, survey.server, PROJECT, corrections)
    }
    assert survey.status().labels_until_training == 20
    for number, detection in enumerate(sorted(labels)[:24], start=1):
        survey.server.annotate(task_of[detection], "roe deer")
        assert names[labels[detection]] != "roe deer"
        if number == 15:
            sync(workspace, survey.server, PROJECT)
            assert survey.status().labels_until_training == 5
    sync(workspace, survey.server, PROJECT)
    assert survey.status().labelled == 28
    assert survey.status().labels_until_training == 0
    with workspace.database.read() as conn:
        assert is_due(conn, workspace, PROJECT)


def test_where_every_crop_comes_labelled_nothing_waits_and_nothing_else_is_claimed(
    workspace: Workspace, field_cases: Path
) -> None:
    survey = Survey(workspace, field_cases / "source_labels", "labels.json")
    assert "Labelling is done" in stock_report(survey.stock)
    assert survey.status().waiting == 0
    assert "nothing: labelling is done" in told(status(workspace))
    assert train(workspace, PROJECT) is not None
    assert "Labelling is done" in stock_report(survey.top_up())
    with workspace.database.read() as conn:
        assert not is_due(conn, workspace, PROJECT)
