"""The repeat detections of a results file, by location, and a table of them."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from importers.ingest.report import ImportReport
from importers.reading.image_root import ImageRoot
from importers.reading.locations import Locator
from importers.reading.paths import as_text
from importers.sources.megadetector.file import Results, records
from importers.sources.megadetector.repeat_clusters import (
    LEAST_CONFIDENCE,
    MOST_AREA,
    Corners,
    RepeatCluster,
    cluster_repeats,
    is_repeat,
)
from pipeline.files.atomic import atomic_file

PLACES = 20  # bits: the finding `place` of the image `number` is known as number << PLACES | place
COLUMNS = ("location", "x", "y", "width", "height", "boxes", "example")


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """What stands still in the photographs of a results file."""

    codes: Sequence[int]  # its findings that are repeats, rising: number << PLACES | place
    standing: Sequence[RepeatCluster]  # rows are places in `codes`
    corners: Corners  # of each code
    locations: Sequence[str]  # of each of `cluster_repeats`

    def tell(self, report: ImportReport, *, dropped: bool) -> None:
        """Count them in the report."""
        if self.codes:
            where = f"{len(self.standing)} places at {len(set(self.locations))} locations"
            what = (
                f"repeat detections, boxes that stand still in {where}, {'left out' if dropped else 'kept'}"
            )
            report.notes[what] += len(self.codes)

    def write(self, path: Path, results: Results, root: ImageRoot) -> None:
        """A CSV table with a row for each box that stands still: how many boxes it is, and an example.

        x, y, width and height are fractions of the frame. Raises ExportError where the disk refuses.
        """
        wanted = {self.codes[one.row] >> PLACES for one in self.standing}
        silent = ImportReport(source="")
        names = {one.number: one.name for one in records(results, root, silent) if one.number in wanted}
        with atomic_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for one, location in zip(self.standing, self.locations, strict=True):
                x1, y1, x2, y2 = self.corners[one.row]
                box = [f"{value:.4f}" for value in (x1, y1, x2 - x1, y2 - y1)]
                example = as_text(names[self.codes[one.row] >> PLACES])
                table.writerow([as_text(location), *box, one.boxes, example])


def find_repeats(results: Results, root: ImageRoot, locate: Locator, threshold: float) -> Repeats:
    """Read the file once for its repeats. Photographs without a location have none.

    Boxes below `threshold` are not imported, but count as others where they are surer than
    LEAST_CONFIDENCE.
    """
    cameras: dict[str, int] = {}
    codes, numbers, corners, confidences = array("q"), array("q"), array("d"), array("d")
    for record in records(results, root, ImportReport(source="")):
        location = locate(as_text(record.name)) if record.findings else None
        if location is None:
            continue
        camera = cameras.setdefault(location, len(cameras))
        for place, finding in enumerate(record.findings):
            box = finding.box
            if finding.confidence > LEAST_CONFIDENCE and box.width * box.height <= MOST_AREA:
                codes.append(record.number << PLACES | place)
                numbers.append(camera)
                corners.extend((box.x1, box.y1, box.x2, box.y2))
                confidences.append(finding.confidence)
    code, camera_of = np.frombuffer(codes, np.int64), np.frombuffer(numbers, np.int64)
    boxes = np.frombuffer(corners, np.float64).reshape(-1, 4)
    out = is_repeat(boxes, camera_of, code >> PLACES)
    out &= np.frombuffer(confidences, np.float64) >= threshold
    groups = cluster_repeats(boxes[out], camera_of[out])
    names = list(cameras)
    return Repeats(
        codes=array("q", code[out].tobytes()),
        standing=groups,
        corners=boxes[out],
        locations=[names[camera_of[out][one.row]] for one in groups],
    )
