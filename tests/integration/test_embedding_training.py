"""`wildloop embedding train`, killed and not, and what can be done with what it made."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import wildloop
from pipeline.embedder_training.history import CSV, PICTURE
from pipeline.embedder_training.state import FILE
from pipeline.embedders import load
from pipeline.errors import EmbedderError, WildloopError
from tests.helpers.labelled_crops import COLOURS, changed, dataset, listed, written

ROOT = Path(__file__).parents[2]
OPTIONS = {  # 12 crops of each of 4 species: two batches an epoch
    "--backbone": "mobilenet_v3_small",  # with dropout, so that a step draws lots
    "--start": "scratch",
    "--dimension": "8",
    "--side": "32",
    "--species-per-batch": "4",
    "--crops-per-species": "4",
    "--epochs": "2",
    "--workers": "0",
}
# The real command line, which saves after every step and stops for ever after the third, in the second epoch.
STOPPING = """
import time
from pipeline.embedder_training import state, trainer
trainer.SAVE_SECONDS = 0
write = state.write
def stopping(folder, saved):
    write(folder, saved)
    print("saved", saved["step"], flush=True)
    if saved["step"] == 3:
        time.sleep(600)
state.write = stopping
from pipeline.cli import main
main()
"""


def command(folder: Path, name: str, **others: str | None) -> list[str]:
    """`wildloop embedding train` on a dataset; `others` are options with _ for -, None to leave one out."""
    options = OPTIONS | {f"--{key.replace('_', '-')}": value for key, value in others.items()}
    words = [word for key, value in options.items() if value is not None for word in (key, value)]
    return ["embedding", "train", "--dataset", str(folder), "--name", name, *words]


def invoke(data_dir: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(
        wildloop,
        [*map(str, words)],
        env={"WILDLOOP_DATA_DIR": str(data_dir), "WILDLOOP_DATABASE_URL": None},
    )


def refusal(data_dir: Path, *words: str | Path) -> WildloopError:
    error = invoke(data_dir, *words).exception
    assert isinstance(error, WildloopError), error
    return error


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A data folder with one embedder, `mine`, that was trained on a dataset without being disturbed."""

    data_dir: Path
    dataset: Path
    told: str  # what the command printed

    @property
    def mine(self) -> Path:
        return self.data_dir / "embedders" / "mine"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    data_dir = tmp_path_factory.mktemp("data")
    tested = [crop for crop in listed(places=5) if crop.location == "place 4"]
    crops = [*listed(), *(changed(crop, tested=True) for crop in tested)]
    folder = dataset(tmp_path_factory.mktemp("set"), crops)
    done = invoke(data_dir, *command(folder, "mine"))
    assert done.exit_code == 0, done.exception
    return Workspace(data_dir=data_dir, dataset=folder, told=done.output)


def figures(folder: Path) -> list[dict[str, str]]:
    """The log, without what the clock says."""
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "crops_per_second")}
            for row in csv.DictReader(file)
        ]


def described(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "embedder.json").read_text())
    return told


