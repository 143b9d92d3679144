"""`wildloop sync`, as somebody types it: a run like the worker's."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import wildloop
from pipeline.errors import LabelStudioError
from pipeline.records import RunKind
from pipeline.steps.labelling.sync import reset_watermark, sync
from pipeline.store import projects, runs
from pipeline.store.database import Database
from pipeline.store.workers import own_id
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import (
    PROJECT,
    SPECIES,
    START,
    detection,
    label,
    make_workspace,
    populate,
)


class Listing(FakeLabelStudio):
    """Notes since when it was asked for changed tasks, and which syncs ran meanwhile."""

    def __init__(self, database: Database) -> None:
        super().__init__(PROJECT, {number + 1: detection(number) for number in range(1_000)}, species=SPECIES)
        self.since: list[dt.datetime | None] = []
        self.running: list[int] = []
        self._database = database

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Any]:
        self.since.append(moment)
        with self._database.read() as conn:
            self.running.append(sum(run.kind is RunKind.SYNC for run in runs.running(conn)))
        return iter(())


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    populate(sqlite_database)
    made = make_workspace(sqlite_database, tmp_path, label_studio_api_key="key")
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", made.settings.database_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(made.data_dir))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.delenv("REDIS_URL", raising=False)
    with made.database.write() as conn:
        projects.move_watermark(conn, PROJECT, former=None, new=START, synced_at=START)
    return made


@pytest.fixture
def server(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Listing:
    listing = Listing(workspace.database)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: listing)
    return listing


def run(*words: str) -> str:
    done = CliRunner().invoke(wildloop, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def watermark(workspace: Workspace) -> dt.datetime | None:
    with workspace.database.read() as conn:
        return projects.get(conn, PROJECT).watermark


def test_a_sync_asks_for_the_queue_that_label_studio_did_not_take(
    workspace: Workspace, server: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(workspace.database, range(30))

    def refuse(*_: object) -> None:
        raise LabelStudioError("Label Studio does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(server, "import_predictions", refuse)
        assert isinstance(CliRunner().invoke(wildloop, ["train"]).exception, Exception)
    assert server.queue() == []
    assert "0 tasks compared, 0 changes recorded" in run("sync")
    with workspace.database.read() as conn:
        assert [one.kind for one in runs.claimable(conn)] == [RunKind.PUBLISH]
    run("publish")
    assert len(server.asked()) == 90


@pytest.mark.usefixtures("server")
def test_a_sync_asks_for_the_training_that_is_due(workspace: Workspace) -> None:
    label(workspace.database, range(30))
    assert "a training is due" in run("sync")
    with workspace.database.read() as conn:
        assert RunKind.TRAIN in {one.kind for one in runs.claimable(conn)}


def test_a_full_sync_looks_at_everything(server: Listing) -> None:
    run("sync")
    run("sync", "--full")
    assert [moment is None for moment in server.since] == [False, True]


def test_a_full_sync_counts_even_where_another_sync_is_under_way(
    workspace: Workspace, server: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = server.tasks_updated_since

    def meanwhile(project_id: int, moment: dt.datetime | None) -> Iterator[Any]:
        reset_watermark(workspace, PROJECT)
        return listed(project_id, moment)

    with monkeypatch.context() as patch:
        patch.setattr(server, "tasks_updated_since", meanwhile)
        sync(workspace, server, PROJECT)
    assert watermark(workspace) is None
    run("sync")
    assert [moment is None for moment in server.since] == [False, True]


def test_a_sync_waits_for_the_one_that_runs(workspace: Workspace, server: Listing) -> None:
    with workspace.database.write() as conn:
        claimed = runs.claim(conn, runs.request(conn, PROJECT, RunKind.SYNC, trigger="timer"), own_id())
    assert claimed is not None

    def end() -> None:
        with workspace.database.write() as conn:
            runs.finish(conn, claimed, result={})

    timer = threading.Timer(1.0, end)
    timer.start()
    run("sync")
    timer.join()
    assert server.running == [1]


@pytest.mark.usefixtures("workspace")
def test_a_sync_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    done = CliRunner().invoke(wildloop, ["sync"])
    assert isinstance(done.exception, LabelStudioError)
    assert "LABEL_STUDIO_API_KEY" in str(done.exception)
