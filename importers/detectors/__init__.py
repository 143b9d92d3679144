"""Detectors find animals, people and vehicles on photographs; `load_detector` loads the one you name."""

from __future__ import annotations

from pathlib import Path

from importers.detectors.detector import DetectedBox, Detector, WholeFrame
from pipeline.errors import DetectorError

SPECIFICATIONS = (
    "megadetector[:MODEL]",
    "onnx:FILE",
    "torchvision:NAME[:CHECKPOINT]",
    WholeFrame.id,
)

__all__ = ["SPECIFICATIONS", "DetectedBox", "Detector", "WholeFrame", "load_detector"]


def load_detector(spec: str) -> Detector:
    """Load the detector that `spec` names.

    `onnx:FILE`, `torchvision:NAME` with published weights, `torchvision:NAME:CHECKPOINT`,
    `megadetector` or `megadetector:MODEL` (a name such as MDV5A, or a file), `whole-frame`.
    Raises DetectorError, which names the remedy. ONNX files are run once to check their output.
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
    if spec == WholeFrame.id:
        return WholeFrame()
    raise DetectorError(f"{spec!r} is not a detector", remedy=f"choose one of {', '.join(SPECIFICATIONS)}")
