"""Labels as a table for spreadsheets and scripts: UTF-8 with a header, a row for each detection.

A photograph without detections has one row with the label of the whole photograph. A text that a
spreadsheet would run as a formula (one that begins with = + - @, a tab or a line end) gets an apostrophe in
front, which readers should remove. Numbers and times are written unchanged.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Mapping
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
from pipeline.records import EMPTY, UNCLASSIFIED, UNSURE, SourceLabel, Taxon, category_name

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
    "scientific_name",  # of the category, where it is known
    "taxon_rank",
    "taxon_id",
    "basis",  # a Basis; DETECTOR if a photograph is empty because detectors found nothing
    "by",
    "probability",
    "labelled_at",  # UTC
    "unsure",
    "count",  # individuals in the box, said by people
    "sequence_count",  # individuals of the category in the sequence, said by people
    "sex",
    "age",
    "behaviour",
    "also",  # further categories in the box
    "comment",
    "way",  # how people gave the answer in Label Studio, a records.Way
    "suggestion_kept",  # 1, or 0 for another answer; empty if nothing was suggested
    "source_labels",  # of the photograph: category, unsure or unclassified (level, source)
    "failure",  # of the photograph
)
DETECTOR = "detector"
SEPARATOR = "; "  # of several texts in one field

# What spreadsheets take for the start of a formula, in half and full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(out: Path, source: ExportSource) -> ExportReport:
    """Write `source` to the file `out`, atomically. Raises FileError if the disk refuses."""
    report = ExportReport(path=str(out))
    taxa = source.taxa
    with (
        atomic_file(out) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)  # its line ends (RFC 4180) make it quote fields that contain either of them
        table.writerow(COLUMNS)
        for photograph in source.photographs():
            table.writerows(_rows(photograph, taxa))
            report.count(photograph)
            if not photograph.detections:
                report.note("photographs without detections, one row each")
    return report


def _rows(photograph: LabelledImage, taxa: Mapping[str, Taxon]) -> Iterator[list[object]]:
    """A photograph's rows, in the order of COLUMNS."""
    image = photograph.image
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
    after = [safe(SEPARATOR.join(map(_label_text, photograph.labels))), safe(image.failure)]
    if not photograph.detections:
        yield [*before, *[None] * 8, *_with_taxon(_whole(photograph), taxa), *after]
    for detection in photograph.detections:
        answer = _with_taxon(_answer_cells(detection.answer), taxa)
        yield [*before, *_box(detection), *answer, *after]


def _box(detection: LabelledDetection) -> list[object]:
    record = detection.record
    corners = (record.box.x1, record.box.y1, record.box.x2, record.box.y2)
    kind = (safe(record.detector), safe(record.detector_category))
    return [record.id, *kind, *(round(value, 6) for value in corners), record.bbox_confidence]


def _answer_cells(answer: Answer) -> list[object]:
    by = safe(SEPARATOR.join(answer.by))
    at = _time(answer.at.astimezone(dt.UTC).replace(tzinfo=None)) if answer.at is not None else None
    said = answer.attributes
    return [
        *(safe(answer.category), answer.basis.value, by, answer.probability, at, int(answer.unsure)),
        *(said.count, said.sequence_count, said.sex, said.age),
        *(safe(SEPARATOR.join(words)) for words in (said.behaviour, said.also)),
        *(safe(said.comment), answer.way, None if answer.kept is None else int(answer.kept)),
    ]


def _with_taxon(cells: list[object], taxa: Mapping[str, Taxon]) -> list[object]:
    """The cells of an answer, with those of its taxon behind the category, which comes first."""
    category, *others = cells
    taxon = taxa.get(str(category), Taxon(category=""))
    return [category, safe(taxon.scientific_name), safe(taxon.rank), safe(taxon.taxon_id), *others]


def _whole(photograph: LabelledImage) -> list[object]:
    """The answer for a photograph without detections.

    By the people who signed it off, else by its source, else by the detectors that looked.
    """
    if photograph.whole is not None:
        return _answer_cells(photograph.whole)
    for weak, basis in ((False, Basis.SOURCE), (True, Basis.WEAK)):
        labels = [label for label in photograph.labels if label.weak is weak and not label.is_unclassified]
        names = {None if label.category is None else _name(label) for label in labels}
        if len(names) == 1:
            sources = tuple(dict.fromkeys(label.source for label in labels))
            sure = labels[0].confidence if len(labels) == 1 else None
            name = names.pop()
            unsure = name is None
            return _answer_cells(
                Answer(basis=basis, category=name, unsure=unsure, by=sources, probability=sure)
            )
    unclassified = all(label.is_unclassified for label in photograph.labels)
    if photograph.detectors and unclassified and photograph.image.failure is None:
        by_detectors = Answer(basis=Basis.WEAK, category=EMPTY, by=photograph.detectors)
        category, _, *others = _answer_cells(by_detectors)
        return [category, DETECTOR, *others]
    return _answer_cells(Answer(basis=Basis.NONE))


def _label_text(label: SourceLabel) -> str:
    kind = "machine, " if label.weak else ""
    return f"{_name(label)} ({kind}{label.level.value}, {label.source})"


def _name(label: SourceLabel) -> str:
    if label.category is None:
        return UNCLASSIFIED if label.is_unclassified else UNSURE
    return category_name(label.category)


def safe(text: str | None) -> str | None:
    """The text with an apostrophe in front if a spreadsheet would run it as a formula."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text


def _time(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(sep=" ", timespec="seconds") if moment is not None else None
