"""ONNX embedders, tried on networks that return what they are given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders import load
from pipeline.errors import EmbedderError

COLOUR = (200, 100, 50)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a network that returns its input, averaged over positions or not."""
    onnx = pytest.importorskip("onnx", reason="onnx makes the networks of these tests; pip install onnx")

    def build(
        name: str = "mean.onnx",
        *,
        shape: Sequence[int | str] = ("n", 3, 16, 16),
        average: bool = True,
        metadata: dict[str, str] | None = None,
        type_: Any = onnx.TensorProto.FLOAT,
        factor: float = 1.0,
        second: bool = False,
    ) -> Path:
        helper = onnx.helper
        axes = [2, 3] if shape[1] == 3 else [1, 2]
        nodes = [
            helper.make_node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", ["f", "factor"], ["maps"]),
        ]
        initial = [helper.make_tensor("factor", onnx.TensorProto.FLOAT, [], [factor])]
        if average:
            initial.append(helper.make_tensor("axes", onnx.TensorProto.INT64, [2], axes))
            nodes.append(helper.make_node("ReduceMean", ["maps", "axes"], ["y"], keepdims=0))
        else:
            nodes.append(helper.make_node("Identity", ["maps"], ["y"]))
        outputs = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
        if second:
            outputs.append(helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, None))
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", type_, list(shape))], outputs, initial
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        helper.set_model_props(model, metadata or {})
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return build


def embedded(spec: str, tmp_path: Path, count: int = 1) -> NDArray[np.float32]:
    return load(spec, data_dir=tmp_path).embed([Image.new("RGB", (40, 30), COLOUR)] * count)


def test_mean_and_deviation_are_of_values_up_to_255(make: Callable[..., Path], tmp_path: Path) -> None:
    vectors = embedded(f"onnx:{make()}?mean=100,50,0&std=10,2,1", tmp_path, 40)
    assert vectors.shape == (40, 3)
    np.testing.assert_allclose(vectors, [[10, 25, 50]] * 40, atol=1e-4)


def test_bgr_turns_the_channels_before_the_mean_is_taken(make: Callable[..., Path], tmp_path: Path) -> None:
    vectors = embedded(f"onnx:{make()}?channels=bgr&mean=50,100,200&std=1", tmp_path)
    np.testing.assert_allclose(vectors, [[0, 0, 0]], atol=1e-4)


def test_one_number_serves_all_channels(make: Callable[..., Path], tmp_path: Path) -> None:
    vectors = embedded(f"onnx:{make()}?mean=127.5&std=127.5", tmp_path)
    np.testing.assert_allclose(vectors, [(np.array(COLOUR) - 127.5) / 127.5], atol=1e-5)


def test_imagenets_normalisation_is_assumed_with_a_warning(
    make: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        vectors = embedded(f"onnx:{make()}", tmp_path)
    wanted = (np.array(COLOUR) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(vectors, [wanted], atol=1e-4)
    assert "ImageNet's mean and std are assumed" in caplog.text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("NominalRange_0_255", np.array(COLOUR[::-1])),
        ("Normalized_0_1", np.array(COLOUR[::-1]) / 255),
        ("Normalized_1_1", np.array(COLOUR[::-1]) / 127.5 - 1),
    ],
)
def test_onnx_image_metadata_is_recognised(
    make: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, value: str, wanted: Any
) -> None:
    metadata = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": value}
    vectors = embedded(f"onnx:{make(metadata=metadata)}", tmp_path)
    np.testing.assert_allclose(vectors, [wanted], rtol=1e-4)
    assert not caplog.records


def test_channels_last_and_whole_numbers_are_read_from_the_input(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    import onnx

    path = make(shape=("n", 16, 20, 3), type_=onnx.TensorProto.UINT8)
    np.testing.assert_allclose(embedded(f"onnx:{path}", tmp_path), [COLOUR])


def test_a_network_for_a_fixed_number_of_images_is_filled_up(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    path = make(shape=(4, 3, 16, 16))
    np.testing.assert_allclose(embedded(f"onnx:{path}?mean=0&std=1", tmp_path, 6), [COLOUR] * 6, rtol=1e-5)


def test_feature_maps_are_averaged(make: Callable[..., Path], tmp_path: Path) -> None:
    path = make(average=False, shape=("n", 3, "h", "w"))
    np.testing.assert_allclose(embedded(f"onnx:{path}?mean=0&std=1&size=20", tmp_path), [COLOUR], rtol=1e-5)


def test_the_id_changes_with_weights_preprocessing_and_output(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    one = make("a.onnx", second=True)
    specs = [
        f"onnx:{one}?mean=0&std=1&output=y",
        f"onnx:{one}?mean=0&std=2&output=y",
        f"onnx:{one}?mean=0&std=1&output=maps",
        f"onnx:{one}?mean=0&std=1&output=y&channels=bgr",
    ]
    ids = [load(spec, data_dir=tmp_path).id for spec in specs]
    make("a.onnx", second=True, factor=2.0)
    ids.append(load(specs[0], data_dir=tmp_path).id)
    assert len(set(ids)) == 5


def test_the_same_file_elsewhere_is_the_same_embedder(make: Callable[..., Path], tmp_path: Path) -> None:
    path = make()
    (tmp_path / "else where").mkdir()
    elsewhere = tmp_path / "else where" / path.name
    elsewhere.write_bytes(path.read_bytes())
    first = load(f"onnx:{path}?mean=0&std=1", data_dir=tmp_path)
    second = load(f"onnx:{elsewhere}?mean=0&std=1", data_dir=tmp_path)
    assert first.id == second.id
    assert load(second.manifest["spec"], data_dir=tmp_path).id == second.id


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?size=224", "has 16 x 16 pixels"),
        ("?size=many", "not a number of pixels"),
        ("?mean=a,b,c&std=1", "is not a list of numbers"),
        ("?mean=1,2&std=1", "not one or three numbers"),
        ("?mean=0&std=0", "is not above 0"),
        ("?channels=grb", "channels=grb is unknown"),
        ("?output=z", "has no output 'z'"),
        ("", "has the outputs y, maps"),
    ],
)
def test_options_that_do_not_fit_the_file_are_named(
    make: Callable[..., Path], tmp_path: Path, query: str, says: str
) -> None:
    path = make(second=True)
    full = query if "output" in query or not query else f"{query}&output=y"
    with pytest.raises(EmbedderError, match=says):
        load(f"onnx:{path}{full}", data_dir=tmp_path)


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("not a network")
    for name in ("a.onnx", "absent.onnx"):
        with pytest.raises(EmbedderError, match=name):
            load(f"onnx:{tmp_path / name}", data_dir=tmp_path)


def test_a_network_that_takes_no_images_is_refused(make: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="one batch of images of three channels"):
        load(f"onnx:{make(shape=('n', 1, 16, 16))}", data_dir=tmp_path)
