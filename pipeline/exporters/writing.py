"""What several formats write in the same way: unique file names, rounded boxes, lists of JSON records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from pipeline.exporters.source import ExportReport
from pipeline.records import Box, ImageRecord

DIGITS = 5  # of fractions of the frame: those that tell detections apart
_STEP = 10.0**-DIGITS


def rounded(box: Box) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of the box to DIGITS digits; the area stays above 0."""
    x1, y1 = (min(round(float(value), DIGITS), round(1.0 - _STEP, DIGITS)) for value in (box.x1, box.y1))
    x2, y2 = (
        max(round(float(far), DIGITS), round(near + _STEP, DIGITS))
        for far, near in ((box.x2, x1), (box.y2, y1))
    )
    return x1, y1, x2, y2


def free_name(image: ImageRecord, taken: set[int], report: ExportReport) -> str | None:
    """The photograph's file name, or its full path if another has that name; None if that is taken too.

    `taken` are hashes of the names given so far, which are small and still tell names apart.
    """
    for name in (image.file_name, image.path):
        if hash(name) not in taken:
            taken.add(hash(name))
            if name != image.file_name:
                report.note("photographs named by their full path: another has the same file name")
            return name
    report.note("photographs left out: another with the same file name and path is written")
    return None


class JsonList:
    """Records of a JSON list, written one a line."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._separator = "\n"

    def add(self, record: Mapping[str, Any]) -> None:
        """Write one more record."""
        self._file.write(self._separator + json.dumps(record))
        self._separator = ",\n"
