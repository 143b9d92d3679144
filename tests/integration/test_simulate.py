"""`wildloop simulate`, on a file and on the labelled crops of a project."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import wildloop
from pipeline.errors import FileError, ModelError, SettingsError, StoreError, WildloopError
from pipeline.simulation.labelled_pool import labelled_pool
from pipeline.simulation.npz_file import read
from pipeline.simulation.replay import Schedule, replay
from pipeline.simulation.split import split
from pipeline.simulation.strategies import STRATEGIES
from pipeline.steps.operations import simulate as step
from pipeline.store import projects
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import PROJECT, SPECIES, label, make_workspace, populate, species


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    shown = np.arange(150) // 3 % 3
    path = tmp_path / "pool.npz"
    np.savez(
        path,
        E=3 * np.eye(3, 8)[shown] + rng.normal(size=(150, 8)),
        label=np.array(SPECIES)[shown],
        group=np.arange(150) // 3,
        location=np.arange(150) // 3 % 7,
    )
    return path


@pytest.fixture
def store(
    sqlite_database: Database, sqlite_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    populate(sqlite_database)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(data_dir))
    return sqlite_database


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def invoke(*words: str | Path | int) -> Result:
    return CliRunner().invoke(wildloop, ["simulate", *map(str, words)], catch_exceptions=True)


def refusal(*words: str | Path | int) -> WildloopError:
    error = invoke(*words).exception
    assert isinstance(error, WildloopError), error
    return error


def test_a_file_is_replayed_to_a_table_a_picture_and_a_page(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    result = invoke(
        file,
        "--strategies",
        "random, margin,random",
        "--seeds",
        2,
        "--budget",
        60,
        "--out",
        out,
        "--processes",
        1,
    )
    assert result.exit_code == 0, result.output
    assert "pool.npz: 150 crops of 3 species, tested by location" in result.output
    files = ["curves.csv", "curves.png", "presses.png", "report.html"]
    for name in files:
        assert str(out / name) in result.output
    assert sorted(path.name for path in out.iterdir()) == files
    with (out / "curves.csv").open(encoding="utf-8", newline="") as opened:
        header, *rows = csv.reader(opened)
    assert header[:5] == ["strategy", "asking", "seed", "labels", "presses"]
    assert header[5:] == ["accuracy", "macro_f1", "rare_recall", "classes_seen"]
    assert [row[:4] for row in rows if row[1] == "singles"] == [
        [strategy, "singles", seed, labels]
        for strategy in ("random", "margin")
        for seed in ("0", "1")
        for labels in ("20", "40", "60")
    ]
    # One strategy is asked in the other ways, too: until as many keys are pressed, or nothing is left.
    for asking in ("sequences", "sequences and boards"):
        ends = {row[2]: row for row in rows if row[1] == asking}
        assert {row[0] for row in ends.values()} == {"random"}
        assert asking in result.output
        assert all(int(row[4]) >= 60 or int(row[3]) > 60 for row in ends.values())
    assert all(0 <= float(value) <= 1 for row in rows for value in row[5:8])
    for picture in ("curves.png", "presses.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (out / "report.html").read_text(encoding="utf-8")


def test_the_labelled_crops_of_the_project_are_replayed(store: Database, tmp_path: Path) -> None:
    label(store, range(60))
    words = ("--strategies", "random", "--seeds", 1, "--out", tmp_path / "out", "--processes", 1)
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert "project 4 (Forest): 60 crops of 3 species, tested by location" in result.output
    last = (tmp_path / "out" / "curves.csv").read_text().splitlines()[-1].split(",")
    assert last[3] in {"30", "45"}  # two or three of the four places are open: all is labelled in the end


def test_the_pool_of_a_project_is_what_is_labelled_and_embedded(database: Database, data_dir: Path) -> None:
    populate(database, 30)
    with database.read() as conn:
        project = projects.get(conn, PROJECT)
    with pytest.raises(ModelError, match=r"no labelled crop.*name a POOL\.npz"):
        step.stored_pool(make_workspace(database, data_dir), project.id)
    numbers = [0, 1, 5, 7, 20]
    label(database, numbers)
    pool = step.stored_pool(make_workspace(database, data_dir), project.id)
    assert pool.embeddings.shape == (5, 8)
    assert [pool.names[one] for one in pool.species] == [species(one) for one in numbers]
    assert [len(set(keys.tolist())) for keys in (pool.sequences, pool.locations)] == [4, 3]
    assert pool.sequences[0] == pool.sequences[1]


def test_a_name_that_is_no_strategy_lists_those_there_are(tmp_path: Path) -> None:
    error = refusal("absent.npz", "--strategies", "random,magic", "--out", tmp_path / "out")
    assert isinstance(error, SettingsError)
    assert "'magic'" in str(error)
    assert "default, " in str(error)
    assert "no strategy is named" in str(refusal("--strategies", " ,", "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("store")
def test_a_pool_has_one_source(file: Path, tmp_path: Path) -> None:
    result = invoke(file, "--project", 4, "--strategies", "random", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "not both" in result.output
    assert isinstance(
        refusal("--project", 9, "--strategies", "random", "--out", tmp_path / "out"), StoreError
    )


def test_a_folder_that_cannot_be_made_is_told_before_the_work(file: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(FileError, match="out"):
        step.simulate(
            read(file),
            step.chosen(["random"]),
            seeds=1,
            budget=20,
            out=tmp_path / "out" / "below",
            processes=1,
        )


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_strategy_is_replayed_to_the_end_of_a_small_pool(name: str) -> None:
    rng = np.random.default_rng(0)
    for embeddings, shown in (
        (rng.normal(size=(70, 6)), np.zeros(70, np.intp)),
        (np.ones((70, 6), np.float16), np.arange(70) % 3),
        (rng.normal(size=(70, 6)).astype(np.float16), np.arange(70) % 3),
    ):
        pool = labelled_pool("made up", embeddings, shown)
        part = split(pool, 0)
        schedule = Schedule(first=20, wanted=lambda _: 20, budget=1000)
        found = replay(pool, part, name, STRATEGIES[name], schedule)
        assert found.labels[-1] == len(part.open)


def test_the_help_names_every_strategy() -> None:
    text = " ".join(CliRunner().invoke(wildloop, ["simulate", "--help"]).output.split()).replace("- ", "-")
    assert all(name in text for name in STRATEGIES)
