"""For photographs that are crops already: the whole frame is the one detection."""

from __future__ import annotations

from importers.detectors.detector import DetectedBox
from pipeline.images import Photo
from pipeline.records import WHOLE_FRAME


class WholeFrame:
    """Reports every photograph as one animal that fills it; looks at no pixel."""

    id = "whole-frame"
    categories = ("animal",)

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """One finding of confidence 1."""
        return [DetectedBox(box=WHOLE_FRAME, confidence=1.0, category="animal")]
