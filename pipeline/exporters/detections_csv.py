"""Boxes of animals in the ancestor's layout: CSV, a box a row, name, score and four fractions."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.exporters.boxes import DIGITS, rounded
from pipeline.exporters.names import free_name
from pipeline.exporters.source import ExportReport, ExportSource
from pipeline.files.atomic import atomic_file

ANIMAL = "animal"
COLUMNS = {"yxyx": ("ymin", "xmin", "ymax", "xmax"), "xyxy": ("xmin", "ymin", "xmax", "ymax")}


def write(out: Path, survey: ExportSource, *, axis_order: str = "yxyx", header: bool = False) -> ExportReport:
    """Write the survey's boxes to the file `out`, which is there whole or not at all.

    `axis_order` is yxyx, as the ancestor wrote them, or xyxy; `header` names the columns in a first line.
    The layout knows animals alone and no label: what it lacks is counted. Raises ExportError.
    """
    report = ExportReport(path=str(out))
    columns, names = COLUMNS[axis_order], set[int]()
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)  # ends lines as RFC 4180 does, or it would leave such letters of names bare
        if header:
            table.writerow(["name", "score", *columns])
        for one in survey.photographs():
            name = free_name(one.image, names, report)
            if name is None:
                continue
            report.count(one)
            animals = [each.record for each in one.detections if each.record.detector_category == ANIMAL]
            if not animals:
                report.note("photographs without an animal, for which this layout has no row")
            if len(animals) < len(one.detections):
                report.note("detections of people and vehicles left out", len(one.detections) - len(animals))
            for record in animals:
                sides = dict(zip(COLUMNS["xyxy"], rounded(record.box), strict=True))
                score = 1.0 if record.bbox_confidence is None else round(record.bbox_confidence, DIGITS)
                table.writerow([name, score, *(sides[column] for column in columns)])
    return report
