"""Labels as a table for spreadsheets and scripts: UTF-8 with a header, a row for each detection.

A photograph without detections has one row, with what is known of the whole of it. A text that a
spreadsheet would run as a formula (it begins with = + - @, a tab or a line end) gets an apostrophe in
front; a reader takes one leading apostrophe off such a text. Numbers and times are written as they are.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pipeline.exporters.source import (
    Answer,
    Basis,
    ExportReport,
    ExportSource,
    LabelledDetection,
    LabelledImage,
)
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY, UNCLASSIFIED, UNSURE, SourceLabel, category_name

COLUMNS = (
    "image_id",
    "file_name",
    "path",
    "location",
    "deployment_id",
    "datetime",  # the camera's clock
    "seq_id",
    "frame_num",  # from 0
    "detection_id",
    "detector",
    "detector_category",
    "bbox_x1",  # fractions of the frame
    "bbox_y1",
    "bbox_x2",
    "bbox_y2",
    "bbox_confidence",
    "category",
    "basis",  # a Basis; DETECTOR where a photograph is empty because detectors found nothing
    "by",
    "probability",
    "labelled_at",  # UTC
    "unsure",
    "source_labels",  # of the photograph: category, unsure or unclassified (level, source)
    "failure",  # of the photograph
)
DETECTOR = "detector"
BETWEEN = "; "  # of several texts in one field

# What spreadsheets take for the beginning of a formula, in either width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(out: Path, survey: ExportSource) -> ExportReport:
    """Write the survey's photographs to the file `out`. Raises ExportError where the disk refuses."""
    report = ExportReport(path=str(out))
    with (
        atomic_file(out) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)  # lines end as RFC 4180 says: then either line end within a field is quoted
        table.writerow(COLUMNS)
        for one in survey.photographs():
            table.writerows(_rows(one))
            report.count(one)
            if not one.detections:
                report.note("photographs without detections, one row each")
    return report


def _rows(one: LabelledImage) -> Iterator[list[object]]:
    """A photograph's rows, in the order of COLUMNS."""
    image = one.image
    before: list[object] = [
        image.id,
        safe(image.file_name),
        safe(image.path),
        safe(image.location),
        safe(image.deployment_id),
        _time(image.datetime),
        safe(image.seq_id),
        image.frame_num,
    ]
    after = [safe(BETWEEN.join(map(_said, one.labels))), safe(image.failure)]
    if not one.detections:
        yield [*before, *[None] * 8, *_whole(one), *after]
    for detection in one.detections:
        yield [*before, *_box(detection), *_answer(detection.answer), *after]


def _box(detection: LabelledDetection) -> list[object]:
    record = detection.record
    corners = (record.box.x1, record.box.y1, record.box.x2, record.box.y2)
    kind = (safe(record.detector), safe(record.detector_category))
    return [record.id, *kind, *(round(value, 6) for value in corners), record.bbox_confidence]


def _answer(answer: Answer) -> list[object]:
    by = safe(BETWEEN.join(answer.by))
    at = _time(answer.at.astimezone(dt.UTC).replace(tzinfo=None)) if answer.at is not None else None
    return [safe(answer.category), answer.basis.value, by, answer.probability, at, int(answer.unsure)]


def _whole(one: LabelledImage) -> list[object]:
    """What a photograph without detections is called: by its source, else by the detectors that looked."""
    for weak, basis in ((False, Basis.SOURCE), (True, Basis.WEAK)):
        labels = [label for label in one.labels if label.weak is weak and not label.is_unclassified]
        names = {None if label.category is None else _name(label) for label in labels}
        if len(names) == 1:
            sources = tuple(dict.fromkeys(label.source for label in labels))
            sure = labels[0].confidence if len(labels) == 1 else None
            name = names.pop()
            unsure = name is None
            return _answer(Answer(basis=basis, category=name, unsure=unsure, by=sources, probability=sure))
    if one.detectors and all(label.is_unclassified for label in one.labels) and one.image.failure is None:
        return [EMPTY, DETECTOR, safe(BETWEEN.join(one.detectors)), None, None, 0]
    return _answer(Answer(basis=Basis.NONE))


def _said(label: SourceLabel) -> str:
    kind = "machine, " if label.weak else ""
    return f"{_name(label)} ({kind}{label.level.value}, {label.source})"


def _name(label: SourceLabel) -> str:
    if label.category is None:
        return UNCLASSIFIED if label.is_unclassified else UNSURE
    return category_name(label.category)


def safe(text: str | None) -> str | None:
    """The text as no spreadsheet runs it."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text


def _time(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(sep=" ", timespec="seconds") if moment is not None else None
