"""The rows of the observations table of events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.exporters.attributes import COMMENTS
from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.observation import BLANK, Observation, Taxa, join
from pipeline.exporters.camtrap_dp.observations import (
    OF_ANIMALS,
    OF_PACKAGES,
    Found,
    shows_something,
)
from pipeline.exporters.camtrap_dp.source_rows import of_image
from pipeline.exporters.individuals import individuals
from pipeline.exporters.source import Basis, LabelledDetection, LabelledImage
from pipeline.identity import digest
from pipeline.records import UNCLASSIFIED, Level, SourceLabel, Way

_Observations = dict[tuple[str, str], Observation]  # by `what`


@dataclass(kw_only=True)
class Event:
    """A sequence of one deployment, collected photograph by photograph."""

    id: str
    deployment: ExportedDeployment
    key: str  # from its first photograph
    start: dt.datetime  # the camera's clock
    end: dt.datetime
    event_id: str | None = None  # by which a package calls it, if that is another
    _labels: dict[tuple[str, str], SourceLabel] = field(default_factory=dict, init=False)  # by source and key
    _joined: _Observations = field(default_factory=dict, init=False)  # labels without a key
    _answers: _Observations = field(default_factory=dict, init=False)
    _counted: dict[tuple[str, str], int] = field(default_factory=dict, init=False)  # by people, by `what`
    _signed_off: list[Observation] = field(default_factory=list, init=False)  # blank by people
    _rows: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict, init=False)
    _by_people: bool = field(default=True, init=False)
    _boxes: int = field(default=0, init=False)
    _unnamed: int = field(default=0, init=False)  # boxes without a category
    _is_known: bool = field(default=True, init=False)  # all that is known of it is what a package said
    _is_read: bool = field(default=False, init=False)  # a photograph could be used

    def add(self, photograph: LabelledImage, time: dt.datetime, found: Iterable[Found], taxa: Taxa) -> None:
        """Add the next photograph, taken at `time` by the camera's clock, and its own observations."""
        self.start, self.end = min(self.start, time), max(self.end, time)
        self._is_read |= photograph.image.failure is None
        came = of_image(photograph.image)
        if came is not None:
            self._rows |= {(came.source, row.get("observationID", "")): row for row in came.events}
            self.event_id = self.event_id or came.event
        for label in photograph.labels:
            if label.level is Level.SEQUENCE and label.key:  # it is repeated with every photograph
                self._labels.setdefault((label.source, label.key), label)
            elif label.level is Level.SEQUENCE:
                join(self._joined, taxa.of_label(label))
        detections = photograph.detections
        self._boxes += len(detections)
        self._by_people &= all(detection.answer.basis is Basis.PEOPLE for detection in detections)
        self._is_known &= came is not None and all(
            detection.answer.basis in OF_PACKAGES and not detection.answer.unsure for detection in detections
        )
        answered = [detection for detection in detections if detection.answer.category is not None]
        self._unnamed += len(detections) - len(answered)
        observations = [
            (observation, detection)
            for detection in answered
            for observation in (taxa.of_detection(detection), *taxa.others_of(detection))
        ]
        counts = individuals(
            (observation.what, detection.record.detector, observation.count or 0)
            for observation, detection in observations
        )
        for observation, detection in observations:
            self._add_counted(observation, detection)
            join(
                self._answers,
                replace(
                    observation,
                    count=counts[observation.what] or None,
                    details=_of_sequence(detection),
                ),
            )
        for _, observation, box in found:
            if observation.kind == BLANK and photograph.whole is not None:
                self._signed_off.append(observation)
            elif not box and not observation.came and observation.kind != UNCLASSIFIED:
                join(self._answers, replace(observation, key="", details={}))

    def _add_counted(self, observation: Observation, detection: LabelledDetection) -> None:
        """Remember how many people counted in the sequence; of several such counts, the largest."""
        counted = detection.answer.attributes.sequence_count
        if counted is not None and observation.count:
            self._counted[observation.what] = max(counted, self._counted.get(observation.what, 0))

    def rows(self, taxa: Taxa) -> Iterator[tuple[str, Observation]]:
        """The observations of the event, each with an id: those of a source, else one for each species.

        A blank one is only among them if nothing else was seen or if a source has it as its own observation,
        and it is by people only if they looked at every photograph.
        An event of which nothing is known but what a package said is as the package has it.
        """
        zone = self.deployment.clock
        if not self._is_read:
            yield from (("", taxa.of_row(row, zone)) for row in self._rows.values())
            return
        labelled_by = {
            id_: taxa.of_row(self._rows[id_], zone, label.category)
            if id_ in self._rows
            else taxa.of_label(label)
            for id_, label in self._labels.items()
        }
        given = [*labelled_by.values(), *self._joined.values()]
        by_people = self._boxes > 0 and self._by_people
        labels = [each for each in given if not (by_people and each.kind in OF_ANIMALS)]
        answers = {} if self._is_known else dict(self._answers)
        if not any(each.kind == BLANK for each in self._answers.values()):
            for each in self._signed_off:
                join(answers, each)
        if answers:
            labels = [each for each in labels if each.kind != UNCLASSIFIED]
        labelled_as = {each.what for each in labels}
        others = [each for what, each in answers.items() if what not in labelled_as]
        seen = (self._unnamed > 0 and not self._is_known) or shows_something(others)
        labelled = shows_something(labels)
        observations = [
            each
            for each in (*others, *labels)
            if each.kind != BLANK or not (seen or (labelled and not each.key))
        ]
        rows_of = Counter(each.what for each in observations)
        for place, each in enumerate(sorted(observations, key=lambda each: (each.what, each.key))):
            yield f"{self.key}-{place}", each if rows_of[each.what] > 1 else self._as_counted(each)

    def _as_counted(self, observation: Observation) -> Observation:
        """The only observation of a species, with as many individuals as people counted in the sequence."""
        counted = self._counted.get(observation.what)
        if counted is None:
            return observation
        return replace(observation, count=counted, details={**observation.details, "count": str(counted)})


def _of_sequence(detection: LabelledDetection) -> dict[str, str]:
    """What people said of the whole sequence: the comment that they gave for all its crops."""
    answer = detection.answer
    comment = answer.attributes.columns.get(COMMENTS)
    return {COMMENTS: comment} if comment and answer.way is Way.SEQUENCE else {}


def event_of(photograph: LabelledImage, deployment: ExportedDeployment, time: dt.datetime) -> Event | None:
    """A new event that starts with a photograph, which is not added yet; None if it is of no sequence."""
    image = photograph.image
    if image.seq_id is None:
        return None
    key = digest("event", deployment.record.id, image.seq_id, image.id)
    return Event(id=image.seq_id, deployment=deployment, key=key, start=time, end=time)
