"""The rows of the observations table: of boxes, of whole photographs, and of events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.observation import ANIMAL, BLANK, UNKNOWN, Observation, Taxa, number
from pipeline.exporters.source import Basis, LabelledDetection, LabelledImage
from pipeline.identity import digest
from pipeline.records import UNCLASSIFIED, Level

Row = dict[str, str]
_Said = dict[tuple[str, str], Observation]  # by what is said, or by source and key
_LEAST_SIDE = 1e-15  # the standard's own minimum
# What people say of boxes overrules these; boxes of people may not be kept.
_OF_ANIMALS = (ANIMAL, BLANK, UNKNOWN, UNCLASSIFIED)


def of_medium(one: LabelledImage, words: Taxa) -> Iterator[tuple[str, Observation, Row]]:
    """What is observed on a photograph: the row's id, what it says, and the columns of its box.

    A row for each box, a row for each label of the source that no box tells, else that it is blank or
    that nobody looked.
    """
    rows = [(each.record.id, words.of_detection(each), _box(each)) for each in one.detections]
    boxes = [
        (said.what, each.record.detector) for (_, said, _), each in zip(rows, one.detections, strict=True)
    ]
    labels = [(label.source, words.of_label(label)) for label in one.labels if label.level is Level.IMAGE]
    seen = is_something(said for _, said, _ in rows)
    labelled = is_something(said for _, said in labels)
    by_people = all_by_people(one.detections)
    for place, (source, said) in enumerate(labels):
        # A source that tells boxes and observations without one means others by the latter.
        is_told = any(what == said.what and not (said.key and by == source) for what, by in boxes)
        is_blank = said.kind == BLANK and (seen or (labelled and not said.key))
        if not (is_told or is_blank or (by_people and said.kind in _OF_ANIMALS)):
            rows.append((f"{one.image.id}-{place + 1}", said, {}))
    if not rows:
        rows.append((f"{one.image.id}-0", _unlabelled(one), {}))
    yield from rows


def is_something(statements: Iterable[Observation]) -> bool:
    """Whether any says that there is something to see."""
    return any(said.kind not in (BLANK, UNCLASSIFIED) for said in statements)


def all_by_people(detections: Iterable[LabelledDetection]) -> bool:
    """Whether there are boxes and people answered each: what a source said of animals is then outdated."""
    bases = [each.answer.basis for each in detections]
    return bool(bases) and all(basis is Basis.PEOPLE for basis in bases)


@dataclass(kw_only=True)
class Event:
    """A sequence of one deployment, gathered photograph by photograph."""

    id: str
    camera: ExportedDeployment
    key: str  # of its first photograph
    start: dt.datetime  # the camera's clock
    end: dt.datetime
    _labels: _Said = field(default_factory=dict, init=False)
    _answers: _Said = field(default_factory=dict, init=False)
    _by_people: bool = field(default=True, init=False)
    _boxes: int = field(default=0, init=False)
    _unnamed: int = field(default=0, init=False)  # boxes of which nobody could or did say what they hold

    def add(self, one: LabelledImage, moment: dt.datetime, words: Taxa) -> None:
        """Take the next photograph in."""
        self.start, self.end = min(self.start, moment), max(self.end, moment)
        for label in one.labels:
            if label.level is not Level.SEQUENCE:
                continue
            if not label.key:
                _join(self._labels, words.of_label(label))
            elif (label.source, label.key) not in self._labels:  # it comes again with every photograph
                self._labels[label.source, label.key] = words.of_label(label)
        self._boxes += len(one.detections)
        self._by_people &= all(each.answer.basis is Basis.PEOPLE for each in one.detections)
        answered = [each for each in one.detections if each.answer.category is not None]
        self._unnamed += len(one.detections) - len(answered)
        statements = [words.of_detection(each) for each in answered]
        # Several detectors may have boxed one animal: the one that found most counts.
        boxed = Counter(
            (each.what, box.record.detector) for each, box in zip(statements, answered, strict=True)
        )
        individuals: Counter[tuple[str, str]] = Counter()
        for (what, _), found in boxed.items():
            individuals[what] = max(individuals[what], found)
        for each in statements:
            _join(self._answers, replace(each, count=individuals[each.what] if each.count else None))

    def rows(self) -> Iterator[tuple[str, Observation]]:
        """An id and what is said: one for each observation of a source, else for each species.

        A blank one where nothing else was seen, or where a source says so among others.
        """
        by_people = self._boxes > 0 and self._by_people
        labels = [said for said in self._labels.values() if not (by_people and said.kind in _OF_ANIMALS)]
        if self._answers:
            labels = [said for said in labels if said.kind != UNCLASSIFIED]
        told = {said.what for said in labels}
        answers = [said for what, said in self._answers.items() if what not in told]
        seen = self._unnamed > 0 or is_something(answers)
        labelled = is_something(labels)
        found = [
            said
            for said in (*answers, *labels)
            if said.kind != BLANK or not (seen or (labelled and not said.key))
        ]
        for place, said in enumerate(sorted(found, key=lambda said: (said.what, said.key))):
            yield f"{self.key}-{place}", said


def event_of(one: LabelledImage, camera: ExportedDeployment, moment: dt.datetime) -> Event | None:
    """A new event that begins with a photograph, which is yet to be added; None where it is of none."""
    if one.image.seq_id is None:
        return None
    key = digest("event", camera.record.id, one.image.seq_id, one.image.id)
    return Event(id=one.image.seq_id, camera=camera, key=key, start=moment, end=moment)


def _join(found: _Said, new: Observation) -> None:
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


def _unlabelled(one: LabelledImage) -> Observation:
    """A photograph without boxes and labels: a detector that looked says that it is blank."""
    if one.image.failure is None and one.detectors:
        return Observation(kind=BLANK, is_machine=True, by=one.detectors)
    return Observation(kind=UNCLASSIFIED)


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