def test_a_training_is_told_and_leaves_weights_log_curves_and_manifest(workspace: Workspace) -> None:
    lines = [" ".join(line.split()) for line in workspace.told.splitlines()]
    assert lines[:3] == [
        "mine is trained",
        "trained on 36 crops of 4 species",
        "starting weights scratch, seed 0",
    ]
    assert any(line.startswith("validation recall@1") and "by location" in line for line in lines)
    assert str(workspace.mine) in workspace.told
    assert "wildloop embedding evaluate --dataset DIR --embedder mine" in workspace.told
    names = sorted(path.name for path in workspace.mine.iterdir())
    assert names == [PICTURE, "embedder.json", CSV, "weights.safetensors"]
    log = figures(workspace.mine)
    assert [(row["epoch"], row["step"]) for row in log] == [("1", "2"), ("2", "4")]
    assert (workspace.mine / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert not (workspace.data_dir / "trainings" / "mine").exists()


def test_the_manifest_says_what_was_learned_from_and_how_well(workspace: Workspace) -> None:
    told = described(workspace.mine)
    assert told["preprocessing"]["resize"] == told["preprocessing"]["crop"] == 32
    assert told["dimension"] == 8
    training = told["training"]
    assert training["classes"] == sorted(COLOURS)
    data = training["data"]
    assert (data["crops"], data["species"], data["locations"], data["learned"]) == (48, 4, 4, 36)
    assert data["held_out_by"] == "location"
    assert len(data["digest"]) >= 12
    best = figures(workspace.mine)[training["metrics"]["epoch"] - 1]
    assert training["metrics"]["recall_at_1"] == pytest.approx(float(best["recall_at_1"]), abs=1e-4)
    assert training["metrics"]["map_at_r"] == pytest.approx(float(best["map_at_r"]), abs=1e-4)
    assert training["metrics"]["steps"] == 4
    assert "not stated" in training["licence"]
    assert training["recipe"]["seed"] == 0
    assert training["start"] == "scratch, seed 0"


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(
    workspace: Workspace, tmp_path: Path
) -> None:
    words = command(workspace.dataset, "mine", workers="2")
    environment = {**os.environ, "WILDLOOP_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("WILDLOOP_DATABASE_URL", None)
    with subprocess.Popen(
        [sys.executable, "-c", STOPPING, *words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines: Iterator[str] = iter(process.stdout)
        assert [next(lines).strip() for _ in range(3)] == ["saved 1", "saved 2", "saved 3"]
        assert "another training is running in" in str(invoke(tmp_path, *words).exception)
        process.kill()
    assert (tmp_path / "trainings" / "mine" / FILE).is_file()
    assert not (tmp_path / "embedders").exists()
    done = invoke(tmp_path, *words)
    assert done.exit_code == 0, done.exception
    # The one that ran through decoded in its own process, this one in two others.
    resumed = tmp_path / "embedders" / "mine"
    assert digest(resumed) == digest(workspace.mine)
    assert figures(resumed) == figures(workspace.mine)
    assert not (tmp_path / "trainings" / "mine").exists()


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def test_the_same_command_again_trains_nothing(workspace: Workspace) -> None:
    before = (workspace.mine / "weights.safetensors").stat().st_mtime_ns
    done = invoke(workspace.data_dir, *command(workspace.dataset, "mine"))
    assert done.exit_code == 0, done.exception
    assert "mine was trained before on the same crops" in done.output
    report = json.loads(invoke(workspace.data_dir, *command(workspace.dataset, "mine"), "--json").stdout)
    assert report.keys() == {"name", "folder", "existed", "description", "broken"}
    assert (report["folder"], report["existed"]) == (str(workspace.mine), True)
    assert (workspace.mine / "weights.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("other", [{"epochs": "3"}, {"seed": "1"}, {"loss": "triplet"}, {"rate": "0.01"}])
def test_a_name_is_not_given_twice(workspace: Workspace, other: dict[str, str]) -> None:
    before = digest(workspace.mine)
    error = refusal(workspace.data_dir, *command(workspace.dataset, "mine", **other))
    assert "holds an embedder of other crops or with other options" in str(error)
    assert "another --name" in str(error)
    assert digest(workspace.mine) == before


def test_an_unfinished_training_goes_on_with_its_own_options_only(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the power failed")

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.embedders.checkpoint.save", fail)
        done = invoke(tmp_path, *command(workspace.dataset, "mine", epochs="1"))
        assert "the power failed" in str(done.exception)
    error = refusal(tmp_path, *command(workspace.dataset, "mine", epochs="1", loss="arcface"))
    assert "holds an unfinished training" in str(error)
    assert str(tmp_path / "trainings" / "mine") in str(error)
    assert "run it with the same ones" in str(error)

    monkeypatch.setattr(
        "pipeline.embedder_training.objectives.Objective.forward", fail
    )  # all steps were taken
    done = invoke(tmp_path, *command(workspace.dataset, "mine", epochs="1"))
    assert done.exit_code == 0, done.exception
    assert "mine is trained" in done.output


def test_what_a_killed_run_left_of_a_finished_training_is_cleared_away(workspace: Workspace) -> None:
    left = workspace.data_dir / "trainings" / "mine"
    left.mkdir(parents=True)
    (left / FILE).write_bytes(b"all but removed")
    assert invoke(workspace.data_dir, *command(workspace.dataset, "mine")).exit_code == 0
    assert not left.exists()


def test_what_was_trained_is_trained_further_at_a_gentle_rate(workspace: Workspace, tmp_path: Path) -> None:
    for name, start, rate in (("scratch-2", "scratch", 1e-3), ("further", "scratch-2", 3e-4)):
        done = invoke(tmp_path, *command(workspace.dataset, name, epochs="1", start=start))
        assert done.exit_code == 0, done.exception
        training = described(tmp_path / "embedders" / name)["training"]
        assert training["recipe"]["rate"] == rate
        assert training["start"].startswith(f"{start}, ")


def test_broken_crops_are_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "set", listed())
    (folder / "fox" / "1_1.png").write_bytes(b"")
    done = invoke(tmp_path / "data", *command(folder, "mine", epochs="1"))
    assert done.exit_code == 0, done.exception
    assert "fox/1_1.png: empty" in done.output
    assert "1 crop cannot be read, skipped in training" in done.output
    assert described(tmp_path / "data" / "embedders" / "mine")["training"]["data"]["unreadable"] == 1


def test_species_can_be_held_out_of_training_and_of_evaluation_alike(
    workspace: Workspace, tmp_path: Path
) -> None:
    words = [*command(workspace.dataset, "few", epochs="1", licence="CC0-1.0"), "--hold-out-species"]
    done = invoke(tmp_path, *words)
    assert done.exit_code == 0, done.exception
    training = described(tmp_path / "embedders" / "few")["training"]
    assert len(training["classes"]) == 2
    assert training["licence"] == "CC0-1.0"
    judged = invoke(
        tmp_path, "embedding", "evaluate", "--dataset", workspace.dataset, "--embedder", "few",
        "--no-baselines", "--out", tmp_path / "out",
    )  # fmt: skip
    assert judged.exit_code == 0, judged.exception
    with (tmp_path / "out" / "evaluation.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["held_out"]: row for row in csv.DictReader(file)}
    assert rows["species"]["embedder"] == load("few", data_dir=tmp_path).id
    assert rows["species"]["species_learned"] == "0"
    assert (
        rows["locations"]["queries"] == "12"
    )  # of the place that test.json lists, which was not learned from


def test_the_pretraining_pool_teaches_an_embedder_that_embeds(workspace: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    imported = invoke(
        data, "import", "crops", workspace.dataset, "--location-pattern", "/(?P<location>[0-9])_",
        "--role", "pretraining",
    )  # fmt: skip
    assert imported.exit_code == 0, imported.exception
    words = [*command(workspace.dataset, "pool", epochs="1"), "--role", "pretraining"]
    del words[2:4]  # --dataset
    done = invoke(data, *words)
    assert done.exit_code == 0, done.exception
    training = described(data / "embedders" / "pool")["training"]
    assert training["classes"] == sorted(COLOURS)
    assert (training["data"]["crops"], training["data"]["locations"]) == (60, 5)
    written(tmp_path / "new", listed(places=1, each=2), noise=30)
    assert invoke(data, "import", "crops", tmp_path / "new").exit_code == 0
    embedded = invoke(data, "embed", "--embedder", "pool")
    assert embedded.exit_code == 0, embedded.exception
    assert "8 crops embedded" in embedded.output
    assert load("pool", data_dir=data).id in embedded.output
    assert (
        invoke(
            tmp_path / "other", "import", "folder", tmp_path / "new", "--detector", "whole-frame"
        ).exit_code
        == 0
    )
    empty = invoke(tmp_path / "other", *words)
    assert "no labelled crop in the pool pretraining" in str(empty.exception)


@pytest.mark.parametrize("name", ["auto", "scratch", "Mine", "checkpoint", ".."])
def test_a_name_that_cannot_be_one_is_refused(workspace: Workspace, tmp_path: Path, name: str) -> None:
    assert isinstance(refusal(tmp_path, *command(workspace.dataset, name)), EmbedderError)


def test_what_to_learn_from_must_be_said_once(workspace: Workspace, tmp_path: Path) -> None:
    both = [*command(workspace.dataset, "mine"), "--role", "pretraining"]
    neither = ["embedding", "train", "--name", "mine"]
    meaningless = [*neither, "--role", "pretraining", "--hold-out-species"]
    for words in (both, neither, meaningless):
        assert invoke(tmp_path, *words).exit_code == 2
