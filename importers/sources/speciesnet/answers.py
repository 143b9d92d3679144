"""What SpeciesNet says of a photograph: its boxes, each with an answer, or one answer for the photograph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from importers.detectors.detector import DetectedBox
from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.classes import class_of
from importers.reading.fractions import box_of, confidence_in, confidence_of, highest
from importers.reading.json_file import shown
from importers.reading.paths import as_text
from pipeline.records import ANIMAL, PERSON, VEHICLE, Level, SourceLabel
from pipeline.vocabulary import kind_of

WHOLE_FRAME = "0"  # not a box: the classifier of whole photographs writes its answer there
_CATEGORIES = {"1": ANIMAL, "2": PERSON, "3": VEHICLE}


class Answer(NamedTuple):
    """A class of the model, and how sure it is."""

    text: str
    score: Any  # not checked


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What SpeciesNet found on one photograph."""

    boxes: tuple[DetectedBox, ...]
    unread: float | None  # the highest confidence of a detection that cannot be read; 1 if all is unknown
    labels: tuple[SourceLabel, ...] = ()  # of the photograph


def answers_in(element: Mapping[str, Any]) -> Iterator[Any]:
    """Everything in a prediction that may be an answer: of the photograph, and of its boxes."""
    yield element
    detections = element.get("detections")
    for detection in detections if isinstance(detections, list) else ():
        if isinstance(detection, dict):
            yield detection.get("processed_classification")


def answer_of(given: Any) -> Answer | None:
    """The answer of `processed_classification`, or of a prediction in the old format; None if it has none."""
    if not isinstance(given, dict):
        return None
    for text, score in (("class", "score"), ("prediction", "prediction_score")):
        if isinstance(given.get(text), str):
            return Answer(as_text(given[text]), given.get(score))
    return None


class Reader:
    """Reads what predictions say; bad values are counted, and cost nothing but themselves."""

    def __init__(self, report: ImportReport, threshold: float) -> None:
        """`threshold` is the least confidence of boxes that the import keeps."""
        self._report = report
        self._threshold = threshold

    def seen(
        self, element: Mapping[str, Any], label: SourceLabel, where: str, *, is_classified: bool
    ) -> Seen:
        """The boxes and labels of a prediction, whose labels are like `label`.

        `is_classified` is whether the classifier did not fail: if it did, there are boxes alone, and a
        photograph without one is not empty.
        """
        given = element.get("detections")
        unread = None if isinstance(given, list) and is_classified else 1.0
        whole = answer_of(element)
        boxes: list[DetectedBox] = []
        for place, detection in enumerate(given if isinstance(given, list) else ()):
            at = f"{where}: detection {place}"
            answer = (
                answer_of(detection.get("processed_classification")) if isinstance(detection, dict) else None
            )
            if isinstance(detection, dict) and detection.get("category") == WHOLE_FRAME:
                whole = whole or answer
                continue
            try:
                box = _box(detection)
            except BadRecord as exc:
                self._report.leave_out(at, exc.kind, exc.what)
                unread = highest(unread, confidence_in(detection))
                continue
            own = self._label(answer, replace(label, level=Level.BOX), at) if is_classified else None
            boxes.append(box if own is None else replace(box, labels=(own,)))
        is_answered = not is_classified or any(box.labels for box in boxes)
        of_photograph = None if is_answered else self._label(whole, label, where)
        if boxes and of_photograph is not None:
            boxes, of_photograph = self._placed(boxes, of_photograph)
        labels = () if of_photograph is None else (of_photograph,)
        return Seen(boxes=tuple(boxes), unread=unread, labels=labels)

    def _placed(
        self, boxes: list[DetectedBox], label: SourceLabel
    ) -> tuple[list[DetectedBox], SourceLabel | None]:
        """The answer for a photograph, at its most confident box of that kind; else of the photograph."""
        kind = kind_of(label.category or ANIMAL)
        alike = [box for box in boxes if box.category == kind and box.confidence >= self._threshold]
        if not alike:
            return boxes, label
        top = max(alike, key=lambda box: box.confidence)
        at_box = replace(label, level=Level.BOX)
        return [replace(box, labels=(at_box,)) if box is top else box for box in boxes], None

    def _label(self, answer: Answer | None, label: SourceLabel, where: str) -> SourceLabel | None:
        """The label of an answer; None if it names nothing."""
        category = None if answer is None else class_of(answer.text).category
        if answer is None or category is None:
            return None
        try:
            confidence = confidence_of(answer.score, "score")
        except BadRecord as exc:
            self._report.leave_out(where, exc.kind, exc.what)
            confidence = None
        return replace(label, category=category, confidence=confidence)


def _box(detection: Any) -> DetectedBox:
    """The box of a detection. Raises BadRecord."""
    if not isinstance(detection, dict):
        raise BadRecord("box", f"{shown(detection)} is not an object")
    category = detection.get("category")
    if not isinstance(category, str) or category not in _CATEGORIES:
        raise BadRecord("box", f"category {shown(category)} is not one of {', '.join(_CATEGORIES)}")
    box = box_of(detection.get("bbox"))
    if box is None:
        raise BadRecord("box", f"bbox {shown(detection['bbox'])} has no area within the frame")
    return DetectedBox(
        box=box, confidence=confidence_of(detection.get("conf"), "conf"), category=_CATEGORIES[category]
    )
