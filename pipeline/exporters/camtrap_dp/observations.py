"""The rows of the observations table: of boxes and of whole photographs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.camtrap_dp import box_of
from pipeline.exporters.camtrap_dp.observation import (
    ANIMAL,
    BLANK,
    UNKNOWN,
    Observation,
    Taxa,
    named_by,
)
from pipeline.exporters.camtrap_dp.source_rows import SourceRows, number, of_image
from pipeline.exporters.source import Basis, LabelledDetection, LabelledImage
from pipeline.identity import detection_id
from pipeline.records import UNCLASSIFIED, ImageRecord, Level, SourceLabel, category_name

Row = dict[str, str]
Found = tuple[str, Observation, Row]  # the id of an observation, itself, and the columns of its box
_LEAST_SIDE = 1e-15  # the standard's own minimum
_OF_SOURCES = (Basis.SOURCE, Basis.WEAK)
OF_PACKAGES = (*_OF_SOURCES, Basis.NONE)  # of answers that were given before the photographs came here
# Labels of these types are outdated once people have answered every box. There may be no boxes of people.
OF_ANIMALS = (ANIMAL, BLANK, UNKNOWN, UNCLASSIFIED)


def of_medium(photograph: LabelledImage, taxa: Taxa, zone: dt.tzinfo) -> Iterator[Found]:
    """The observations on a photograph: each one's id, itself, and the columns of its box.

    One for each box and one for each label of the source that no box covers; if there are none, one that
    the photograph is blank or unclassified. What a package said comes as it came where nobody has answered
    since.
    """
    image_id = photograph.image.id
    came = of_image(photograph.image)
    boxes = _Boxes(photograph, came, taxa, zone)
    labels = [
        (label, _of_label(label, came, taxa, zone))
        for label in photograph.labels
        if label.level is Level.IMAGE and photograph.whole is None
    ]
    seen = shows_something(observation for _, observation, _ in boxes.rows)
    labelled = shows_something(observation for _, observation in labels)
    by_people = all_by_people(photograph.detections)
    rows: list[Found] = []
    for position, (label, observation) in enumerate(labels, start=1):
        is_boxed = boxes.tell(label, observation)
        is_blank = observation.kind == BLANK and (seen or (labelled and not observation.key))
        if not (is_boxed or is_blank or (by_people and observation.kind in OF_ANIMALS)):
            rows.append((f"{image_id}-{position}", observation, {}))
    rows = [*boxes.rows, *rows]
    if came is not None:
        rows += _unlabelled_rows(photograph, came, rows, taxa, zone)
    unlabelled = _unlabelled(photograph, taxa)
    if not rows and (came is None or unlabelled.kind == BLANK):
        rows.append((f"{image_id}-0", unlabelled, {}))
    yield from rows


class _Boxes:
    """The observations of a photograph's boxes."""

    def __init__(
        self, photograph: LabelledImage, came: SourceRows | None, taxa: Taxa, zone: dt.tzinfo
    ) -> None:
        self._came, self._taxa, self._zone = came, taxa, zone
        self._detections: list[LabelledDetection | None] = []  # of each row
        self.rows: list[Found] = []
        boxed = _boxed_rows(photograph.image, came)
        for detection in photograph.detections:
            of_box = boxed.pop(detection.record.id, [])
            for observation in self._of_box(detection, of_box):
                self._detections.append(detection)
                self.rows.append((detection.record.id, observation, _box(detection)))
            for place, observation in enumerate(taxa.others_of(detection), start=1):
                self._detections.append(detection)
                self.rows.append((f"{detection.record.id}-{place}", observation, _box(detection)))
        if came is not None and (came.source in photograph.detectors or photograph.image.failure):
            for row in (row for of_box in boxed.values() for row in of_box):  # no box of them was kept
                self._detections.append(None)
                self.rows.append(("", taxa.of_row(row, zone), {}))

    def tell(self, label: SourceLabel, observation: Observation) -> bool:
        """Whether boxes tell this label of the photograph, so that it needs no row of its own.

        If a source has boxes, its observations without a box are of other animals. What a package says of
        an observation goes to the first of its boxes.
        """
        places = [
            place
            for place, ((_, boxed, _), detection) in enumerate(zip(self.rows, self._detections, strict=True))
            if boxed.what == observation.what
            and not (observation.key and (detection is None or detection.record.detector == label.source))
        ]
        row = self._came.own(observation.key) if self._came and self._came.source == label.source else None
        for place in places[:1] if row is not None else ():
            id_, boxed, box = self.rows[place]
            if boxed.came or row is None:
                continue
            detection = self._detections[place]
            by_source = detection is not None and detection.answer.basis in _OF_SOURCES
            told = observation if by_source else self._taxa.renewed(boxed, row, self._zone)
            counted = boxed.details.get("count")  # by people, in this box
            count = counted or max(1, int(told.details.get("count") or 1) - len(places) + 1)
            tags = " | ".join(filter(None, (told.details.get("observationTags"), box["observationTags"])))
            details = {**told.details, **box, "observationTags": tags, "count": str(count)}
            self.rows[place] = (id_, replace(told, details=details, came=False), box)
        return bool(places)

    def _of_box(
        self, detection: LabelledDetection, rows: Sequence[Mapping[str, str]]
    ) -> Iterator[Observation]:
        """The observations of a box: those of its package if nobody has answered since."""
        if not rows:
            yield self._taxa.of_detection(detection)
            return
        answer = detection.answer
        first = next((row for row in rows if named_by(row) is not None), rows[0])
        voted = category_name(named_by(first) or "")
        authors = {first.get("classifiedBy"), self._came.source if self._came is not None else None}
        is_disputed = answer.basis is Basis.NONE and voted != ""
        if answer.basis in OF_PACKAGES and not is_disputed and authors.issuperset(answer.by):
            for row in rows:
                is_voted = category_name(named_by(row) or "") == voted
                yield self._taxa.of_row(row, self._zone, answer.category if is_voted else None)
            return
        yield self._taxa.renewed(self._taxa.of_detection(detection), first, self._zone)


