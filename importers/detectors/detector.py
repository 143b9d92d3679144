"""What every detector offers, and what it finds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import DetectorError
from pipeline.identity import detection_id
from pipeline.images import Photo
from pipeline.records import Box, DetectionRecord, SourceLabel

LOWEST_CONFIDENCE = 0.01  # what is below is never reported, whatever the threshold of an import


@dataclass(frozen=True, kw_only=True)
class DetectedBox:
    """One box that a detector or a source reports: its category by name, its confidence from 0 to 1."""

    box: Box
    confidence: float
    category: str
    labels: tuple[SourceLabel, ...] = ()  # what a source says of this box

    def record(self, image_id: str, detector: str) -> DetectionRecord:
        """The detection of this box by `detector` on a photograph, without its crop."""
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
        """Names the model, by the digest of its file, and every setting that changes its boxes."""

    @property
    def categories(self) -> Sequence[str]:
        """The categories that it can report, such as animal, person, vehicle."""

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """What it finds, from LOWEST_CONFIDENCE up. Raises PhotoError where this photograph defeats it."""


def file_digest(path: Path) -> str:
    """12 hexadecimal digits that name a model file by its content.

    Raises DetectorError where there is no such file.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()
    except OSError as exc:
        raise DetectorError(
            f"the model file {path} cannot be read: {exc.strerror}", remedy="check the path"
        ) from exc
