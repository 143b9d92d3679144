"""COCO Camera Traps: one JSON file that tools of the field and `wildloop import coco` read."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pipeline.exporters.names import free_name
from pipeline.exporters.source import Basis, ExportReport, ExportSource, LabelledImage
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY, Box, ImageRecord, Level, SourceLabel, category_name
from pipeline.vocabulary import kind_of

VERSION = "1.0"
UNCLASSIFIED = "unclassified"  # the category of boxes without an answer
DIGITS = 4  # of a box: ten-thousandths of a pixel
RELATIVE_DIGITS = 7  # the same in fractions of the frame
_MACHINE = (Basis.MODEL, Basis.WEAK)


def write(out: Path, survey: ExportSource) -> ExportReport:
    """Write the survey to the file `out`, which is there whole or not at all.

    Detections are annotations with boxes: in pixels where the photograph's size is known, else in
    fractions of the frame. Those answered `empty` are left out; a photograph that has no other is
    annotated `empty` as a whole. What a machine answered carries `basis` and `probability`. Photographs
    that nobody looked at have no annotation, failed ones are `corrupt`. Raises ExportError.
    """
    report = ExportReport(path=str(out))
    categories = _Categories(survey.categories)
    names: set[int] = set()
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8") as file:
        # The list of annotations follows that of the images, and waits in a file of its own till then.
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=draft.parent) as spool:
            file.write(f'{{"info": {json.dumps(_info(survey))},\n"images": [')
            images, annotations = JsonList(file), JsonList(spool)
            for one in survey.photographs():
                name = free_name(one.image, names, report)
                if name is None:
                    continue
                images.add(_image(one.image, name))
                for annotation in _annotations(one, categories, report):
                    annotations.add(annotation)
                report.count(one)
            file.write('],\n"annotations": [')
            spool.seek(0)
            shutil.copyfileobj(spool, file)
        named = [{"id": number, "name": name} for name, number in categories.numbers.items()]
        file.write(f'],\n"categories": {json.dumps(named)}}}\n')
    return report


class JsonList:
    """Records of a JSON list, written one a line."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._before = "\n"

    def add(self, record: Mapping[str, Any]) -> None:
        """Write one more."""
        self._file.write(self._before + json.dumps(record))
        self._before = ",\n"


class _Categories:
    """Numbers by name: the survey's own, `empty` 0, and new ones for names that it lacks."""

    def __init__(self, given: Mapping[int, str]) -> None:
        self.numbers = {EMPTY: 0}
        for number, name in sorted(given.items()):
            if number > 0:
                self.numbers.setdefault(category_name(name), number)
        self._free = max(self.numbers.values()) + 1

    def number(self, name: str) -> int:
        """The number of a category, a new one where it has none."""
        name = category_name(name)
        if name not in self.numbers:
            self.numbers[name] = self._free
            self._free += 1
        return self.numbers[name]


def _info(survey: ExportSource) -> dict[str, Any]:
    info = {
        "version": VERSION,
        "description": survey.title or "camera-trap photographs",
        "date_created": survey.created.isoformat(timespec="seconds"),
    }
    return info if survey.model_version is None else {**info, "model_version": survey.model_version}


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
    one: LabelledImage, categories: _Categories, report: ExportReport
) -> Iterator[dict[str, Any]]:
    """The annotations of a photograph: its boxes, else what is said of the whole of it."""
    if one.image.failure is not None:
        return
    shown = [each for each in one.detections if each.answer.category != EMPTY]
    for each in shown:
        answer = each.answer
        if answer.unsure:
            report.note(f"detections that people are unsure of, as {UNCLASSIFIED}")
        yield {
            "id": each.record.id,
            "image_id": one.image.id,
            "category_id": categories.number(answer.category or UNCLASSIFIED),
            **_bbox(each.record.box, one.image),
            **(_by_machine(answer.basis, answer.probability) if answer.category else {}),
        }
    # Where boxes of a kind (animals, people, vehicles) have answers, these tell what there is of the kind.
    told = {each.record.detector_category for each in one.detections if each.answer.category is not None}
    answered = bool(told)
    unnamed = 0 if answered else sum(_is_unnamed(label) for label in one.labels)
    if unnamed:
        report.note("labels of photographs that nobody could name, left out", unnamed)
    labels = [
        (name, label)
        for name, label in _labels(one, is_seen=bool(shown or unnamed))
        if kind_of(name) not in told
    ]
    for number, (name, label) in enumerate(labels):
        yield {
            "id": f"{one.image.id}-{number}",
            "image_id": one.image.id,
            "category_id": categories.number(name),
            **({"count": label.count} if label.count is not None else {}),
            **({"sequence_level_annotation": True} if label.level is Level.SEQUENCE else {}),
            **(_by_machine(Basis.WEAK, label.confidence) if label.weak else {}),
        }
    if not shown and not labels and not unnamed and (one.detections or one.detectors):
        # A detector that found nothing is a machine too; of several answers a person's counts.
        bases = [each.answer.basis for each in one.detections] or [Basis.WEAK]
        yield {
            "id": f"{one.image.id}-empty",
            "image_id": one.image.id,
            "category_id": categories.number(EMPTY),
            **_by_machine(min(bases, key=list(Basis).index), None),
        }


def _labels(one: LabelledImage, *, is_seen: bool) -> list[tuple[str, SourceLabel]]:
    """What the sources say of the whole photograph: each species once, people before machines.

    A photograph before its sequence. `empty` only where nothing else is said and `is_seen` is false.
    Several observations of one species by one classifier are one, of all their individuals.
    """
    found: dict[str, SourceLabel] = {}
    for label in sorted(one.labels, key=lambda label: (label.level is Level.SEQUENCE, label.weak)):
        if label.category is None:
            continue
        first = found.setdefault(category_name(label.category), label)
        if label is not first and label.count is not None and _classifier(label) == _classifier(first):
            together = replace(first, count=(first.count or 0) + label.count)
            found[category_name(label.category)] = together
    if is_seen or len(found) > 1:
        found.pop(EMPTY, None)
    return list(found.items())


def _classifier(label: SourceLabel) -> tuple[object, ...]:
    return label.level, label.source, label.weak, label.annotator


def _is_unnamed(label: SourceLabel) -> bool:
    return label.category is None and not label.is_unclassified


def _bbox(box: Box, image: ImageRecord) -> dict[str, list[float]]:
    """`bbox` in pixels where the photograph's size is known, else `bbox_relative`; inside the frame."""
    if image.width and image.height:
        return {"bbox": _placed(box, image.width, image.height, DIGITS)}
    return {"bbox_relative": _placed(box, 1, 1, RELATIVE_DIGITS)}


def _placed(box: Box, width: int, height: int, digits: int) -> list[float]:
    """x, y, width and height, rounded where that leaves an area."""
    corners = (box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height)
    x1, y1, x2, y2 = (round(value, digits) for value in corners)
    if x2 <= x1 or y2 <= y1:
        x1, y1, x2, y2 = corners
        return [x1, y1, x2 - x1, y2 - y1]
    return [x1, y1, round(x2 - x1, digits), round(y2 - y1, digits)]


def _by_machine(basis: Basis, probability: float | None) -> dict[str, Any]:
    """What sets a machine's answer apart from a person's; nothing for the latter."""
    if basis not in _MACHINE:
        return {}
    return {"basis": basis.value, **({} if probability is None else {"probability": probability})}
