"""MegaDetector, run by the `megadetector` package: an optional extra.

Used of megadetector 10.0 are `detection.run_detector.load_detector` and the method
`generate_detections_one_image` of the detector that it returns.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from pipeline.errors import DetectorError, PhotoError
from pipeline.images import Photo
from pipeline.records import Box

DEFAULT_MODEL = "MDV5A"


class MegaDetector:
    """A MegaDetector model by name (MDV5A, MDV1000-redwood, ...), downloaded once, or by file."""

    def __init__(self, model: str) -> None:
        """Raises DetectorError if the package is not installed or the model cannot be loaded."""
        try:
            from megadetector.detection import run_detector
        except ImportError as exc:
            raise DetectorError(
                f"the megadetector package cannot be imported ({exc})",
                remedy="install wildloop[megadetector], or choose --detector onnx:FILE, torchvision:NAME "
                "or whole-frame, or run MegaDetector elsewhere and use `wildloop import megadetector`",
            ) from exc
        with contextlib.redirect_stdout(sys.stderr):  # the package prints while it loads
            try:
                file = run_detector.try_download_known_detector(model)
                if file is None:
                    raise OSError("nothing usable was downloaded")
                self._detector = run_detector.load_detector(file)
            except (OSError, ValueError, RuntimeError, AssertionError, ImportError, KeyError) as exc:
                raise DetectorError(
                    f"MegaDetector model {model!r} cannot be loaded: {exc}",
                    remedy="connect to the internet once, or give the model's file: megadetector:FILE",
                ) from exc
        self._names: dict[str, str] = dict(run_detector.DEFAULT_DETECTOR_LABEL_MAP)
        self.categories = sorted(set(self._names.values()))
        self.id = f"megadetector:{Path(file).stem}:{file_digest(Path(file))}"
        self._lock = threading.Lock()  # its networks keep state: the grid of the last input

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """The boxes of MegaDetector. Raises PhotoError, of the kind `detector`, if it reports a failure."""
        import torch

        image = photo.pixels()
        with self._lock, torch.no_grad():  # the package would keep every layer for gradients
            result = self._detector.generate_detections_one_image(
                image, "photograph", detection_threshold=LOWEST_CONFIDENCE
            )
        if result.get("failure"):
            raise PhotoError("detector", str(result["failure"]))
        boxes = []
        for detection in result["detections"]:
            box = Box.from_xywh(detection["bbox"])
            if box is not None:
                name = self._names.get(str(detection["category"]), "unknown")
                boxes.append(DetectedBox(box=box, confidence=float(detection["conf"]), category=name))
        return boxes
