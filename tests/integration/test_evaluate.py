"""`wildloop embedding evaluate` on datasets that `wildloop dataset make` wrote."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pipeline.cli import wildloop
from pipeline.errors import EmbedderError, ExportError, SourceError, WildloopError
from tests.photographs import encoded, put

COLOURS = {"fox": (200, 90, 30), "deer": (110, 80, 60), "jay": (60, 90, 190), "frog": (60, 150, 60)}


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(wildloop, [*map(str, words)], catch_exceptions=True)


def refusal(*words: str | Path) -> WildloopError:
    error = invoke("embedding", "evaluate", *words).exception
    assert isinstance(error, WildloopError), error
    return error


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four species of one colour each, three crops at each of five cameras, through the real commands."""
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    rng = np.random.default_rng(0)
    for species, colour in COLOURS.items():
        for number in range(15):
            pixels = np.array(colour) + rng.normal(scale=12, size=(40, 40, 3))
            crop = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            put(tmp_path / "crops" / species / f"CAM{number % 5}_{number}.jpg", encoded(crop))
    pattern = "(?P<location>CAM[0-9])"
    done = invoke(
        "import", "crops", tmp_path / "crops", "--location-pattern", pattern, "--role", "pretraining"
    )
    assert done.exit_code == 0, done.output
    done = invoke("dataset", "make", tmp_path / "set")
    assert done.exit_code == 0, done.output
    return tmp_path / "set"


def test_a_dataset_is_evaluated_to_a_table_a_csv_and_maps(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    words = ("--embedder", "descriptor", "--embedder", "descriptor", "--out", out)
    result = invoke("embedding", "evaluate", "--dataset", dataset, *words)
    assert result.exit_code == 0, result.output
    assert "60 crops of 4 species, 12 in the test part (by test.json); 2 species held out" in result.output
    with (out / "evaluation.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["held_out"] for row in table] == ["locations", "species"]  # the same embedder once
    assert [row["queries"] for row in table] == ["12", "30"]
    assert [row["judged"] for row in table] == ["12", "6"]
    for row in table:
        assert float(row["recall_at_1"]) > 0.9  # colours tell these species
        assert float(row["probe_10"]) > 0.4
        assert row["probe_100"] == row["probe_1000"] == ""
        assert row["spec"] == "descriptor"
    names = sorted(path.name for path in out.iterdir())
    assert names == ["evaluation.csv", f"map-{table[0]['embedder']}.png"]
    assert (out / names[1]).read_bytes().startswith(b"\x89PNG")
    for name in names:
        assert str(out / name) in result.output


def test_a_broken_crop_costs_itself_alone(dataset: Path) -> None:
    (dataset / "fox" / "fox" / "CAM0_0.jpg").write_bytes(b"no photograph")
    (dataset / "jay" / "jay" / "CAM1_1.jpg").unlink()
    result = invoke("embedding", "evaluate", "--dataset", dataset, "--embedder", "descriptor")
    assert result.exit_code == 0, result.output
    assert "58 crops of 4 species" in result.output
    assert "2 crops could not be read" in result.output
    assert "fox/fox/CAM0_0.jpg: not_an_image" in result.output
    assert "jay/jay/CAM1_1.jpg: missing" in result.output


def test_a_dataset_without_a_readable_crop_is_refused(dataset: Path) -> None:
    for path in dataset.rglob("*.jpg"):
        path.write_bytes(b"")
    error = refusal("--dataset", dataset, "--embedder", "descriptor")
    assert isinstance(error, SourceError)
    assert "no crop of" in str(error)
    assert "dataset make" in str(error)


def test_what_is_wrong_is_told_before_anything_is_embedded(dataset: Path, tmp_path: Path) -> None:
    error = refusal("--dataset", dataset, "--embedder", "descriptor", "--embedder", "magic")
    assert isinstance(error, EmbedderError)
    assert isinstance(refusal("--dataset", tmp_path / "nowhere", "--embedder", "descriptor"), SourceError)
    put(tmp_path / "file", b"")
    words = ("--dataset", dataset, "--embedder", "descriptor", "--out", tmp_path / "file" / "below")
    assert isinstance(refusal(*words), ExportError)


def test_an_embedder_must_be_named(dataset: Path) -> None:
    assert invoke("embedding", "evaluate", "--dataset", dataset).exit_code == 2
