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
_Observations = dict[tuple[str, str], Observation]  # by `what`, or by source and key
_LEAST_SIDE = 1e-15  # the standard's own minimum
# Labels of these types are outdated once people have answered every box. There may be no boxes of people.
_OF_ANIMALS = (ANIMAL, BLANK, UNKNOWN, UNCLASSIFIED)


def of_medium(photograph: LabelledImage, taxa: Taxa) -> Iterator[tuple[str, Observation, Row]]:
    """The observations on a photograph: each one's id, itself, and the columns of its box.

    One for each box and one for each label of the source that no box covers; if there are none, one that
    the photograph is blank or unclassified.
    """
    detections, image_id = photograph.detections, photograph.image.id
    rows = [(detection.record.id, taxa.of_detection(detection), _box(detection)) for detection in detections]
    boxes = [
        (observation.what, detection.record.detector)
        for (_, observation, _), detection in zip(rows, detections, strict=True)
    ]
    labels = [
        (label.source, taxa.of_label(label)) for label in photograph.labels if label.level is Level.IMAGE
    ]
    seen = shows_something(observation for _, observation, _ in rows)
    labelled = shows_something(observation for _, observation in labels)
    by_people = all_by_people(detections)
    for position, (source, observation) in enumerate(labels, start=1):
        # If a source has boxes, its observations without a box are of other animals.
        is_boxed = any(
            what == observation.what and not (observation.key and by == source) for what, by in boxes
        )
        is_blank = observation.kind == BLANK and (seen or (labelled and not observation.key))
        if not (is_boxed or is_blank or (by_people and observation.kind in _OF_ANIMALS)):
            rows.append((f"{image_id}-{position}", observation, {}))
    if not rows:
        rows.append((f"{image_id}-0", _unlabelled(photograph), {}))
    yield from rows


def shows_something(observations: Iterable[Observation]) -> bool:
    """Whether any observation is of something."""
    return any(observation.kind not in (BLANK, UNCLASSIFIED) for observation in observations)


def all_by_people(detections: Iterable[LabelledDetection]) -> bool:
    """Whether there are boxes and people answered each: a source's labels of animals are then outdated."""
    bases = [detection.answer.basis for detection in detections]
    return bool(bases) and all(basis is Basis.PEOPLE for basis in bases)


@dataclass(kw_only=True)
class Event:
    """A sequence of one deployment, collected photograph by photograph."""

    id: str
    deployment: ExportedDeployment
    key: str  # from its first photograph
    start: dt.datetime  # the camera's clock
    end: dt.datetime
    _labels: _Observations = field(default_factory=dict, init=False)
    _answers: _Observations = field(default_factory=dict, init=False)
    _by_people: bool = field(default=True, init=False)
    _boxes: int = field(default=0, init=False)
    _unnamed: int = field(default=0, init=False)  # boxes without a category

    def add(self, photograph: LabelledImage, time: dt.datetime, taxa: Taxa) -> None:
        """Add the next photograph, taken at `time` by the camera's clock."""
        self.start, self.end = min(self.start, time), max(self.end, time)
        for label in photograph.labels:
            if label.level is not Level.SEQUENCE:
                continue
            if not label.key:
                _join(self._labels, taxa.of_label(label))
            elif (label.source, label.key) not in self._labels:  # it is repeated with every photograph
                self._labels[label.source, label.key] = taxa.of_label(label)
        detections = photograph.detections
        self._boxes += len(detections)
        self._by_people &= all(detection.answer.basis is Basis.PEOPLE for detection in detections)
        answered = [detection for detection in detections if detection.answer.category is not None]
        self._unnamed += len(detections) - len(answered)
        observations = [taxa.of_detection(detection) for detection in answered]
        # Several detectors may have found one animal: the detector with most boxes counts.
        boxes = Counter(
            (observation.what, detection.record.detector)
            for observation, detection in zip(observations, answered, strict=True)
        )
        individuals: Counter[tuple[str, str]] = Counter()
        for (what, _), count in boxes.items():
            individuals[what] = max(individuals[what], count)
        for observation in observations:
            count_of = individuals[observation.what] if observation.count else None
            _join(self._answers, replace(observation, count=count_of))

    def rows(self) -> Iterator[tuple[str, Observation]]:
        """The observations of the event, each with an id: those of a source, else one for each species.

        A blank one is only among them if nothing else was seen or if a source has it as its own observation.
        """
        by_people = self._boxes > 0 and self._by_people
        labels = [each for each in self._labels.values() if not (by_people and each.kind in _OF_ANIMALS)]
        if self._answers:
            labels = [each for each in labels if each.kind != UNCLASSIFIED]
        labelled_as = {each.what for each in labels}
        answers = [each for what, each in self._answers.items() if what not in labelled_as]
        seen = self._unnamed > 0 or shows_something(answers)
        labelled = shows_something(labels)
        observations = [
            each
            for each in (*answers, *labels)
            if each.kind != BLANK or not (seen or (labelled and not each.key))
        ]
        for place, each in enumerate(sorted(observations, key=lambda each: (each.what, each.key))):
            yield f"{self.key}-{place}", each


def event_of(photograph: LabelledImage, deployment: ExportedDeployment, time: dt.datetime) -> Event | None:
    """A new event that starts with a photograph, which is not added yet; None if it is of no sequence."""
    image = photograph.image
    if image.seq_id is None:
        return None
    key = digest("event", deployment.record.id, image.seq_id, image.id)
    return Event(id=image.seq_id, deployment=deployment, key=key, start=time, end=time)


def _join(observations: _Observations, new: Observation) -> None:
    """Add an observation; with an equal one of the event, it becomes one of people or else of machines.

    That has the most individuals, the latest time and the highest probability.
    """
    old = observations.get(new.what)
    if old is None:
        observations[new.what] = new
        return
    counted = [each for each in (old, new) if not each.is_machine] or [old, new]
    times = [each.at for each in counted if each.at is not None]
    probabilities = [each.probability for each in counted if each.probability is not None]
    observations[new.what] = replace(
        counted[0],
        by=tuple(dict.fromkeys(name for each in counted for name in each.by)),
        at=max(times, default=None),
        probability=max(probabilities, default=None),
        count=max((each.count for each in (old, new) if each.count is not None), default=None),
    )


def _unlabelled(photograph: LabelledImage) -> Observation:
    """The observation of a photograph without boxes and labels: blank if a detector looked at it."""
    if photograph.image.failure is None and photograph.detectors:
        return Observation(kind=BLANK, is_machine=True, by=photograph.detectors)
    return Observation(kind=UNCLASSIFIED)


def _box(detection: LabelledDetection) -> Row:
    record, box = detection.record, detection.record.box
    tags = [f"detector:{record.detector}"]
    if record.bbox_confidence is not None:
        tags.append(f"bboxConfidence:{number(record.bbox_confidence)}")
    return {
        "bboxX": number(box.x1),
        "bboxY": number(box.y1),
        "bboxWidth": number(max(box.width, _LEAST_SIDE)),
        "bboxHeight": number(max(box.height, _LEAST_SIDE)),
        "observationTags": " | ".join(tags),
    }
