"""Trained embedders listed and written as ONNX files, tried on small networks with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from pipeline.cli import wildloop
from pipeline.embedders import checkpoint, graph, load
from pipeline.embedders.network import Projected, backbone
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError, FileError
from pipeline.records import ProjectRecord
from pipeline.steps.embedding import export as step
from pipeline.steps.embedding.export import export_embedder
from pipeline.store import embeddings, projects
from pipeline.store.database import Database

SIDE = 64
BACKBONE = "shufflenet_v2_x0_5"
TRAINING = {
    "data": {"digest": "d", "crops": 4000, "species": 12, "locations": 30, "sources": ["train.json"]},
    "classes": ["deer", "fox"],
    "metrics": {"recall_at_1": 0.9123, "map_at_r": 0.7},
    "recipe": {},
    "licence": "CC BY 4.0",
    "start": "scratch",
    "created": "2026-11-25T18:40:12+00:00",
    "libraries": {},
}


def preprocessing(**changes: Any) -> Preprocessing:
    values: dict[str, Any] = {"resize": SIDE, "crop": SIDE, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
    return Preprocessing(**values | changes)


def save(data_dir: Path, name: str, *, headless: bool = False, **changes: Any) -> None:
    """An embedder of the data folder."""
    torch.manual_seed(1)
    model = backbone(BACKBONE, SIDE) if headless else Projected(BACKBONE, SIDE, 32)
    checkpoint.save(
        data_dir / "embedders" / name,
        name=BACKBONE,
        model=model,
        preprocessing=preprocessing(**changes),
        training=TRAINING,
    )


def photographs(size: tuple[int, int] = (90, 90)) -> list[Image.Image]:
    rng = np.random.default_rng(3)
    return [
        Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        for _ in range(7)
    ]


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: NDArray[np.float32] = (one * other).sum(axis=1) / lengths
    return found


@pytest.mark.parametrize("headless", [False, True])
def test_the_file_gives_the_vectors_of_the_embedder_without_any_option(
    tmp_path: Path, headless: bool, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, "fish", headless=headless)
    done = export_embedder("fish", tmp_path / "out" / "fish.onnx", data_dir=tmp_path)
    assert done.images == 6
    assert done.cosine > 0.99999
    written, embedder = load(done.spec, data_dir=tmp_path), load("fish", data_dir=tmp_path)
    assert written.dimension == embedder.dimension == done.dimension
    # bfloat16, where the machine has it, is allowed to differ by less than crops of one animal do
    assert cosines(written.embed(photographs()), embedder.embed(photographs())).min() > 0.999
    assert not caplog.records  # no mean and deviation had to be assumed


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    save(tmp_path, "fish")
    export_embedder("fish", tmp_path / "fish.onnx", data_dir=tmp_path)
    model = onnx.load(tmp_path / "fish.onnx")
    onnx.checker.check_model(model)
    assert [one.version for one in model.opset_import] == [graph.OPSET]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in shape] == ["n", 3, SIDE, SIDE]
    said = {one.key: one.value for one in model.metadata_props}
    assert said["Image.NominalPixelRange"] == "NominalRange_0_255"
    assert said["wildloop.embedder"] == load("fish", data_dir=tmp_path).id
    assert said["licence"] == "CC BY 4.0"


def test_a_file_with_other_vectors_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "fish")
    write = step.write_onnx

    def spoiled(network: step.ChannelsFirst, *others: Any) -> None:
        mean = network.network.mean
        kept = mean.clone()
        mean += 40
        write(network, *others)
        mean.copy_(kept)

    monkeypatch.setattr(step, "write_onnx", spoiled)
    with pytest.raises(EmbedderError, match="gives other vectors than fish-"):
        export_embedder("fish", tmp_path / "out" / "fish.onnx", data_dir=tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_network_that_cannot_be_written_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "fish")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(EmbedderError, match=f"{BACKBONE} cannot be written as ONNX: no such operator"):
        export_embedder("fish", tmp_path / "out" / "fish.onnx", data_dir=tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_only_what_was_trained_here_is_exported_and_never_over_a_folder(tmp_path: Path) -> None:
    save(tmp_path, "fish")
    with pytest.raises(EmbedderError, match="descriptor is not an embedder that was trained here"):
        export_embedder("descriptor", tmp_path / "x.onnx", data_dir=tmp_path)
    with pytest.raises(FileError, match="exists and is not a file"):
        export_embedder("fish", tmp_path / "embedders", data_dir=tmp_path)


@pytest.fixture
def say(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))

    def command(*words: str) -> str:
        result = CliRunner().invoke(wildloop, ["embedding", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout if "--json" in words else result.output

    return command


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Square crops, which Wildloop stores, are scaled as fish does"),
        ({"resize": 72}, "fish scales to 72 (bilinear) and cuts out the middle 64"),
        ({"interpolation": "bicubic"}, "fish scales to 64 (bicubic) and cuts out the middle 64"),
    ],
)
def test_the_command_prints_the_parity_the_spec_and_how_crops_are_scaled(
    say: Any, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    save(tmp_path, "fish", **changes)
    out = say("export", "fish", str(tmp_path / "fish.onnx"))
    assert f"opset {graph.OPSET}" in out
    assert "on 6 images: cosine at least 1.0" in out or "on 6 images: cosine at least 0.9999" in out
    assert f"--embedder onnx:{tmp_path / 'fish.onnx'}" in out
    assert told in out
    report = json.loads(say("export", "fish", str(tmp_path / "fish.onnx"), "--json"))
    assert report["path"] == str(tmp_path / "fish.onnx")
    assert report.keys() >= {"embedder", "dimension", "images", "cosine", "difference", "spec", "opset"}


def test_the_list_tells_what_each_learned_from_and_who_uses_it(
    say: Any, sqlite_database: Database, tmp_path: Path
) -> None:
    assert "`wildloop embedding train` makes one" in say("list")
    save(tmp_path, "fish")
    save(tmp_path, "other", mean=(0.1, 0.1, 0.1))
    save(tmp_path, "torn")
    (tmp_path / "embedders" / "torn" / checkpoint.WEIGHTS).write_bytes(b"torn")
    embedder = load("fish", data_dir=tmp_path)
    with sqlite_database.write() as conn:
        embeddings.register(conn, embedder)
        projects.save(conn, ProjectRecord(id=4, title="Reef", embedder=embedder.id))
    fish, other, torn = say("list").split("\n\n")
    assert [" ".join(line.split()) for line in fish.splitlines()] == [
        "fish",
        f"id {embedder.id}",
        f"network {BACKBONE}, 32 dimensions",
        "trained on 4,000 crops of 12 species at 30 locations (train.json)",
        "trained at 2026-11-25 18:40 UTC, starting from scratch",
        "validation recall@1 0.912, MAP@R 0.700",
        "licence CC BY 4.0",
        "crops embedded 0",
        "used by project 4 (Reef)",
    ]
    assert other.split()[-2:] == ["no", "project"]
    assert torn.startswith("torn: damaged, ")
    listed = json.loads(say("list", "--json"))
    assert [sorted(one) for one in listed] == [
        *[["crops", "id", "manifest", "name", "projects"]] * 2,
        ["name", "problem"],
    ]
    assert listed[0]["projects"][0]["title"] == "Reef"
