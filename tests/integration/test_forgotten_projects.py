"""A project deleted in Label Studio: named, forgotten without losing a label, and its id given again."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from pipeline import jobs
from pipeline.cli.project import forget as forget_command
from pipeline.errors import LabelStudioError, StoreError
from pipeline.exporters.source import Basis
from pipeline.jobs.scheduler import request_syncs
from pipeline.label_studio.client import ProjectDeletedError
from pipeline.label_studio.files import FOLDERS
from pipeline.records import ProjectRecord, RunKind, RunState
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.labelling.project import create_project, forget_project
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.audit import judge
from pipeline.steps.learning.train import train
from pipeline.steps.operations.status import status
from pipeline.store import audits, oracle, projects, runs, schema, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import EmptyLabelStudio, FakeLabelStudio
from tests.helpers.labelled_workspace import (
    PROJECT,
    SPECIES,
    detection,
    forest,
    make_workspace,
    populate,
    species,
)
from tests.helpers.stored import Embedder

pytestmark = pytest.mark.one_database

LABELLED = 30
CROPS = 60


def created(
    workspace: Workspace, server: FakeLabelStudio, title: str, project_id: int | None = None
) -> ProjectRecord:
    """The project of this title, or with this id, created or taken up again without a backend."""
    record, _ = create_project(
        workspace,
        server,
        title=title,
        species=SPECIES,
        embedder_id=Embedder().id,
        project_id=project_id,
        connect_backend=False,
    )
    return record


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    populate(database, CROPS)
    return make_workspace(database, tmp_path / "data", top_k=20, label_studio_api_key="key")


@pytest.fixture
def labelled(workspace: Workspace) -> FakeLabelStudio:
    """People labelled half of the crops, and a version is trained and pushed."""
    server = forest(CROPS)
    for number in range(LABELLED):
        server.annotate(number + 1, species(number))
    sync(workspace, server, PROJECT)
    train(workspace, PROJECT)
    top_up(workspace, server, PROJECT)
    return server


def label_count(workspace: Workspace) -> int:
    with workspace.database.read() as conn:
        return oracle.label_count(conn)


def test_every_error_about_a_deleted_project_names_the_command(
    workspace: Workspace, labelled: FakeLabelStudio
) -> None:
    labelled.fields["id"] = 99  # 4 is gone
    for call in (
        lambda: sync(workspace, labelled, PROJECT),
        lambda: top_up(workspace, labelled, PROJECT),
    ):
        with pytest.raises(ProjectDeletedError, match="wildloop project forget 4"):
            call()
    assert label_count(workspace) == LABELLED


def test_the_worker_names_the_command_and_goes_on_with_other_projects(
    workspace: Workspace,
    labelled: FakeLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Workspace, "label_studio", lambda _: labelled)
    labelled.fields["id"] = 9  # 4 is gone
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=9, title="Another", embedder=Embedder().id))
    request_syncs(workspace)
    jobs.work(workspace, burst=True)
    assert "wildloop project forget 4" in caplog.text
    with workspace.database.read() as conn:
        [lost], [done] = (runs.recent(conn, number, kind=RunKind.SYNC) for number in (4, 9))
    assert (lost.state, done.state) == (RunState.FAILED, RunState.DONE)


@pytest.mark.both_databases
@pytest.mark.usefixtures("labelled")
def test_a_forgotten_project_is_not_asked_for_and_keeps_its_labels(workspace: Workspace) -> None:
    other = ProjectRecord(id=9, title="Another", embedder=Embedder().id)
    with workspace.database.write() as conn:
        projects.save(conn, other)
        with pytest.raises(StoreError, match="several projects"):
            projects.choose(conn, None)
    waiting = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="command")
    assert forget_project(workspace, PROJECT) == LABELLED
    request_syncs(workspace)
    with workspace.database.read() as conn:
        assert projects.choose(conn, None).id == 9
        assert runs.get(conn, waiting).state is RunState.DONE
        assert {run.project_id for run in runs.claimable(conn)} == {9}
        with pytest.raises(StoreError, match=r"was forgotten.*project create --project 4"):
            projects.choose(conn, PROJECT)
    assert [project.id for project in status(workspace).projects] == [9]
    boxes = [box for photo in StoreExport(workspace, 9).photographs() for box in photo.detections]
    assert sum(box.answer.basis is Basis.PEOPLE for box in boxes) == LABELLED


@pytest.mark.usefixtures("labelled")
def test_the_command_says_that_the_labels_stay(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cli.project.opened", lambda: workspace)
    done = CliRunner().invoke(forget_command, [str(PROJECT)], catch_exceptions=False)
    assert done.output == "project 4 is forgotten; its 30 labels stay\n"


@pytest.mark.both_databases
@pytest.mark.usefixtures("labelled")
def test_an_id_that_label_studio_gives_again_stands_for_a_new_project(workspace: Workspace) -> None:
    with workspace.database.read() as conn:
        former = projects.get(conn, PROJECT)
        drawn = audits.drawn_ids(conn, PROJECT)
    server = EmptyLabelStudio(PROJECT)
    record = created(workspace, server, "Second try")
    assert (record.id, record.watermark, record.title) == (PROJECT, None, "Second try")
    assert record.current_model == former.current_model  # what it has learned is as right as before
    with workspace.database.read() as conn:
        assert tasks.count(conn, PROJECT) == 0
        assert audits.drawn_ids(conn, PROJECT) == drawn
    _give_crops(workspace)
    top_up(workspace, server, PROJECT)
    assert len(server.asked()) == CROPS - LABELLED
    assert label_count(workspace) == LABELLED
    # This Label Studio has none of the former annotations, and their ids again: they count nevertheless.
    assert sync(workspace, server, PROJECT).new == 0
    assert label_count(workspace) == LABELLED
    task = next(number for number, data in server.data.items() if len(data["detections"]) == 1)
    shown = species(int(server.shows(task)[1:]))
    server.delete(server.annotate(task, shown))
    server.annotate(task, shown)
    sync(workspace, server, PROJECT)
    assert label_count(workspace) == LABELLED + 1
    top_up(workspace, server, PROJECT)
    assert server.queue()
    assert train(workspace, PROJECT) is not None


def test_a_forgotten_project_that_is_there_nevertheless_is_taken_up_again(
    workspace: Workspace, labelled: FakeLabelStudio
) -> None:
    forget_project(workspace, PROJECT)
    labelled.storages = [{"path": str(workspace.data_dir / name)} for name in FOLDERS]
    record = created(workspace, labelled, "Park", PROJECT)
    assert record.forgotten_at is None
    in_stream = labelled.tasks_in_stream(PROJECT)
    assert top_up(workspace, labelled, PROJECT).recovered == len(in_stream)
    assert in_stream
    assert sync(workspace, labelled, PROJECT).new == 0
    assert label_count(workspace) == LABELLED


def test_labels_of_the_audit_count_in_a_project_that_was_made_again(
    workspace: Workspace, labelled: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        audits.draw(conn, PROJECT, [detection(40), detection(41)], 2, requested=True)
    task = next(number for number, data in labelled.data.items() if data["detection_id"] == detection(40))
    labelled.annotate(task, species(40))
    sync(workspace, labelled, PROJECT)
    before = judge(workspace, PROJECT)
    server = EmptyLabelStudio(PROJECT)
    created(workspace, server, "Second try")
    after = judge(workspace, PROJECT)
    assert before is not None
    assert after is not None
    assert after.labelled == before.labelled > 0


@pytest.mark.both_databases
def test_a_label_that_is_deleted_after_a_project_was_taken_up_again_is_deleted(
    workspace: Workspace, labelled: FakeLabelStudio
) -> None:
    labelled.fields["created_at"] = "2020-05-01T12:00:00.000000Z"  # before the store knew the project
    forget_project(workspace, PROJECT)
    labelled.storages = [{"path": str(workspace.data_dir / name)} for name in FOLDERS]
    labelled.delete(next(each["id"] for row in labelled.rows.values() for each in row["annotations"]))
    created(workspace, labelled, "Park", PROJECT)
    top_up(workspace, labelled, PROJECT)
    sync(workspace, labelled, PROJECT)
    assert label_count(workspace) == LABELLED - 1


@pytest.mark.usefixtures("labelled")
def test_a_project_that_is_none_of_wildloop_loses_us_no_label(workspace: Workspace) -> None:
    """Label Studio started from nothing, and somebody made a project by hand: it got the same id."""
    server = FakeLabelStudio(PROJECT)
    server.fields["label_config"] = "<View><Text name='t' value='$t'/></View>"
    with pytest.raises(LabelStudioError, match=r"no <Choices .*wildloop project forget 4"):
        sync(workspace, server, PROJECT)
    assert label_count(workspace) == LABELLED


def _give_crops(workspace: Workspace) -> None:
    """Give the crops of `populate` paths, which tasks need."""
    table = schema.detection
    with workspace.database.write() as conn:
        conn.execute(sa.update(table).values(crop_path=sa.literal("crops/") + table.c.id))
