"""Boxes of animals in the layout of Wildloop's predecessor: CSV rows of name, score and four fractions."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.exporters.source import ExportReport, ExportSource
from pipeline.exporters.writing import DIGITS, free_name, rounded
from pipeline.files.atomic import atomic_file

ANIMAL = "animal"
COLUMNS = {"yxyx": ("ymin", "xmin", "ymax", "xmax"), "xyxy": ("xmin", "ymin", "xmax", "ymax")}


def write(out: Path, source: ExportSource, *, axis_order: str = "yxyx", header: bool = False) -> ExportReport:
    """Write the boxes of `source` to the file `out`, atomically.

    `axis_order` is yxyx, as in the predecessor, or xyxy; `header` adds a first line with column names. The
    layout has animals only, and no labels: what is left out is counted. Raises FileError if the disk
    refuses.
    """
    report = ExportReport(path=str(out))
    columns, names = COLUMNS[axis_order], set[int]()
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)  # its line ends (RFC 4180) make it quote names that contain them
        if header:
            table.writerow(["name", "score", *columns])
        for photograph in source.photographs():
            name = free_name(photograph.image, names, report)
            if name is None:
                continue
            report.count(photograph)
            records = [detection.record for detection in photograph.detections]
            animals = [record for record in records if record.detector_category == ANIMAL]
            if not animals:
                report.note("photographs without an animal, which have no row in this layout")
            if len(animals) < len(records):
                report.note("detections of people and vehicles left out", len(records) - len(animals))
            for record in animals:
                sides = dict(zip(COLUMNS["xyxy"], rounded(record.box), strict=True))
                score = 1.0 if record.bbox_confidence is None else round(record.bbox_confidence, DIGITS)
                table.writerow([name, score, *(sides[column] for column in columns)])
    return report
