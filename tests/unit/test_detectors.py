"""Detectors as an import uses them: loaded by their specification, shown photographs."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from importers.detectors import load_detector
from importers.detectors.detector import LOWEST_CONFIDENCE
from pipeline.errors import DetectorError, PhotoError
from pipeline.images import Photo
from pipeline.records import WHOLE_FRAME, Box
from tests.helpers.photographs import encoded, onnx_file, scene

CELLS = 84  # of an input of 64 x 64 pixels


@pytest.fixture
def photo() -> Photo:
    """Twice as wide as high: on a square input it lies between two grey bars."""
    return Photo(encoded(Image.new("RGB", (200, 100), "white")))


def close(box: Box, x1: float, y1: float, x2: float, y2: float) -> bool:
    return (box.x1, box.y1, box.x2, box.y2) == pytest.approx((x1, y1, x2, y2), abs=1e-5)


def test_the_whole_frame_is_one_sure_animal() -> None:
    (found,) = load_detector("whole-frame").detect(Photo(encoded(scene())))
    assert (found.box, found.confidence, found.category) == (WHOLE_FRAME, 1.0, "animal")


@pytest.mark.parametrize("spec", ["", "onnx", "onnx:", "torchvision:", "whole-frame:x", "yolo:/file"])
def test_a_specification_that_names_nothing_is_answered_with_the_choices(spec: str) -> None:
    with pytest.raises(DetectorError, match=r"megadetector\[:MODEL\], onnx:FILE"):
        load_detector(spec)


def test_an_ultralytics_export_is_read_by_its_own_class_names(tmp_path: Path, photo: Photo) -> None:
    output = np.zeros((1, 4 + 3, CELLS), dtype=np.float32)
    output[0, :, 3] = [32, 32, 32, 16, 0.9, 0.2, 0]  # a deer in the middle
    output[0, :, 4] = [33, 32, 32, 16, 0, 0, 0.6]  # seen as a boar too: one animal
    output[0, :, 5] = [8, 24, 16, 16, 0, 0.7, 0]  # a person at the top left
    output[0, :, 6] = [50, 40, 4, 4, LOWEST_CONFIDENCE / 2, 0, 0]
    names = {"names": "{0: 'deer', 1: 'person', 2: 'boar'}", "imgsz": "[64, 64]"}
    path = onnx_file(tmp_path / "v8.onnx", output, side="size", metadata=names)
    detector = load_detector(f"onnx:{path}")
    assert list(detector.categories) == ["animal", "person"]
    animal, person = detector.detect(photo)
    # the photograph covers 64 x 32 pixels of the input, from row 16
    assert (animal.category, person.category) == ("animal", "person")
    assert (animal.confidence, person.confidence) == pytest.approx((0.9, 0.7))
    assert close(animal.box, 0.25, 0.25, 0.75, 0.75)
    assert close(person.box, 0.0, 0.0, 0.25, 0.5)


def test_yolox_with_the_classes_of_coco_reports_no_furniture(tmp_path: Path, photo: Photo) -> None:
    output = np.zeros((1, CELLS, 85), dtype=np.float32)
    chair, sheep, row = 56, 18, [0, 0, np.log(4), np.log(2), 1.0]  # 32 x 16 pixels
    output[0, 18, :5], output[0, 18, 5 + sheep] = row, 0.6  # row 2, column 2: centre (16, 16)
    output[0, 20, :5], output[0, 20, 5 + chair] = row, 0.9
    detector = load_detector(f"onnx:{onnx_file(tmp_path / 'x.onnx', output)}")
    (animal,) = detector.detect(photo)
    assert animal.category == "animal"
    assert close(animal.box, 0.0, 0.25, 0.5, 0.75)  # YOLOX lays the photograph at the top left


def test_an_end_to_end_export_is_read(tmp_path: Path, photo: Photo) -> None:
    output = np.zeros((1, 300, 6), dtype=np.float32)
    output[0, 0] = [16, 24, 48, 40, 0.8, 2]
    names = {"names": "{0: 'animal', 1: 'person', 2: 'vehicle'}"}
    detector = load_detector(f"onnx:{onnx_file(tmp_path / 'v10.onnx', output, metadata=names)}")
    (vehicle,) = detector.detect(photo)
    assert vehicle.category == "vehicle"
    assert close(vehicle.box, 0.25, 0.25, 0.75, 0.75)


def test_numbers_that_are_none_are_no_boxes(tmp_path: Path, photo: Photo) -> None:
    output = np.zeros((1, 3 * CELLS, 8), dtype=np.float32)
    output[0, 0] = [np.nan, 32, 8, 8, 1, 1, 0, 0]
    output[0, 1] = [32, 32, 0, 8, 1, 1, 0, 0]
    detector = load_detector(f"onnx:{onnx_file(tmp_path / 'v5.onnx', output)}")
    assert detector.detect(photo) == []


def test_an_onnx_detector_is_named_by_its_content(tmp_path: Path) -> None:
    output = np.zeros((1, 3 * CELLS, 8), dtype=np.float32)
    first = onnx_file(tmp_path / "a" / "model.onnx", output)
    copy = onnx_file(tmp_path / "b" / "model.onnx", output)
    other = onnx_file(tmp_path / "c" / "model.onnx", output + 1)
    ids = [load_detector(f"onnx:{path}").id for path in (first, copy, other)]
    assert ids[0] == ids[1] != ids[2]


def test_files_that_are_no_detector_are_refused_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    odd = onnx_file(tmp_path / "odd.onnx", np.zeros((1, 10), dtype=np.float32))
    for path, reason in [
        (tmp_path / "absent.onnx", "cannot be read"),
        (text, "cannot be run as an ONNX network"),
        (odd, "not a known YOLO layout"),
    ]:
        with pytest.raises(DetectorError, match=reason) as caught:
            load_detector(f"onnx:{path}")
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_a_torchvision_checkpoint_brings_its_own_classes(tmp_path: Path, name: str) -> None:
    import torch
    from torchvision.models import get_model

    torch.manual_seed(0)
    model = get_model(name, weights=None, weights_backbone=None, num_classes=3)
    path = tmp_path / "trained.pth"
    torch.save({"model": model.state_dict(), "categories": ["background", "person", "deer"]}, path)
    detector = load_detector(f"torchvision:{name}:{path}")
    assert list(detector.categories) == ["animal", "person"]
    for found in detector.detect(Photo(encoded(scene()))):
        assert found.category in {"animal", "person"}
        assert 0 <= found.box.x1 < found.box.x2 <= 1
        assert 0 <= found.box.y1 < found.box.y2 <= 1


def test_checkpoints_that_do_not_fit_are_refused_with_a_remedy(tmp_path: Path) -> None:
    import torch

    name = "ssdlite320_mobilenet_v3_large"
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    for file, reason in [
        ("other.pth", "does not fit"),
        ("text.pth", "not a torch checkpoint"),
        ("absent.pth", "cannot be read"),
    ]:
        with pytest.raises(DetectorError, match=reason):
            load_detector(f"torchvision:{name}:{tmp_path / file}")
    with pytest.raises(DetectorError, match=r"one of .*retinanet"):
        load_detector("torchvision:resnet18")


class StandIn:
    """What megadetector 10 returns for a photograph, as its PTDetector does."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result

    def generate_detections_one_image(
        self,
        img_original: Image.Image,
        image_id: str = "unknown",
        detection_threshold: float = 0.00001,
        image_size: int | None = None,
        augment: bool = False,
        verbose: bool = False,
    ) -> dict[str, Any]:
        assert img_original.mode == "RGB"
        return {"file": image_id, **self.result}


