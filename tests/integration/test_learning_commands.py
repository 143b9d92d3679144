"""`wildloop train`, `models`, `activate` and `worker`, as somebody types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import wildloop
from pipeline.errors import StoreError
from pipeline.records import ProjectRecord
from pipeline.store import audits, projects
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, detection, forest, label, populate


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    taking = forest()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: taking)
    return taking


@pytest.fixture
def store(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    populate(sqlite_database)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.delenv("REDIS_URL", raising=False)
    return sqlite_database


def say(*words: str) -> str:
    result = CliRunner().invoke(wildloop, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("server")
def test_train_orders_the_pool_first_and_learns_later(store: Database) -> None:
    assert "No labels to train on yet. The queue of v0-" in say("train")
    with store.read() as conn:
        audited = audits.drawn_ids(conn, PROJECT)
    label(store, range(30))
    told = say("train")
    learned = 30 - len(audited & {detection(one) for one in range(30)})
    assert f"{learned} of 3 species" in told
    assert "each of 4 locations once" in told
    assert "deer" in told
    assert "is unchanged: no new labels" in say("train")


def test_models_marks_the_current_version_and_activate_goes_back(
    store: Database, server: FakeLabelStudio
) -> None:
    assert "No version yet" in say("models")
    for labels in (30, 60):
        label(store, range(labels))
        say("train")
    lines = say("models").splitlines()[2:]
    assert [line[0] for line in lines] == [" ", "*"]
    first = lines[0].split()[0]
    assert f"{first} is current" in say("activate", first)
    assert server.model_version == first
    assert [line[0] for line in say("models").splitlines()[2:]] == ["*", " "]


@pytest.mark.usefixtures("store", "server")
def test_train_can_be_left_to_the_worker() -> None:
    assert "waits for `wildloop worker`" in say("train", "--queue")
    assert "No version yet" in say("models")
    say("worker", "--burst")
    assert "v0-" in say("models")


@pytest.mark.usefixtures("server")
def test_with_two_projects_one_has_to_be_chosen(store: Database) -> None:
    with store.write() as conn:
        projects.save(conn, ProjectRecord(id=9, title="Lake", embedder="made-up"))
    with pytest.raises(StoreError, match=r"4 \(Forest\), 9 \(Lake\)"):
        say("train")
    with pytest.raises(StoreError, match="no project 7"):
        say("train", "--project", "7")
    assert "covers 120 crops" in say("train", "--project", str(PROJECT))


@pytest.mark.usefixtures("store")
def test_an_unknown_version_cannot_be_activated() -> None:
    with pytest.raises(StoreError, match="no model version 'v7-nothing'"):
        say("activate", "v7-nothing")
