"""MegaDetector itself, through the `megadetector` package: an optional extra.

Written against megadetector 10.0: `detection.run_detector.load_detector` and the
`generate_detections_one_image` of what it returns.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from importers.detectors.results import box_of
from pipeline.errors import DetectorError, PhotoError
from pipeline.images import Photo

DEFAULT_MODEL = "MDV5A"


class MegaDetector:
    """A MegaDetector model by name (MDV5A, MDV1000-redwood, ...) or file; names are fetched once."""

    def __init__(self, model: str) -> None:
        """Raises DetectorError where the package or the model is not to be had."""
        try:
            from megadetector.detection import run_detector
        except ImportError as exc:
            raise DetectorError(
                f"the megadetector package cannot be imported ({exc})",
                remedy="install wildloop[megadetector], or choose --detector onnx:FILE, torchvision:NAME "
                "or whole-frame, or run MegaDetector elsewhere and use `wildloop import megadetector`",
            ) from exc
        with contextlib.redirect_stdout(sys.stderr):  # the package prints as it loads
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
        self._lock = threading.Lock()  # its networks keep the grid of the last input

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """What MegaDetector reports. Raises PhotoError, kind `detector`, where it says it failed."""
        import torch

        image = photo.pixels()
        with self._lock, torch.no_grad():  # the package itself would keep every layer for gradients
            result = self._detector.generate_detections_one_image(
                image, "photograph", detection_threshold=LOWEST_CONFIDENCE
            )
        if result.get("failure"):
            raise PhotoError("detector", str(result["failure"]))
        found = []
        for entry in result["detections"]:
            box = box_of(entry["bbox"])
            if box is not None:
                name = self._names.get(str(entry["category"]), "unknown")
                found.append(DetectedBox(box=box, confidence=float(entry["conf"]), category=name))
        return found
