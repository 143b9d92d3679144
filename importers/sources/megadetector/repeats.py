"""The repeat detections of a results file by location, and a table of them."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from importers.ingest.report import ImportReport, Note
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

PLACES = 20  # bits: the box `place` of the image `number` has the code number << PLACES | place
COLUMNS = ("location", "x", "y", "width", "height", "boxes", "example")


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """The boxes of a results file that stand still."""

    codes: Sequence[int]  # of repeated boxes, rising: number << PLACES | place
    corners: Corners  # of each code
    clusters: Sequence[RepeatCluster]  # rows are indices of `codes`
    locations: Sequence[str]  # of each cluster

    def count(self, report: ImportReport, *, is_dropped: bool) -> None:
        """Count the boxes, their clusters and locations in the report."""
        if self.codes:
            report.notes[Note.REPEATS_LEFT_OUT if is_dropped else Note.REPEATS_KEPT] += len(self.codes)
            report.notes[Note.REPEAT_CLUSTERS] += len(self.clusters)
            report.notes[Note.REPEAT_LOCATIONS] += len(set(self.locations))

    def write(self, path: Path, results: Results, root: ImageRoot) -> None:
        """Write a CSV table with a row for each cluster: its box, the number of boxes, and an example.

        x, y, width and height are fractions of the frame. Raises ExportError if the file cannot be written.
        """
        numbers = {self.codes[cluster.row] >> PLACES for cluster in self.clusters}
        ignored = ImportReport(source="")  # the records were counted before
        names = {
            record.number: record.name
            for record in records(results, root, ignored)
            if record.number in numbers
        }
        with atomic_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for cluster, location in zip(self.clusters, self.locations, strict=True):
                x1, y1, x2, y2 = self.corners[cluster.row]
                box = [f"{value:.4f}" for value in (x1, y1, x2 - x1, y2 - y1)]
                example = as_text(names[self.codes[cluster.row] >> PLACES])
                table.writerow([as_text(location), *box, cluster.boxes, example])


def find_repeats(results: Results, root: ImageRoot, locate: Locator, threshold: float) -> Repeats:
    """Read the file for its repeat detections; photographs without a location have none.

    Boxes below `threshold` are not imported, but they count as matches above LEAST_CONFIDENCE.
    """
    cameras: dict[str, int] = {}
    codes, numbers, corners, confidences = array("q"), array("q"), array("d"), array("d")
    for record in records(results, root, ImportReport(source="")):
        location = locate(as_text(record.name)) if record.boxes else None
        if location is None:
            continue
        camera = cameras.setdefault(location, len(cameras))
        for place, detected in enumerate(record.boxes):
            box = detected.box
            if detected.confidence > LEAST_CONFIDENCE and box.width * box.height <= MOST_AREA:
                codes.append(record.number << PLACES | place)
                numbers.append(camera)
                corners.extend((box.x1, box.y1, box.x2, box.y2))
                confidences.append(detected.confidence)
    code, camera_of = np.frombuffer(codes, np.int64), np.frombuffer(numbers, np.int64)
    boxes = np.frombuffer(corners, np.float64).reshape(-1, 4)
    repeated = is_repeat(boxes, camera_of, code >> PLACES)
    repeated &= np.frombuffer(confidences, np.float64) >= threshold
    clusters = cluster_repeats(boxes[repeated], camera_of[repeated])
    names = list(cameras)
    return Repeats(
        codes=array("q", code[repeated].tobytes()),
        corners=boxes[repeated],
        clusters=clusters,
        locations=[names[camera_of[repeated][cluster.row]] for cluster in clusters],
    )
