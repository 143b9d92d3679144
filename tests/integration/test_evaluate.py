"""`wildloop embedding evaluate` on datasets that `wildloop dataset make` wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from pipeline.cli import wildloop
from pipeline.embedders.checkpoint import save
from pipeline.embedders.network import Projected
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError, FileError, SourceError, WildloopError
from pipeline.evaluation.baselines import Untrained
from pipeline.simulation import npz_file
from tests.helpers.photographs import encoded, put

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
        assert row["species_learned"] == ""
        for figure in ("recall_at_1", "map_at_r", "knn_5"):
            assert float(row[f"{figure}_low"]) <= float(row[figure]) <= float(row[f"{figure}_high"])
    assert [(row["interval_by"], row["interval_over"]) for row in table] == [
        ("sequence", "12"),
        ("location", "5"),
    ]
    names = sorted(path.name for path in out.iterdir())
    embedder = table[0]["embedder"]
    assert names == ["evaluation.csv", f"map-{embedder}.png", f"vectors-{embedder}.npz"]
    assert (out / names[1]).read_bytes().startswith(b"\x89PNG")
    for name in names:
        assert str(out / name) in result.output


def test_an_evaluation_as_json_has_the_figures_of_each_row(dataset: Path) -> None:
    result = invoke("embedding", "evaluate", "--dataset", dataset, "--embedder", "descriptor", "--json")
    assert result.exit_code == 0, result.output
    outline = json.loads(result.stdout)
    described = {"dataset", "crops", "species", "held_out_species", "test_crops", "split_by", "left_out"}
    assert outline.keys() == described | {"rows", "unavailable", "unfair", "broken", "files"}
    assert (outline["crops"], outline["test_crops"], outline["split_by"]) == (60, 12, "test.json")
    assert [row["held_out"] for row in outline["rows"]] == ["locations", "species"]
    for row in outline["rows"]:
        assert row["recall_at_1"]["low"] <= row["recall_at_1"]["value"] <= row["recall_at_1"]["high"]
        assert row["probes"].keys() == {"10", "100", "1000"}
        assert {"embedder", "spec", "dimension", "queries", "judged", "map_at_r", "knn_5"} <= row.keys()


def test_a_broken_crop_costs_itself_alone(dataset: Path) -> None:
    (dataset / "fox" / "fox" / "CAM0_0.jpg").write_bytes(b"no photograph")
    (dataset / "jay" / "jay" / "CAM1_1.jpg").unlink()
    result = invoke("embedding", "evaluate", "--dataset", dataset, "--embedder", "descriptor")
    assert result.exit_code == 0, result.output
    assert "58 crops of 4 species" in result.output
    assert "2 crops cannot be read, left out:" in result.output
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
    assert isinstance(refusal(*words), FileError)


def test_an_embedder_must_be_named(dataset: Path) -> None:
    assert invoke("embedding", "evaluate", "--dataset", dataset).exit_code == 2


BACKBONE = "shufflenet_v2_x0_5"


def trained(folder: Path, classes: list[str], seed: int = 0) -> None:
    """A checkpoint folder that says it has learned these classes."""
    torch.manual_seed(seed)
    save(
        folder,
        name=BACKBONE,
        model=Projected(BACKBONE, 64, 16),
        preprocessing=Preprocessing(resize=64, crop=64, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
        training={"classes": classes, "data": {"sources": ["train.json"]}},
    )


def table_of(out: Path, held_out: str) -> dict[str, dict[str, str]]:
    """The rows of evaluation.csv for one part, by spec."""
    with (out / "evaluation.csv").open(encoding="utf-8", newline="") as file:
        return {row["spec"]: row for row in csv.DictReader(file) if row["held_out"] == held_out}


@pytest.mark.usefixtures("unreachable")
def test_trained_embedders_are_compared_with_what_they_should_beat(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained(tmp_path / "data" / "embedders" / "mine", ["Fox", "Deer", "wolf"])
    words = ("--dataset", dataset, "--embedder", "mine", "--out", out)
    result = invoke("embedding", "evaluate", *words)
    assert result.exit_code == 0, result.output
    assert f"torchvision:{BACKBONE} is left out" in result.output
    assert "no route to host" in result.output
    assert str(tmp_path / "data" / "cache" / "weights") in result.output
    assert "*" not in result.output  # frog and jay, which it has not learned, are held out
    rows = table_of(out, "species")
    assert list(rows) == ["mine", "descriptor", f"untrained {BACKBONE}"]
    assert [row["species_learned"] for row in rows.values()] == ["0", "", ""]
    assert {row["dimension"] for spec, row in rows.items() if spec != "descriptor"} == {"16"}
    for row in rows.values():
        assert row["embedder"] in result.output
        assert (out / f"map-{row['embedder']}.png").is_file()
        pool = npz_file.read(out / f"vectors-{row['embedder']}.npz")
        assert pool.embeddings.shape == (60, int(row["dimension"]))
        assert pool.embeddings.dtype == np.float16
        assert pool.names == sorted(COLOURS)
        assert (pool.sequence_count, pool.location_count) == (60, 5)
    replayed = out / f"vectors-{rows['mine']['embedder']}.npz"
    options = ("--strategies", "random", "--seeds", "1", "--budget", "20", "--processes", "1")
    result = invoke("simulate", replayed, "--out", tmp_path / "simulated", *options)
    assert result.exit_code == 0, result.output
    assert "60 crops of 4 species, tested by location" in result.output


@pytest.mark.usefixtures("unreachable")
def test_held_out_species_that_an_embedder_has_learned_are_marked(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained(tmp_path / "data" / "embedders" / "most", ["fox", "deer", "frog"])
    trained(tmp_path / "elsewhere", ["jay"], seed=1)
    specs = ("most", f"checkpoint:{tmp_path / 'elsewhere'}")
    words = [word for spec in specs for word in ("--embedder", spec)]
    result = invoke("embedding", "evaluate", "--dataset", dataset, *words, "--out", out)
    assert result.exit_code == 0, result.output
    rows = table_of(out, "species")
    assert list(rows) == [*specs, "descriptor", f"untrained {BACKBONE}"]  # of two alike, one untrained
    # Between them they know all four, so that two are held out as ever: fox and jay.
    assert [row["species_learned"] for row in rows.values()] == ["1", "1", "", ""]
    assert f"{rows['most']['embedder']} *" in result.output
    assert f"* {rows['most']['embedder']} was trained on 1 of the 2 held-out species" in result.output
    assert all(row["species_learned"] == "" for row in table_of(out, "locations").values())


def test_baselines_can_be_left_out(dataset: Path, tmp_path: Path) -> None:
    trained(tmp_path / "data" / "embedders" / "mine", ["fox", "deer"])
    words = ("--dataset", dataset, "--embedder", "mine", "--no-baselines")
    result = invoke("embedding", "evaluate", *words)
    assert result.exit_code == 0, result.output
    assert "descriptor" not in result.output
    assert "untrained" not in result.output


def test_a_test_part_that_training_knows_nothing_of_is_told(dataset: Path, tmp_path: Path) -> None:
    (dataset / "test.json").unlink()
    trained(tmp_path / "data" / "embedders" / "mine", ["fox", "deer"])
    words = ("--dataset", dataset, "--embedder", "mine", "--no-baselines")
    assert "may have learned from the test part" in invoke("embedding", "evaluate", *words).output


def test_an_untrained_network_tells_crops_apart_and_is_always_the_same() -> None:
    manifest = {
        "backbone": "mobilenet_v3_large",
        "dimension": 32,
        "without": None,
        "preprocessing": Preprocessing(
            resize=64, crop=64, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)
        ).manifest(),
    }
    rng = np.random.default_rng(0)
    crops = [Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)) for _ in range(8)]
    state = torch.get_rng_state()
    one, again = (Untrained(manifest, crops) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.id == again.id
    assert one.id.startswith("untrained_mobilenet_v3_large-")
    vectors = one.embed(crops)
    assert vectors.shape == (8, 32)
    assert np.array_equal(vectors, again.embed(crops))
    alike = vectors @ vectors.T
    assert alike[~np.eye(8, dtype=bool)].max() < 0.99
