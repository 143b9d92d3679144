"""A YOLO detector that comes as an ONNX file, run by onnxruntime."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from importers.detectors.boxes import GREY, Floats, findings, letterbox, suppress
from importers.detectors.categories import class_names, to_categories
from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from importers.detectors.yolo import decode, recognise
from pipeline.errors import DetectorError
from pipeline.identity import json_digest
from pipeline.images import Photo

DEFAULT_SIDE = 640  # pixels, where neither the input nor the metadata gives a size
OVERLAP = 0.45  # intersection over union from which the less sure of two boxes goes
_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxDetector:
    """YOLOX, or an export of YOLOv5, v7, v8, v9, v10 or v11; its layout is recognised at a trial run.

    Class names come from the metadata that ultralytics writes, else from their number: 80 are COCO's,
    3 are MegaDetector's. Doubles are suppressed within animal, person and vehicle, so that one deer seen
    as a cow and as a horse is one box.
    """

    def __init__(self, path: Path) -> None:
        """Raises DetectorError where the file is no detector that can be used."""
        import onnxruntime

        digest = file_digest(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each thread of an import runs a photograph of its own
        options.log_severity_level = 3
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as exc:  # onnxruntime's exceptions share no base of their own
            raise DetectorError(
                f"{path} is no ONNX network that runs here: {exc}", remedy="export it again"
            ) from exc
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        names = _names(metadata.get("names", ""))
        given = self._session.get_inputs()[0]
        if len(given.shape) != 4 or given.shape[1] != 3 or given.type not in _TYPES:
            raise DetectorError(
                f"{path} takes {given.type} of shape {given.shape}", remedy="a detector takes floats, 1x3xHxW"
            )
        self._input, self._type = given.name, _TYPES[given.type]
        self.height, self.width = _size(given.shape[2:], metadata.get("imgsz", ""))
        grey = np.full((self.height, self.width, 3), GREY, dtype=np.uint8)
        try:
            trial = self._run(grey.astype(np.float32))
            self.layout = recognise(trial, self.height, self.width, len(names) if names else None)
        except DetectorError as exc:
            raise DetectorError(f"{path}: {exc}") from exc
        names = names or class_names(self.layout.classes) or ["animal"] * self.layout.classes
        self._mapped = to_categories(names)
        self.categories = sorted({name for name in self._mapped if name})
        settings = [self.layout.name, self.height, self.width, OVERLAP, self._mapped]
        self.id = f"onnx:{path.stem}:{digest}:{json_digest(settings, size=4)}"

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """Findings of the mapped categories."""
        image = photo.pixels()
        canvas, place = letterbox(image, self.width, self.height, centred=not self.layout.is_yolox)
        pixels = np.asarray(canvas, dtype=np.float32)
        output = self._run(pixels[:, :, ::-1] if self.layout.is_yolox else pixels / np.float32(255))
        corners, scores = decode(output, self.layout, self.height, self.width)
        reported = np.array([name is not None for name in self._mapped])
        scores = np.where(reported, scores, 0)
        best = scores.argmax(axis=1)
        sure = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        found = np.flatnonzero((sure >= LOWEST_CONFIDENCE) & np.isfinite(corners).all(axis=1))
        names = [self._mapped[index] or "" for index in best[found]]
        groups = np.array([self.categories.index(name) for name in names], dtype=np.intp)
        kept = suppress(corners[found], sure[found], groups, OVERLAP)
        return findings(
            place.to_frame(corners[found][kept]), sure[found][kept], [names[index] for index in kept]
        )

    def _run(self, pixels: NDArray[np.float32]) -> Floats:
        """The network's first output for one input of (H, W, 3)."""
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=self._type)
        try:
            output = self._session.run(None, {self._input: values})[0]
        except Exception as exc:  # as above
            raise DetectorError(f"the network does not run: {exc}", remedy="export it again") from exc
        return np.asarray(output, dtype=np.float32)


def _names(text: str) -> list[str] | None:
    """Class names out of ultralytics' metadata, a Python dict of numbers to names; None without."""
    try:
        table = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    if not isinstance(table, dict) or set(table) != set(range(len(table))) or not table:
        return None
    return [str(table[number]) for number in range(len(table))]


def _size(shape: list[Any], text: str) -> tuple[int, int]:
    """Height and width of the input: fixed ones, else the metadata's `imgsz`, else 640."""
    if all(isinstance(length, int) and length > 0 for length in shape):
        return int(shape[0]), int(shape[1])
    try:
        height, width = ast.literal_eval(text)
        return int(height), int(width)
    except (ValueError, SyntaxError, TypeError):
        return DEFAULT_SIDE, DEFAULT_SIDE
