"""Which store a command reads: named, and created only by commands with which people begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main, wildloop
from pipeline.errors import SourceError, StoreError
from pipeline.store import projects
from pipeline.store.database import Database, missing_store, place

READERS = [
    "status",
    "doctor",
    "audit",
    "accept",
    "activate v1",
    "dataset make out",
    "embed",
    "embedding list",
    "embedding use descriptor",
    "embedding finetune --name new",
    "embedding train --name new --role target",
    "export csv labels.csv",
    "export coco labels.json",
    "export timelapse table.csv",
    "project forget 7",
    "project species list",
    "project species add lynx",
    "models",
    "publish",
    "review",
    "simulate --out out",
    "sync",
    "train",
    "train --queue",
    "worker --burst",
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the shell is."""
    for variable in ("WILDLOOP_DATA_DIR", "WILDLOOP_DATABASE_URL", "LABEL_STUDIO_API_KEY", "REDIS_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", READERS)
def test_a_command_in_a_wrong_folder_creates_nothing_and_says_where_it_looked(
    words: str, elsewhere: Path
) -> None:
    told = CliRunner().invoke(wildloop, words.split())
    assert told.exit_code != 0
    assert list(elsewhere.iterdir()) == []
    where = f"{elsewhere}/wildloop-data/wildloop.db"
    if words == "doctor":
        assert f"there is none at {where} yet" in told.output
    else:
        assert isinstance(told.exception, StoreError), told.output
        assert f"there is no Wildloop store at {where}" in str(told.exception)
    assert "WILDLOOP_DATA_DIR" in told.output + str(told.exception)


@pytest.mark.parametrize(
    "words",
    [
        "camtrap-dp package.zip",
        "camtrapr records.csv --images photos",
        "coco labels.json --images photos",
        "crops crops",
        "deployments cameras.csv",
        "detections-csv boxes.csv --images photos",
        "emammal deployment.zip",
        "folder photos --detector whole-frame",
        "megadetector results.json --images photos",
        "speciesnet predictions.json --images photos",
        "timelapse table.csv --images photos",
        "wildlife-insights download",
    ],
)
def test_an_import_in_a_wrong_folder_creates_nothing(words: str, elsewhere: Path) -> None:
    told = CliRunner().invoke(wildloop, ["import", *words.split()])
    assert told.exit_code != 0
    assert isinstance(told.exception, SourceError), told.output
    assert list(elsewhere.iterdir()) == []


def test_an_error_about_a_missing_project_names_the_store(sqlite_database: Database) -> None:
    where = place(sqlite_database.engine.url)
    with (
        sqlite_database.read() as conn,
        pytest.raises(StoreError, match=rf"there is no project yet in {where}"),
    ):
        projects.choose(conn, None)


def test_on_a_terminal_a_command_names_its_store(
    sqlite_database: Database,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setattr("sys.argv", ["wildloop", "export", "csv", str(elsewhere / "labels.csv")])
    for is_terminal in (True, False):
        monkeypatch.setattr("sys.stderr.isatty", lambda is_terminal=is_terminal: is_terminal)
        with pytest.raises(SystemExit):
            main()
        named = f"store: {place(sqlite_database.engine.url)}" in capsys.readouterr().err
        assert named is is_terminal


def test_a_password_is_not_told() -> None:
    assert place("postgresql+psycopg2://me:secret@host/name") == "postgresql+psycopg2://me:***@host/name"
    assert missing_store("postgresql+psycopg2://me:secret@host/name") is None
    assert missing_store("sqlite:////no/such/file.db") == Path("/no/such/file.db")
