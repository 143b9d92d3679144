"""Writes the labels of a source: image labels, and votes in the oracle with the source as provenance."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.current_label import CurrentLabel, OracleEntry, current_label
from pipeline.identity import digest
from pipeline.records import (
    ANIMAL,
    DRAWN_DETECTOR,
    SIGN_OFF_DETECTOR,
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
    """A photograph with the labels of its source."""

    image_id: str
    is_new: bool  # the store has neither it nor its detections
    detections: Sequence[DetectionRecord]  # of this import
    labels: Sequence[SourceLabel]  # of the whole photograph or its sequence
    box_labels: Mapping[str, Sequence[SourceLabel]]  # by detection id

    @property
    def all_labels(self) -> list[SourceLabel]:
        """Of the photograph and of its boxes."""
        return [*self.labels, *(label for of_box in self.box_labels.values() for label in of_box)]


class Labels:
    """Writes labels, and keeps the numbers of their categories between batches."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def settle(self, conn: sa.Connection, batch: Sequence[Labelled]) -> dict[str, list[AnnotationRecord]]:
        """The votes for detections of new photographs, by detection id."""
        self._number(conn, batch)
        votes: dict[str, list[AnnotationRecord]] = {}
        for photograph in batch:
            if photograph.is_new and (photograph.labels or photograph.box_labels):
                for vote in self._votes(photograph.detections, photograph.labels, photograph.box_labels):
                    votes.setdefault(vote.detection_id, []).append(vote)
        return votes

    def write(
        self,
        conn: sa.Connection,
        batch: Sequence[Labelled],
        new_votes: Mapping[str, list[AnnotationRecord]],
    ) -> int:
        """Write the labels of a batch whose photographs and detections are stored.

        `new_votes` is the result of `settle`. Returns the number of new labels.
        """
        stored = [photograph for photograph in batch if not photograph.is_new]
        given = {photograph.image_id: photograph.all_labels for photograph in stored}
        image_labels.remove_others(conn, {id_: labels for id_, labels in given.items() if labels})
        labels = ((photograph.image_id, label) for photograph in batch for label in photograph.labels)
        new = image_labels.add(conn, labels, self._numbers)
        voted = oracle.add_first_revisions(conn, (vote for votes in new_votes.values() for vote in votes))
        return new + voted + self._update(conn, stored)

    def _update(self, conn: sa.Connection, stored: Sequence[Labelled]) -> int:
        """Votes for photographs that the store had: their labels may come before or after their boxes.

        Votes that followed from earlier labels of the source and no longer do are withdrawn. Returns the
        number of new votes.
        """
        labels = image_labels.by_image(conn, (photograph.image_id for photograph in stored))
        boxes = {
            id_: [box for box in found if box.detector not in (DRAWN_DETECTOR, SIGN_OFF_DETECTOR)]
            for id_, found in detections.of_images(conn, labels).items()
        }  # those of people have the labels that people gave them
        self._numbers |= categories.numbers(conn) if labels else {}
        votes: list[AnnotationRecord] = []
        for photograph in stored:
            id_ = photograph.image_id
            votes += self._votes(
                boxes.get(id_, photograph.detections), labels.get(id_, ()), photograph.box_labels
            )
        voted = {vote.annotation_uid for vote in votes}
        votes += [
            _withdrawn(box.id, source)
            for photograph in stored
            for source in {label.source for label in photograph.labels}
            for box in boxes.get(photograph.image_id, ())
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
        """One vote for each source and detection: the label of the box, else the photograph's only one."""
        now = utc_now()
        for detection_id, of_box in box_labels.items():
            named = [label for label in of_box if label.category is not None]
            for label in {label.source: label for label in reversed(named)}.values():
                yield self._vote(detection_id, label, now)
        if not labels:
            return
        for box in boxes:
            sources = {label.source for label in box_labels.get(box.id, ())}
            for label in only_ones(labels, box.detector_category):
                if label.source not in sources:
                    yield self._vote(box.id, label, now)

    def _vote(self, detection_id: str, label: SourceLabel, now: dt.datetime) -> AnnotationRecord:
        """The vote of a label with a category for a detection."""
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

    def _number(self, conn: sa.Connection, batch: Iterable[Labelled]) -> None:
        """Give every category of the batch its number in the store."""
        names = {label.category for photograph in batch for label in photograph.all_labels}
        unknown = sorted(name for name in names if name is not None and name not in self._numbers)
        if unknown:
            numbers = categories.ensure(conn, unknown)
            self._numbers |= {name: numbers[category_name(name)] for name in unknown}


def _withdrawn(detection_id: str, source: str) -> AnnotationRecord:
    """The end of a source's vote for a detection; the oracle ignores it if there was no vote."""
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


def with_label(detection: DetectionRecord, votes: Sequence[AnnotationRecord]) -> DetectionRecord:
    """The detection with the current label by its first votes, as `oracle.update_labels` would write it."""
    facts = tuple((vote.source, vote.verdict, vote.label, vote.confidence) for vote in votes)
    return oracle.with_label(detection, _current_label(facts))


@functools.lru_cache(maxsize=4096)
def _current_label(votes: tuple[tuple[str, Verdict, int | None, float | None], ...]) -> CurrentLabel:
    """The current label by simultaneous votes of several sources."""
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
        for source, verdict, label, confidence in votes
    )


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)  # any moment does: the votes are simultaneous


def only_ones(labels: Iterable[SourceLabel], kind: str) -> list[SourceLabel]:
    """For each source, the one label that a box of this kind (animal, person, vehicle) can carry.

    None for a source that names several species of the kind, or animals without a species. Labels of the
    photograph precede labels of its sequence, and those by people precede those by machines. `empty` is of
    the kind animal: there are none.
    """
    by_source: dict[str, list[SourceLabel]] = {}
    for label in labels:
        if not label.is_unclassified and kind_of(label.category or ANIMAL) == kind:
            by_source.setdefault(label.source, []).append(label)
    chosen = []
    for of_source in by_source.values():
        nearest = [label for label in of_source if label.level is not Level.SEQUENCE] or of_source
        nearest = [label for label in nearest if not label.weak] or nearest  # people before machines
        names = {category_name(label.category or "") for label in nearest}
        if len(names) == 1 and nearest[0].category is not None:
            chosen.append(nearest[0])
    return chosen
