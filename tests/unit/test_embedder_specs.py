"""From the text that names an embedder to the embedder, or to an error that says what is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.embedders import load, reload
from pipeline.embedders.hardware import usable_cores
from pipeline.embedders.spec import parse
from pipeline.errors import EmbedderError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no embedder"),
        ("Red deer", "names no embedder"),
        ("descriptor?size=3", "takes nothing behind its name"),
        ("tensorflow:resnet18", "names no embedder"),
        ("descriptor:large", "takes nothing behind its name"),
        ("auto?size=3", "takes nothing behind its name"),
        ("torchvision", "names no backbone"),
        ("torchvision:", "names no backbone"),
        ("onnx:", "names no file"),
        ("checkpoint:", "names no folder"),
        ("onnx:a.onnx?size", "is not option=value"),
        ("onnx:a.onnx?scale=2", "has no option 'scale'"),
        ("torchvision:resnet18?size=9", "has no option 'size'"),
        ("onnx:a.onnx?size=2&size=3", "stands twice"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_with_what_would(text: str, says: str) -> None:
    with pytest.raises(EmbedderError, match=says) as caught:
        parse(text)
    assert caught.value.remedy


def test_a_spec_is_read_into_its_parts() -> None:
    spec = parse("onnx:/a folder/model.onnx?size=227&channels=bgr&mean=1,2,3")
    assert (spec.kind, spec.target) == ("onnx", "/a folder/model.onnx")
    assert spec.options == {"size": "227", "channels": "bgr", "mean": "1,2,3"}


def test_an_unknown_backbone_is_refused_without_a_download(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="no classification backbone 'resnet19'"):
        load("torchvision:resnet19", data_dir=tmp_path)


def test_unknown_weights_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="IMAGENET1K_V1"):
        load("torchvision:resnet18?weights=IMAGENET21K", data_dir=tmp_path)


@pytest.mark.usefixtures("unreachable")
def test_auto_falls_back_to_the_descriptor_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        embedder = load("auto", data_dir=tmp_path)
    assert embedder.id.startswith("descriptor-")
    assert "no route to host" in caplog.text
    assert str(tmp_path / "cache" / "weights") in caplog.text
    assert "WILDLOOP_EMBEDDER" in caplog.text


@pytest.mark.usefixtures("unreachable")
def test_a_backbone_asked_for_by_name_is_never_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="cannot be fetched"):
        load("torchvision:resnet18", data_dir=tmp_path)


def test_a_damaged_download_is_named_and_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = tmp_path / "cache" / "weights" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"half a file")
    with pytest.raises(EmbedderError, match=r"resnet18-f37072fd\.pth is not what was published"):
        load("torchvision:resnet18", data_dir=tmp_path)


def test_an_embedder_is_made_again_from_its_manifest(tmp_path: Path) -> None:
    embedder = load("descriptor", data_dir=tmp_path)
    again = reload(embedder.id, embedder.manifest, data_dir=tmp_path)
    assert again.id == embedder.id


def test_an_embedder_that_became_another_is_refused(tmp_path: Path) -> None:
    embedder = load("descriptor", data_dir=tmp_path)
    with pytest.raises(EmbedderError, match="not descriptor-of-last-year"):
        reload("descriptor-of-last-year", embedder.manifest, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1)]
)
def test_a_containers_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert usable_cores(file) == (cores or usable_cores(tmp_path / "absent"))
