"""The interface of detectors, the boxes that they report, and the detector of crops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import DetectorError
from pipeline.identity import detection_id
from pipeline.images import Photo
from pipeline.records import (
    ANIMAL,
    WHOLE_FRAME,
    WHOLE_FRAME_DETECTOR,
    Box,
    DetectionRecord,
    SourceLabel,
)

LOWEST_CONFIDENCE = 0.01  # detectors report nothing below this, whatever the threshold of an import


@dataclass(frozen=True, kw_only=True)
class DetectedBox:
    """One box from a detector or a source."""

    box: Box
    confidence: float  # 0 to 1
    category: str  # animal, person or vehicle
    labels: tuple[SourceLabel, ...] = ()  # of this box, from the source

    def record(self, image_id: str, detector: str) -> DetectionRecord:
        """The detection of this box by `detector` on a photograph, without a crop."""
        return DetectionRecord(
            id=detection_id(image_id, detector, self.box),
            image_id=image_id,
            box=self.box,
            bbox_confidence=self.confidence,
            detector=detector,
            detector_category=self.category,
        )


class Detector(Protocol):
    """Finds boxes on photographs. Several threads may call `detect` at once."""

    @property
    def id(self) -> str:
        """Identifies the model, by the digest of its file, and every setting that changes its boxes."""

    @property
    def categories(self) -> Sequence[str]:
        """The categories that it can report, such as animal, person, vehicle."""

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """The boxes with a confidence of at least LOWEST_CONFIDENCE. Raises PhotoError if it fails."""


class WholeFrame:
    """The detector of photographs that are crops already: one animal that fills the frame."""

    id = WHOLE_FRAME_DETECTOR
    categories = (ANIMAL,)

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """One box of confidence 1; the pixels are not decoded."""
        return [DetectedBox(box=WHOLE_FRAME, confidence=1.0, category=ANIMAL)]


def file_digest(path: Path) -> str:
    """12 hexadecimal digits of BLAKE2b that identify a model file by its content.

    Raises DetectorError if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()
    except OSError as exc:
        raise DetectorError(
            f"the model file {path} cannot be read: {exc.strerror}", remedy="check the path"
        ) from exc
