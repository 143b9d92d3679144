"""Every way to a new queue gives one of the same length, in Label Studio as in the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import wildloop
from pipeline.errors import LabelStudioError
from pipeline.steps.labelling.refresh import activate, lacks_order, refill, refresh, top_up_stock
from pipeline.store import models, predictions
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, forest, label, make_workspace, populate

CROPS = 300


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    taking = forest()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: taking)
    alone = "pipeline.steps.labelling.stock.plan_groups"  # a task for each crop, so that they can be counted
    monkeypatch.setattr(alone, lambda _workspace, _project, planned: planned)
    return taking


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    populate(sqlite_database, CROPS)
    return make_workspace(sqlite_database, tmp_path, retrain_every=80, top_k=100, label_studio_api_key="key")


def test_a_queue_lasts_for_two_trainings_whatever_it_was_made_by(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    refresh(workspace, PROJECT)
    lengths = {"cold start": len(server.queue())}
    label(workspace.database, range(90))
    first = refresh(workspace, PROJECT)
    lengths["trained"] = len(server.queue())
    label(workspace.database, range(100))
    second = refresh(workspace, PROJECT)
    activate(workspace, PROJECT, first.record.version)
    lengths["activated"] = len(server.queue())
    label(workspace.database, range(110))
    refill(workspace, PROJECT, first.record.version)
    lengths["refilled"] = len(server.queue())
    assert second.record.version != first.record.version == server.model_version
    assert lengths == dict.fromkeys(lengths, 160)


def test_the_settings_of_the_environment_give_that_length(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", workspace.settings.database_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(workspace.data_dir))
    monkeypatch.setenv("WILDLOOP_RETRAIN_EVERY", "80")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    for command in (["publish"], ["train"]):
        done = CliRunner().invoke(wildloop, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert len(server.queue()) == 160
        label(workspace.database, range(90))


def test_a_cold_start_is_made_again_for_new_crops_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    assert lacks_order(workspace, PROJECT)
    refresh(workspace, PROJECT)
    first = server.model_version
    assert not lacks_order(workspace, PROJECT)
    populate(workspace.database, CROPS + 30, first=CROPS)
    assert lacks_order(workspace, PROJECT)
    refresh(workspace, PROJECT)
    assert server.model_version.startswith("v0-")
    assert server.model_version != first
    label(workspace.database, range(90))
    refresh(workspace, PROJECT)
    populate(workspace.database, CROPS + 60, first=CROPS + 30)
    assert not lacks_order(workspace, PROJECT)  # a version with a head knows them


def test_without_a_key_the_queue_waits(workspace: Workspace, tmp_path: Path) -> None:
    keyless = make_workspace(workspace.database, tmp_path)
    with pytest.raises(LabelStudioError, match="is current, but its queue did not reach Label Studio"):
        refresh(keyless, PROJECT)
    with workspace.database.read() as conn:
        current = models.current(conn, PROJECT)
        assert current is not None
        assert predictions.unpushed(conn, current.version)
    assert top_up_stock(keyless, current) is None