def install_stand_in(monkeypatch: pytest.MonkeyPatch, model: Path, result: dict[str, Any]) -> None:
    module = types.ModuleType("megadetector.detection.run_detector")
    module.DEFAULT_DETECTOR_LABEL_MAP = {"1": "animal", "2": "person", "3": "vehicle"}  # type: ignore[attr-defined]
    module.try_download_known_detector = lambda name: str(model) if name == "MDV5A" else name  # type: ignore[attr-defined]
    module.load_detector = lambda _: StandIn(result)  # type: ignore[attr-defined]
    package, detection = types.ModuleType("megadetector"), types.ModuleType("megadetector.detection")
    detection.run_detector = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "megadetector", package)
    monkeypatch.setitem(sys.modules, "megadetector.detection", detection)
    monkeypatch.setitem(sys.modules, "megadetector.detection.run_detector", module)


def test_megadetector_is_asked_through_its_package(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "md_v5a.0.1.pt"
    model.write_bytes(b"weights")
    boxes = [{"category": "1", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.4]}]
    install_stand_in(monkeypatch, model, {"detections": boxes, "max_detection_conf": 0.93})
    detector = load_detector("megadetector")
    (animal,) = detector.detect(photo)
    assert detector.id.startswith("megadetector:md_v5a.0.1:")
    assert (animal.category, animal.confidence) == ("animal", 0.93)
    assert close(animal.box, 0.1, 0.2, 0.4, 0.6)


def test_what_megadetector_fails_on_is_a_failure_of_that_photograph(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes(b"weights")
    install_stand_in(monkeypatch, model, {"detections": None, "failure": "inference failure"})
    with pytest.raises(PhotoError, match="inference failure") as caught:
        load_detector(f"megadetector:{model}").detect(photo)
    assert caught.value.failure == "detector"


def test_without_the_megadetector_package_the_other_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "megadetector", None)
    monkeypatch.setitem(sys.modules, "megadetector.detection", None)
    with pytest.raises(DetectorError, match=r"install wildloop\[megadetector\], or choose --detector onnx"):
        load_detector("megadetector")
