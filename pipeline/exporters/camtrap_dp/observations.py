"""The rows of the observations table: of boxes, of whole photographs, and of events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pipeline.exporters.camtrap_dp.cameras import Camera
from pipeline.exporters.camtrap_dp.statements import ANIMAL, BLANK, UNCLASSIFIED, Statement, Words, number
from pipeline.exporters.survey import Basis, LabelledDetection, LabelledImage
from pipeline.records import Level, digest

Row = dict[str, str]
_LEAST_SIDE = 1e-15  # the standard's own minimum
_OF_ANIMALS = (ANIMAL, BLANK)  # what people say of boxes overrules these; boxes of people may not be kept


def of_medium(one: LabelledImage, words: Words) -> Iterator[tuple[str, Statement, Row]]:
    """What is observed on a photograph: the row's id, what it says, and the columns of its box.

    A row for each box, a row for each label of the source that no box tells, else that it is blank or
    that nobody looked.
    """
    rows = [(each.record.id, words.of_detection(each), _box(each)) for each in one.detections]
    told = {statement.what for _, statement, _ in rows}
    labels = [words.of_label(label) for label in one.labels if label.level is Level.IMAGE]
    seen = any(kind not in (BLANK, UNCLASSIFIED) for kind, _ in told | {each.what for each in labels})
    by_people = all_by_people(one.detections)
    for place, label in enumerate(labels):
        is_outdated = (by_people and label.kind in _OF_ANIMALS) or (seen and label.kind == BLANK)
        if label.what not in told and not is_outdated:
            rows.append((f"{one.image.id}-{place + 1}", label, {}))
    if not rows:
        rows.append((f"{one.image.id}-0", _unlabelled(one), {}))
    yield from rows


def all_by_people(detections: Iterable[LabelledDetection]) -> bool:
    """Whether there are boxes and people answered each: what a source said of animals is then outdated."""
    bases = [each.answer.basis for each in detections]
    return bool(bases) and all(basis is Basis.PEOPLE for basis in bases)


@dataclass(kw_only=True)
class Event:
    """A sequence of one deployment, gathered photograph by photograph."""

    id: str
    camera: Camera
    key: str  # of its first photograph
    start: dt.datetime  # the camera's clock
    end: dt.datetime
    _labels: dict[tuple[str, str], Statement] = field(default_factory=dict, init=False)
    _answers: dict[tuple[str, str], Statement] = field(default_factory=dict, init=False)
    _by_people: bool = field(default=True, init=False)
    _boxes: int = field(default=0, init=False)
    _unnamed: int = field(default=0, init=False)  # boxes of which nobody could or did say what they hold

    def add(self, one: LabelledImage, moment: dt.datetime, words: Words) -> None:
        """Take the next photograph in."""
        self.start, self.end = min(self.start, moment), max(self.end, moment)
        for label in one.labels:
            if label.level is Level.SEQUENCE:
                _join(self._labels, words.of_label(label))
        self._boxes += len(one.detections)
        self._by_people &= all(each.answer.basis is Basis.PEOPLE for each in one.detections)
        answered = [each for each in one.detections if each.answer.category is not None]
        self._unnamed += len(one.detections) - len(answered)
        statements = [words.of_detection(each) for each in answered]
        individuals = Counter(each.what for each in statements)
        for each in statements:
            _join(self._answers, replace(each, count=individuals[each.what] if each.count else None))

    def rows(self) -> Iterator[tuple[str, Statement]]:
        """An id and what is said, one for each species; a blank one where nothing else was seen."""
        found = dict(self._answers)
        by_people = self._boxes > 0 and self._by_people
        for what, said in self._labels.items():
            if not (by_people and said.kind in _OF_ANIMALS):
                found[what] = said
        if self._unnamed or any(kind != BLANK for kind, _ in found):
            found = {what: said for what, said in found.items() if said.kind != BLANK}
        for place, what in enumerate(sorted(found)):
            yield f"{self.key}-{place}", found[what]


def event_of(one: LabelledImage, camera: Camera, moment: dt.datetime) -> Event | None:
    """A new event that begins with a photograph, which is yet to be added; None where it is of none."""
    if one.image.seq_id is None:
        return None
    key = digest("event", camera.record.id, one.image.seq_id, one.image.id)
    return Event(id=one.image.seq_id, camera=camera, key=key, start=moment, end=moment)


def _join(found: dict[tuple[str, str], Statement], new: Statement) -> None:
    """Two photographs of an event say the same: people before machines, the most individuals, the latest."""
    old = found.get(new.what)
    if old is None:
        found[new.what] = new
        return
    by_people = [each for each in (old, new) if not each.is_machine] or [old, new]
    times = [each.at for each in by_people if each.at is not None]
    sure = [each.probability for each in by_people if each.probability is not None]
    found[new.what] = replace(
        by_people[0],
        by=tuple(dict.fromkeys(name for each in by_people for name in each.by)),
        at=max(times, default=None),
        probability=max(sure, default=None),
        count=max((each.count for each in (old, new) if each.count is not None), default=None),
    )


def _unlabelled(one: LabelledImage) -> Statement:
    """A photograph without boxes and labels: a detector that looked says that it is blank."""
    if one.image.failure is None and one.detectors:
        return Statement(kind=BLANK, is_machine=True, by=one.detectors)
    return Statement(kind=UNCLASSIFIED)


def _box(one: LabelledDetection) -> Row:
    box = one.record.box
    tags = [f"detector:{one.record.detector}"]
    if one.record.bbox_confidence is not None:
        tags.append(f"bboxConfidence:{number(one.record.bbox_confidence)}")
    return {
        "bboxX": number(box.x1),
        "bboxY": number(box.y1),
        "bboxWidth": number(max(box.width, _LEAST_SIDE)),
        "bboxHeight": number(max(box.height, _LEAST_SIDE)),
        "observationTags": " | ".join(tags),
    }
