"""COCO Camera Traps: one JSON file that other tools and `wildloop import coco` read."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.exporters.source import Answer, Basis, ExportReport, ExportSource, LabelledImage
from pipeline.exporters.writing import JsonList, free_name
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY, Box, ImageRecord, Level, SourceLabel, Taxon, category_name
from pipeline.vocabulary import kind_of

VERSION = "1.0"
UNCLASSIFIED = "unclassified"  # category of boxes without an answer
DIGITS = 4  # of a box in pixels
RELATIVE_DIGITS = 7  # of a box in fractions of the frame
_MACHINE = (Basis.MODEL, Basis.WEAK)


def write(out: Path, source: ExportSource) -> ExportReport:
    """Write `source` to the file `out`, atomically. Raises FileError if the disk refuses.

    Detections are annotations with boxes: in pixels if the size of the photograph is known, else in
    fractions of the frame. Detections with the answer `empty` are left out; a photograph with no others
    gets one annotation `empty` for the whole. Answers of a machine have `basis` and `probability`; those of
    annotators what else they said, and a box with further species has an annotation for each.
    Categories have `scientific_name`, `rank` and `taxon_id` where they are known.
    Photographs that nobody looked at have no annotation, failed ones are `corrupt`.
    """
    report = ExportReport(path=str(out))
    categories = _Categories(source.categories)
    names: set[int] = set()
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8") as file:
        # Annotations come after images, so they wait in a separate file.
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=draft.parent) as spool:
            file.write(f'{{"info": {json.dumps(_info(source))},\n"images": [')
            images, annotations = JsonList(file), JsonList(spool)
            for photograph in source.photographs():
                name = free_name(photograph.image, names, report)
                if name is None:
                    continue
                images.add(_image(photograph.image, name))
                for annotation in _annotations(photograph, categories, report):
                    annotations.add(annotation)
                report.count(photograph)
            file.write('],\n"annotations": [')
            spool.seek(0)
            shutil.copyfileobj(spool, file)
        named = [_category(number, name, source.taxa) for name, number in categories.numbers.items()]
        file.write(f'],\n"categories": {json.dumps(named)}}}\n')
    return report


class _Categories:
    """Numbers by name: those of the source, 0 for `empty`, and new ones for further names."""

    def __init__(self, given: Mapping[int, str]) -> None:
        self.numbers = {EMPTY: 0}
        for number, name in sorted(given.items()):
            if number > 0:
                self.numbers.setdefault(category_name(name), number)
        self._free = max(self.numbers.values()) + 1

    def number(self, name: str) -> int:
        """The number of a category, a new one if it has none."""
        name = category_name(name)
        if name not in self.numbers:
            self.numbers[name] = self._free
            self._free += 1
        return self.numbers[name]


def _category(number: int, name: str, taxa: Mapping[str, Taxon]) -> dict[str, Any]:
    taxon = taxa.get(name, Taxon(category=name))
    known = {"scientific_name": taxon.scientific_name, "rank": taxon.rank, "taxon_id": taxon.taxon_id}
    return {"id": number, "name": name, **{field: value for field, value in known.items() if value}}


def _info(source: ExportSource) -> dict[str, Any]:
    info = {
        "version": VERSION,
        "description": source.title or "camera-trap photographs",
        "date_created": source.created.isoformat(timespec="seconds"),
    }
    return info if source.model_version is None else {**info, "model_version": source.model_version}


def _image(image: ImageRecord, name: str) -> dict[str, Any]:
    record: dict[str, Any] = {"id": image.id, "file_name": name}
    if image.width and image.height:
        record |= {"width": image.width, "height": image.height}
    if image.datetime is not None:
        record["datetime"] = image.datetime.isoformat(sep=" ", timespec="seconds")
    if image.seq_id:
        record["seq_id"] = image.seq_id
        numbers = {"seq_num_frames": image.seq_num_frames, "frame_num": image.frame_num}
        record |= {field: number for field, number in numbers.items() if number is not None}
    if image.location:
        record["location"] = image.location
    if image.failure is not None:
        record["corrupt"] = True
    if image.source_id is not None:
        record["original_key"] = image.source_id
    return record


def _annotations(
    photograph: LabelledImage, categories: _Categories, report: ExportReport
) -> Iterator[dict[str, Any]]:
    """The annotations of a photograph: its boxes, and labels of the whole that no box covers."""
    image, detections = photograph.image, photograph.detections
    if image.failure is not None:
        return
    if photograph.whole is not None:
        if photograph.whole.category is not None:
            number = categories.number(photograph.whole.category)
            yield {"id": f"{image.id}-0", "image_id": image.id, "category_id": number}
        return
    shown = [detection for detection in detections if detection.answer.category != EMPTY]
    for detection in shown:
        answer = detection.answer
        if answer.unsure:
            report.note(f"detections that people are unsure of, as {UNCLASSIFIED}")
        for number, each in enumerate((answer, *answer.others)):
            yield {
                "id": f"{detection.record.id}-{number}" if number else detection.record.id,
                "image_id": image.id,
                "category_id": categories.number(each.category or UNCLASSIFIED),
                **_bbox(detection.record.box, image),
                **_said(each),
                **(_by_machine(each.basis, each.probability) if each.category else {}),
            }
    # If boxes of a kind (animals, people, vehicles) have answers, these replace labels of that kind.
    answered_kinds = {
        detection.record.detector_category
        for detection in detections
        if detection.answer.category is not None
    }
    unnamed = 0 if answered_kinds else sum(_is_unnamed(label) for label in photograph.labels)
    if unnamed:
        report.note("labels of photographs that nobody could name, left out", unnamed)
    labels = [
        (name, label)
        for name, label in _labels(photograph, is_seen=bool(shown or unnamed))
        if kind_of(name) not in answered_kinds
    ]
    for number, (name, label) in enumerate(labels):
        yield {
            "id": f"{image.id}-{number}",
            "image_id": image.id,
            "category_id": categories.number(name),
            **({"count": label.count} if label.count is not None else {}),
            **({"sequence_level_annotation": True} if label.level is Level.SEQUENCE else {}),
            **(_by_machine(Basis.WEAK, label.confidence) if label.weak else {}),
        }
    if not shown and not labels and not unnamed and (detections or photograph.detectors):
        # A detector that found nothing is a machine too; of several answers, a person's counts.
        bases = [detection.answer.basis for detection in detections] or [Basis.WEAK]
        yield {
            "id": f"{image.id}-empty",
            "image_id": image.id,
            "category_id": categories.number(EMPTY),
            **_by_machine(min(bases, key=list(Basis).index), None),
        }


def _labels(photograph: LabelledImage, *, is_seen: bool) -> list[tuple[str, SourceLabel]]:
    """The labels of the whole photograph by category, people before machines, photographs before sequences.

    `empty` is only among them if it is alone and `is_seen` is false. Several observations of one species by
    one classifier become one, with the sum of their individuals.
    """
    by_category: dict[str, SourceLabel] = {}
    for label in sorted(photograph.labels, key=lambda label: (label.level is Level.SEQUENCE, label.weak)):
        if label.category is None:
            continue
        first = by_category.setdefault(category_name(label.category), label)
        if label is not first and label.count is not None and _classifier(label) == _classifier(first):
            by_category[category_name(label.category)] = replace(
                first, count=(first.count or 0) + label.count
            )
    if is_seen or len(by_category) > 1:
        by_category.pop(EMPTY, None)
    return list(by_category.items())


def _classifier(label: SourceLabel) -> tuple[object, ...]:
    return label.level, label.source, label.weak, label.annotator


def _is_unnamed(label: SourceLabel) -> bool:
    return label.category is None and not label.is_unclassified


def _bbox(box: Box, image: ImageRecord) -> dict[str, list[float]]:
    """`bbox` in pixels if the size of the photograph is known, else `bbox_relative`; inside the frame."""
    if image.width and image.height:
        return {"bbox": _placed(box, image.width, image.height, DIGITS)}
    return {"bbox_relative": _placed(box, 1, 1, RELATIVE_DIGITS)}


def _placed(box: Box, width: int, height: int, digits: int) -> list[float]:
    """x, y, width and height, rounded unless that leaves no area."""
    corners = (box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height)
    x1, y1, x2, y2 = (round(value, digits) for value in corners)
    if x2 <= x1 or y2 <= y1:
        x1, y1, x2, y2 = corners
        return [x1, y1, x2 - x1, y2 - y1]
    return [x1, y1, round(x2 - x1, digits), round(y2 - y1, digits)]


def _said(answer: Answer) -> dict[str, Any]:
    """What people said beside the category, and how they gave it."""
    said = answer.attributes
    fields = {
        "count": said.count,
        "sex": said.sex,
        "age": said.age,
        "behaviour": list(said.behaviour),
        "comment": said.comment,
        "way": answer.way,
        "suggestion_kept": answer.kept,
    }
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _by_machine(basis: Basis, probability: float | None) -> dict[str, Any]:
    """The fields that mark an answer of a machine; none for an answer of people."""
    if basis not in _MACHINE:
        return {}
    return {"basis": basis.value, **({} if probability is None else {"probability": probability})}
