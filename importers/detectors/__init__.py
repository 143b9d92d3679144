"""What finds animals on a photograph: `load_detector` chooses one by its specification."""

from __future__ import annotations

from pathlib import Path

from importers.detectors.detector import DetectedBox, Detector
from pipeline.errors import DetectorError

SPECIFICATIONS = (
    "megadetector[:MODEL]",
    "onnx:FILE",
    "torchvision:NAME[:CHECKPOINT]",
    "whole-frame",
)

__all__ = ["SPECIFICATIONS", "DetectedBox", "Detector", "load_detector"]


def load_detector(spec: str) -> Detector:
    """The detector that `spec` names; its model is loaded, and tried once where that is cheap.

    `onnx:FILE`, `torchvision:NAME` with published weights, `torchvision:NAME:CHECKPOINT`,
    `megadetector` or `megadetector:MODEL` (a name such as MDV5A, or a file), `whole-frame`.
    Raises DetectorError, naming the remedy.
    """
    kind, _, rest = spec.partition(":")
    if kind == "onnx" and rest:
        from importers.detectors.onnx import OnnxDetector

        return OnnxDetector(Path(rest).expanduser())
    if kind == "torchvision" and rest:
        from importers.detectors.torchvision import TorchvisionDetector

        name, _, checkpoint = rest.partition(":")
        return TorchvisionDetector(name, Path(checkpoint).expanduser() if checkpoint else None)
    if kind == "megadetector":
        from importers.detectors.megadetector import DEFAULT_MODEL, MegaDetector

        return MegaDetector(rest or DEFAULT_MODEL)
    if spec == "whole-frame":
        from importers.detectors.whole_frame import WholeFrame

        return WholeFrame()
    raise DetectorError(f"{spec!r} names no detector", remedy=f"choose one of {', '.join(SPECIFICATIONS)}")
