"""Labels that come with a source -> image labels, and votes in the oracle with the source as provenance."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.identity import digest
from pipeline.oracle import CurrentLabel, OracleEntry, current_label
from pipeline.records import (
    ANIMAL,
    AnnotationRecord,
    DetectionRecord,
    Level,
    SourceLabel,
    Verdict,
    category_name,
    utc_now,
)
from pipeline.store import categories, detections, image_labels, oracle
from pipeline.vocabulary import kind_of


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A photograph with what its source says of it."""

    image_id: str
    is_new: bool  # it and its detections were not in the store
    detections: Sequence[DetectionRecord]  # those that the source brings or that were found now
    labels: Sequence[SourceLabel]  # of the whole photograph or its sequence
    box_labels: Mapping[str, Sequence[SourceLabel]]  # by detection id


class Labels:
    """Writes labels; remembers the numbers of the species that it met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def settle(self, conn: sa.Connection, batch: Sequence[Labelled]) -> dict[str, list[AnnotationRecord]]:
        """The votes that follow for detections of new photographs, by detection id."""
        self._learn(conn, batch)
        found: dict[str, list[AnnotationRecord]] = {}
        for one in batch:
            if one.is_new and (one.labels or one.box_labels):
                for vote in self._votes(one.detections, one.labels, one.box_labels):
                    found.setdefault(vote.detection_id, []).append(vote)
        return found

    def write(
        self, conn: sa.Connection, batch: Sequence[Labelled], first: Mapping[str, list[AnnotationRecord]]
    ) -> int:
        """Write the labels of a batch whose photographs and detections are stored; how many were new.

        `first` is what `settle` answered.
        """
        known = [one for one in batch if not one.is_new]
        image_labels.remove_others(conn, {one.image_id: one.labels for one in known if one.labels})
        given = ((one.image_id, label) for one in batch for label in one.labels)
        new = image_labels.add(conn, given, self._numbers)
        voted = oracle.add_first_revisions(conn, (vote for votes in first.values() for vote in votes))
        return new + voted + self._spread(conn, known)

    def _spread(self, conn: sa.Connection, known: Sequence[Labelled]) -> int:
        """Votes for photographs that were in the store: labels may have come before boxes, or after.

        What followed from something else that a source said before is taken back.
        """
        stored = image_labels.by_image(conn, (one.image_id for one in known))
        boxes = detections.of_images(conn, stored)
        self._numbers |= {name: number for number, name in categories.names(conn).items()} if stored else {}
        votes: list[AnnotationRecord] = []
        for one in known:
            drawn = boxes.get(one.image_id, one.detections)
            votes += self._votes(drawn, stored.get(one.image_id, ()), one.box_labels)
        voted = {vote.annotation_uid for vote in votes}
        votes += [
            _taken_back(box.id, source)
            for one in known
            for source in {label.source for label in one.labels}
            for box in boxes.get(one.image_id, ())
            if _uid(source, box.id) not in voted
        ]
        new = oracle.append(conn, votes) if votes else 0
        if new:
            oracle.update_labels(conn, {vote.detection_id for vote in votes})
        return new

    def _votes(
        self,
        boxes: Sequence[DetectionRecord],
        labels: Sequence[SourceLabel],
        box_labels: Mapping[str, Sequence[SourceLabel]],
    ) -> Iterator[AnnotationRecord]:
        """One vote for each source and detection: the box's own label, else the photograph's only one."""
        now = utc_now()
        for detection, own in box_labels.items():
            named = [label for label in own if label.category is not None]
            for label in {label.source: label for label in reversed(named)}.values():
                yield self._vote(detection, label, now)
        if not labels:
            return
        for box in boxes:
            spoken = {label.source for label in box_labels.get(box.id, ())}
            for label in only_ones(labels, box.detector_category):
                if label.source not in spoken:
                    yield self._vote(box.id, label, now)

    def _vote(self, detection_id: str, label: SourceLabel, now: dt.datetime) -> AnnotationRecord:
        """What a label that names something says of a detection."""
        return AnnotationRecord(
            project_id=None,
            detection_id=detection_id,
            annotation_uid=_uid(label.source, detection_id),
            annotation_id=None,
            task_id=None,
            verdict=Verdict.WEAK if label.weak else Verdict.LABEL,
            label=self._numbers[label.category or ""],
            annotator=label.annotator,
            annotated_at=label.annotated_at or now,
            source=label.source,
            confidence=label.confidence,
        )

    def _learn(self, conn: sa.Connection, batch: Iterable[Labelled]) -> None:
        met = {label.category for one in batch for label in one.labels}
        met |= {label.category for one in batch for own in one.box_labels.values() for label in own}
        unknown = sorted(name for name in met if name is not None and name not in self._numbers)
        if unknown:
            numbers = categories.ensure(conn, unknown)
            self._numbers |= {name: numbers[category_name(name)] for name in unknown}


def _taken_back(detection_id: str, source: str) -> AnnotationRecord:
    """That a source says nothing of a detection any more; no news where it never did."""
    return AnnotationRecord(
        project_id=None,
        detection_id=detection_id,
        annotation_uid=_uid(source, detection_id),
        annotation_id=None,
        task_id=None,
        verdict=Verdict.DELETED,
        label=None,
        annotator=None,
        annotated_at=utc_now(),
        source=source,
    )


def _uid(source: str, detection_id: str) -> str:
    return digest(source, detection_id)


def with_label(box: DetectionRecord, votes: Sequence[AnnotationRecord]) -> DetectionRecord:
    """The detection with the label that follows from its first votes, as `oracle.update_labels` writes it."""
    said = tuple((vote.source, vote.verdict, vote.label, vote.confidence) for vote in votes)
    return oracle.with_label(box, _answer(said))


@functools.lru_cache(maxsize=4096)
def _answer(said: tuple[tuple[str, Verdict, int | None, float | None], ...]) -> CurrentLabel:
    """The rule's answer to votes of several sources, given at once."""
    return current_label(
        OracleEntry(
            annotation_uid=source,
            revision=1,
            verdict=verdict,
            label=label,
            annotator=None,
            annotated_at=_EPOCH,
            source=source,
            confidence=confidence,
        )
        for source, verdict, label, confidence in said
    )


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)  # any moment: they are all one age


def only_ones(labels: Iterable[SourceLabel], kind: str) -> list[SourceLabel]:
    """Of each source the one label that a box of this kind (animal, person, vehicle) can carry.

    None where a source names several species of the kind, or saw animals that it cannot name. What it
    says of the photograph goes before what it says of the sequence. `empty` speaks of animals: there are
    none.
    """
    by_source: dict[str, list[SourceLabel]] = {}
    for label in labels:
        if not label.is_unclassified and kind_of(label.category or ANIMAL) == kind:
            by_source.setdefault(label.source, []).append(label)
    found = []
    for own in by_source.values():
        near = [label for label in own if label.level is not Level.SEQUENCE] or own
        if len({category_name(label.category or "") for label in near}) == 1 and near[0].category is not None:
            found.append(min(near, key=lambda label: label.weak))  # people before machines
    return found