def _boxed_rows(image: ImageRecord, came: SourceRows | None) -> dict[str, list[Mapping[str, str]]]:
    """The rows of a package that have a box, by the id that its detection has."""
    boxed: dict[str, list[Mapping[str, str]]] = {}
    for row in came.observations if came is not None else ():
        box = box_of(row)
        if came is not None and box is not None:
            boxed.setdefault(detection_id(image.id, came.source, box), []).append(row)
    return boxed


def _of_label(label: SourceLabel, came: SourceRows | None, taxa: Taxa, zone: dt.tzinfo) -> Observation:
    row = came.own(label.key) if came is not None and came.source == label.source else None
    return taxa.of_label(label) if row is None else taxa.of_row(row, zone, label.category)


def _unlabelled_rows(
    photograph: LabelledImage,
    came: SourceRows,
    rows: Sequence[Found],
    taxa: Taxa,
    zone: dt.tzinfo,
) -> list[Found]:
    """What a package says without a box and the store has no label of.

    That nobody classified the photograph, unless somebody has since; everything, if the file could not be
    used.
    """
    written = {observation.key for _, observation, _ in rows}
    others = [row for row in came.observations if row.get("observationID") not in written]
    observations = [taxa.of_row(row, zone) for row in others if box_of(row) is None]
    if photograph.image.failure is None:
        answered = any(not each.came and each.kind != UNCLASSIFIED for _, each, _ in rows)
        observations = [each for each in observations if each.kind == UNCLASSIFIED and not answered]
    return [("", observation, {}) for observation in observations]


def shows_something(observations: Iterable[Observation]) -> bool:
    """Whether any observation is of something."""
    return any(observation.kind not in (BLANK, UNCLASSIFIED) for observation in observations)


def all_by_people(detections: Iterable[LabelledDetection]) -> bool:
    """Whether there are boxes and people answered each: a source's labels of animals are then outdated."""
    bases = [detection.answer.basis for detection in detections]
    return bool(bases) and all(basis is Basis.PEOPLE for basis in bases)


def _unlabelled(photograph: LabelledImage, taxa: Taxa) -> Observation:
    """The observation of a photograph without boxes and labels: blank if a detector looked at it."""
    if photograph.whole is not None:
        return taxa.of_whole(photograph.whole)
    if photograph.image.failure is None and photograph.detectors:
        return Observation(kind=BLANK, is_machine=True, by=photograph.detectors)
    return Observation(kind=UNCLASSIFIED)


def _box(detection: LabelledDetection) -> Row:
    record, box = detection.record, detection.record.box
    tags = [f"detector:{record.detector}"]
    if record.bbox_confidence is not None:
        tags.append(f"bboxConfidence:{number(record.bbox_confidence)}")
    if detection.answer.way is not None:
        tags.append(f"way:{detection.answer.way}")
    if detection.answer.kept is not None:
        tags.append(f"suggestion:{'kept' if detection.answer.kept else 'changed'}")
    return {
        "bboxX": number(box.x1),
        "bboxY": number(box.y1),
        "bboxWidth": number(max(box.width, _LEAST_SIDE)),
        "bboxHeight": number(max(box.height, _LEAST_SIDE)),
        "observationTags": " | ".join(tags),
    }
