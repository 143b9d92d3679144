"""Projects of earlier releases keep their labels and go on in a new Label Studio project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.webhook import receive
from pipeline import jobs
from pipeline.errors import LabelStudioError, StoreError
from pipeline.jobs.follow_up import request_follow_up
from pipeline.label_studio import config
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import RunKind
from pipeline.render.project import renewal
from pipeline.steps.labelling import renew as step
from pipeline.steps.labelling.refresh import refresh
from pipeline.steps.labelling.renew import Renewal, renew_project
from pipeline.steps.labelling.species import rename_species
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import reset_watermark, sync
from pipeline.steps.learning.training_set import training_labels
from pipeline.steps.operations.status import status
from pipeline.store import audits, categories, oracle, projects, tasks
from pipeline.workspace import Workspace
from tests.helpers import earlier_release
from tests.helpers.earlier_release import CROPS, PROJECT
from tests.helpers.fake_label_studio import EmptyLabelStudio, FakeLabelStudio
from tests.helpers.labelled_workspace import make_workspace

NEW = 5


class LabelStudio:
    """A Label Studio with the project of the earlier release, and those that are created since."""

    url = "http://label-studio.example"

    def __init__(self) -> None:
        self.of: dict[int, FakeLabelStudio] = {PROJECT: earlier_release.label_studio()}

    @property
    def new(self) -> FakeLabelStudio:
        return self.of[NEW]

    def projects(self, title: str) -> list[dict[str, Any]]:
        return [held.fields for held in self.of.values() if held.fields["title"] == title]

    def create_project(self, **fields: Any) -> dict[str, Any]:
        number = max(self.of) + 1
        self.of[number] = EmptyLabelStudio(number)
        return self.of[number].create_project(**fields)

    def browser_path(self) -> str:
        return ""

    def park_task(self, task_id: int) -> bool:
        return any(held.park_task(task_id) for held in self.of.values())

    def __getattr__(self, name: str) -> Any:
        def call(project_id: int, *args: Any, **options: Any) -> Any:
            return getattr(self.of[project_id], name)(project_id, *args, **options)

        return call


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> LabelStudio:
    made = LabelStudio()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: made)
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    store = earlier_release.store(tmp_path / "wildloop.db")
    return make_workspace(store, tmp_path / "data", label_studio_api_key="key")


def renew(workspace: Workspace, server: LabelStudio, **options: Any) -> Renewal:
    client: Any = server
    return renew_project(workspace, client, PROJECT, connect_backend=False, **options)


def labels(workspace: Workspace) -> dict[str, int]:
    with workspace.database.read() as conn:
        names = categories.names(conn)
        return {names[number]: count for number, count in oracle.label_counts(conn).items()}


def test_a_project_of_an_earlier_release_keeps_its_labels_and_is_synced(
    workspace: Workspace, server: LabelStudio
) -> None:
    assert labels(workspace) == {"deer": 8, "fox": 9, "boar": 6}  # and a dispute
    reset_watermark(workspace, PROJECT)
    old: Any = server
    assert sync(workspace, old, PROJECT).new == 0
    server.of[PROJECT].webhook = lambda payload: receive(workspace, payload, lambda _: None)
    server.of[PROJECT].annotate(29, "boar")
    assert labels(workspace)["boar"] == 7
    rename_species(workspace, old, PROJECT, "fox", "red fox")
    assert labels(workspace) == {"deer": 8, "red fox": 9, "boar": 7}
    assert "red fox" in config.offered(server.of[PROJECT].fields["label_config"])


def test_asking_in_it_is_refused_with_the_remedy(workspace: Workspace, server: LabelStudio) -> None:
    old: Any = server
    with pytest.raises(LabelStudioError, match=r"screen of an earlier release.*renew --project 4"):
        top_up(workspace, old, PROJECT)
    assert len(server.of[PROJECT].rows) == CROPS + 1
    run = jobs.run_now(workspace, PROJECT, RunKind.PUBLISH, trigger="command")
    assert "wildloop project renew --project 4" in (run.error or "")


def test_a_new_project_goes_on_with_labels_species_taxa_and_audit(
    workspace: Workspace, server: LabelStudio
) -> None:
    before = labels(workspace)
    with workspace.database.read() as conn:
        audited = audits.drawn_ids(conn, PROJECT)
    assert {"d0003", "d0004", "d0030", "d0031"} <= audited
    report = renew(workspace, server, options=ScreenOptions(count=True))
    assert (report.former.id, report.former.title, report.former.replaced_by) == (4, "Forest (replaced)", NEW)
    assert server.of[PROJECT].fields["title"] == "Forest (replaced)"
    assert (report.new.id, report.new.title, report.audit) == (NEW, "Forest", len(audited))
    assert "goes on with 23 labels and 5 audit crops" in renewal(report)
    screen = server.new.fields["label_config"]
    assert config.species_of(screen) == ["deer", "fox", "boar"]
    assert "Vulpes vulpes" in screen
    assert ScreenOptions.from_json(report.new.options).count
    assert labels(workspace) == before
    with workspace.database.read() as conn:
        assert projects.choose(conn, None).id == NEW
        assert audits.drawn_ids(conn, NEW) == audited
        assert not audited & training_labels(conn, NEW).keys()

    refreshed = refresh(workspace, NEW)
    assert refreshed.record.path is not None  # trained on the labels, without another cold start
    with workspace.database.read() as conn:
        asked = {crop for task in tasks.open_tasks(conn, NEW) for crop in task.detections}
        assert asked == {f"d{number:04}" for number in (0, 24, *range(26, CROPS))}  # what has no label yet
    assert [project.id for project in status(workspace).projects] == [NEW]


def test_late_answers_in_the_former_project_count_and_nothing_else_happens_in_it(
    workspace: Workspace, server: LabelStudio
) -> None:
    renew(workspace, server)
    refresh(workspace, NEW)
    tasks_before = len(server.of[PROJECT].rows)
    server.of[PROJECT].annotate(30, "boar")
    old: Any = server
    assert sync(workspace, old, PROJECT).new == 1
    assert labels(workspace)["boar"] == 7
    assert top_up(workspace, old, NEW).parked == 1  # its task in the new project is settled
    for refused in (lambda: top_up(workspace, old, PROJECT), lambda: refresh(workspace, PROJECT)):
        with pytest.raises(StoreError, match="was replaced by project 5"):
            refused()
    assert jobs.train_if_due(workspace, PROJECT) is None
    assert jobs.top_up_if_low(workspace, PROJECT, trigger="test") is None
    assert PROJECT not in request_follow_up(workspace, trigger="test")
    assert len(server.of[PROJECT].rows) == tasks_before
    with pytest.raises(StoreError, match="was replaced by project 5"):
        renew(workspace, server)


def test_an_interrupted_renewal_is_completed_by_the_next(
    workspace: Workspace, server: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise LabelStudioError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(FakeLabelStudio, "create_tab", broken)
        with pytest.raises(LabelStudioError):
            renew(workspace, server)
    with monkeypatch.context() as patch:
        patch.setattr(step.projects, "replace", broken)
        with pytest.raises(LabelStudioError):
            renew(workspace, server)
    report = renew(workspace, server)
    assert sorted(server.of) == [PROJECT, NEW]
    assert (report.new.id, report.new.title, report.former.title) == (NEW, "Forest", "Forest (replaced)")


def test_the_title_of_another_project_is_refused(workspace: Workspace, server: LabelStudio) -> None:
    renew(workspace, server, title="Autumn")
    assert server.of[PROJECT].fields["title"] == "Forest"
    client: Any = server
    with pytest.raises(LabelStudioError, match="project 4 has the title 'Forest' already"):
        renew_project(workspace, client, NEW, title="Forest", connect_backend=False)
