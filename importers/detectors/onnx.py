"""YOLO detectors in ONNX files, run by onnxruntime."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np

from importers.detectors.boxes import GREY, detected_boxes, letterbox, suppress
from importers.detectors.categories import class_names, to_categories
from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from importers.detectors.yolo import decode, recognise
from pipeline.arrays import Floats
from pipeline.errors import DetectorError
from pipeline.identity import json_digest
from pipeline.images import Photo
from pipeline.records import ANIMAL

DEFAULT_SIDE = 640  # pixels, if neither the input nor the metadata gives a size
OVERLAP = 0.45  # intersection over union above which the less confident of two boxes is dropped
_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxDetector:
    """YOLOX, or an export of YOLOv5, v7, v8, v9, v10 or v11; a trial run shows its layout.

    Class names come from the metadata that ultralytics writes. Without these, 80 classes are COCO's and 3
    are MegaDetector's. Non-maximum suppression works within animal, person and vehicle, so that a deer
    detected as a cow and as a horse is one box.
    """

    def __init__(self, path: Path) -> None:
        """Raises DetectorError if the file is not a detector that can be used."""
        import onnxruntime

        digest = file_digest(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each thread of an import runs its own photograph
        options.log_severity_level = 3
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as exc:  # onnxruntime's exceptions have no common base class
            raise DetectorError(
                f"{path} cannot be run as an ONNX network: {exc}", remedy="export it again"
            ) from exc
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        names = _names(metadata.get("names", ""))
        model_input = self._session.get_inputs()[0]
        shape = model_input.shape
        if len(shape) != 4 or shape[1] != 3 or model_input.type not in _TYPES:
            raise DetectorError(
                f"{path} takes {model_input.type} of shape {shape}", remedy="a detector takes floats, 1x3xHxW"
            )
        self._input, self._type = model_input.name, _TYPES[model_input.type]
        self.height, self.width = _size(shape[2:], metadata.get("imgsz", ""))
        grey = np.full((self.height, self.width, 3), GREY, dtype=np.uint8)
        try:
            trial = self._run(grey.astype(np.float32))
            self.layout = recognise(trial, self.height, self.width, len(names) if names else None)
        except DetectorError as exc:
            raise DetectorError(f"{path}: {exc}") from exc
        names = names or class_names(self.layout.classes) or [ANIMAL] * self.layout.classes
        self._categories = to_categories(names)  # by class
        self.categories = sorted({category for category in self._categories if category})
        settings = [self.layout.name, self.height, self.width, OVERLAP, self._categories]
        self.id = f"onnx:{path.stem}:{digest}:{json_digest(settings, size=4)}"

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """The boxes of animals, people and vehicles. Raises PhotoError if the photograph is damaged."""
        canvas, place = letterbox(photo.pixels(), self.width, self.height, centred=not self.layout.is_yolox)
        pixels = np.asarray(canvas, dtype=np.float32)
        output = self._run(pixels[:, :, ::-1] if self.layout.is_yolox else pixels / np.float32(255))
        corners, scores = decode(output, self.layout, self.height, self.width)
        reported = np.array([category is not None for category in self._categories])
        scores = np.where(reported, scores, 0)
        best = scores.argmax(axis=1)
        confidence = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        rows = np.flatnonzero((confidence >= LOWEST_CONFIDENCE) & np.isfinite(corners).all(axis=1))
        categories = [self._categories[index] or "" for index in best[rows]]
        groups = np.array([self.categories.index(category) for category in categories], dtype=np.intp)
        kept = suppress(corners[rows], confidence[rows], groups, OVERLAP)
        return detected_boxes(
            place.to_frame(corners[rows][kept]), confidence[rows][kept], [categories[row] for row in kept]
        )

    def _run(self, pixels: Floats) -> Floats:
        """The network's first output for an input (H, W, 3). Raises DetectorError."""
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=self._type)
        try:
            output = self._session.run(None, {self._input: values})[0]
        except Exception as exc:  # as above
            raise DetectorError(f"the network cannot be run: {exc}", remedy="export it again") from exc
        return np.asarray(output, dtype=np.float32)


def _names(text: str) -> list[str] | None:
    """The class names in ultralytics' metadata, a Python dict of numbers to names; None without one."""
    try:
        table = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    if not isinstance(table, dict) or set(table) != set(range(len(table))) or not table:
        return None
    return [str(table[number]) for number in range(len(table))]


def _size(shape: list[Any], text: str) -> tuple[int, int]:
    """Height and width of the input: as fixed by the network, else the metadata's `imgsz`, else 640."""
    if all(isinstance(length, int) and length > 0 for length in shape):
        return int(shape[0]), int(shape[1])
    try:
        height, width = ast.literal_eval(text)
        return int(height), int(width)
    except (ValueError, SyntaxError, TypeError):
        return DEFAULT_SIDE, DEFAULT_SIDE
