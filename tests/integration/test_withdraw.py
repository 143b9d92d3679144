"""`wildloop withdraw`, as somebody types it: boards, annotators and times are taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.webhook import receive
from pipeline.cli import wildloop
from pipeline.errors import LabelStudioError
from pipeline.settings import Settings
from pipeline.steps.labelling.sync import sync
from pipeline.store import oracle, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.groups import (
    BOARD,
    DEER,
    PROJECT,
    SEQUENCE,
    grouped_label_studio,
    labels,
    publish_groups,
)
from tests.helpers.results import chose


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    publish_groups(sqlite_database)
    url = sqlite_database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    return Workspace(settings=Settings(data_dir=tmp_path, database_url=url), database=sqlite_database)


@pytest.fixture
def server(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    """A Label Studio that loses no webhook."""
    made = grouped_label_studio()
    made.webhook = lambda payload: receive(workspace, payload, lambda _: None)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: made)
    return made


def run(*words: str) -> str:
    done = CliRunner().invoke(wildloop, ["withdraw", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def report(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


def test_what_would_be_taken_back_is_shown_and_stays_without_a_yes(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(BOARD, [*DEER, chose("struck_0", "d3")])
    text = run("--task", str(BOARD))
    assert "1 annotation of 1 task with 4 crops" in text
    assert "annotations by annotator: ann@example.org (1)" in text
    assert "crops by way: board (4)" in text
    assert "crops by answer: deer (3), struck (1)" in text
    assert "Nothing was taken back: --yes does so." in text
    assert len(labels(workspace)) == 4


def test_a_board_is_taken_back_whole_and_asked_again(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(BOARD, DEER)
    server.annotate(5, "fox")
    assert "Taken back: the crops wait again." in run("--task", str(BOARD), "--yes")
    assert labels(workspace) == {"d5": "fox"}
    assert server.rows[BOARD]["annotations"] == []
    with workspace.database.read() as conn:
        assert tasks.get(conn, PROJECT, [BOARD])[BOARD].answered_at is None
        [history] = oracle.histories(conn, ["d1"]).values()
    assert [entry.verdict for entry in history] == ["label", "deleted"]
    assert sync(workspace, server, PROJECT).new == 0
    server.submit(BOARD, [chose("all_0", "fox")])
    assert labels(workspace)["d1"] == "fox"


def test_only_what_an_annotator_did_in_some_time_and_way_is_taken_back(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(BOARD, DEER, by=1)
    server.annotate(5, "deer", by=1)
    early = server.now
    server.annotate(6, "deer", by=2)
    server.submit(SEQUENCE, DEER, by=1)
    whole = report("--annotator", "ANN@example.org")
    assert (whole["annotations"], whole["crops"], whole["withdrawn"]) == (3, 6, False)
    assert whole["ways"] == {"board": 4, "sequence": 2, "single": 1}
    assert report("--annotator", "2")["annotators"] == {"bob@example.org": 1}
    assert report("--annotator", "1", "--kind", "board", "--kind", "sequence")["annotations"] == 2
    since = early.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    assert report("--annotator", "1", "--since", since)["tasks"] == 2
    assert report("--annotator", "1", "--until", since)["tasks"] == 1
    run("--annotator", "1", "--kind", "board", "--until", since, "--yes")
    assert labels(workspace) == {"d5": "deer", "d6": "deer"}
    assert report("--since", since, "--until", since)["annotations"] == 0


def test_an_annotation_whose_id_label_studio_gave_to_another_is_not_mixed_up(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    receiving, server.webhook = server.webhook, None
    first = server.submit(BOARD, DEER)
    sync(workspace, server, PROJECT)
    server.delete(first)  # nobody told
    server.webhook = receiving
    assert server.annotate(5, "fox") == first
    run("--task", str(BOARD), "--yes")
    assert labels(workspace) == {"d5": "fox"}
    assert len(server.rows[5]["annotations"]) == 1


def test_what_was_taken_back_before_label_studio_failed_is_recorded(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.submit(BOARD, DEER)
    second = server.submit(SEQUENCE, DEER)
    delete = server.delete_annotation

    def fails(annotation_id: int) -> None:
        if annotation_id == second:
            raise LabelStudioError("Label Studio does not answer")
        delete(annotation_id)

    monkeypatch.setattr(server, "delete_annotation", fails)
    server.webhook = None
    done = CliRunner().invoke(wildloop, ["withdraw", "--annotator", "1", "--yes"])
    assert isinstance(done.exception, LabelStudioError)
    assert labels(workspace) == {"d5": "deer", "d6": "deer"}
    assert sync(workspace, server, PROJECT).new == 0


@pytest.mark.usefixtures("server")
def test_it_must_be_said_which_annotations_are_meant() -> None:
    done = CliRunner().invoke(wildloop, ["withdraw", "--yes"])
    assert done.exit_code == 2
    assert "--task, --annotator, --since or --until" in done.output
    done = CliRunner().invoke(wildloop, ["withdraw", "--annotator", "eve@example.org"])
    assert "name one of ann@example.org, bob@example.org" in str(done.exception)
    assert "No annotation that counts is meant by this." in run("--task", "999", "--yes")


def test_the_author_can_reopen_and_correct_what_was_submitted(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    answer = server.submit(BOARD, DEER)
    server.update(answer, [*DEER, chose("struck_0", "d2"), chose("struck_species_0", "fox")])
    assert labels(workspace) == {"d1": "deer", "d2": "fox", "d3": "deer", "d4": "deer"}
    run("--task", str(BOARD), "--yes")
    assert labels(workspace) == {}
