"""What a photograph, or the frames of a video, show as a whole: for formats without boxes."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from pipeline.exporters.attributes import in_common
from pipeline.exporters.individuals import individuals
from pipeline.exporters.source import Answer, Basis, ExportReport, LabelledDetection, LabelledImage
from pipeline.records import ANIMAL, EMPTY, PERSON, Level, SourceLabel, category_name
from pipeline.vocabulary import kind_of

_PEOPLE = (Basis.PEOPLE, Basis.SOURCE)
_BASES = list(Basis)  # best first


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One thing on a photograph, and who says so."""

    category: str | None  # EMPTY: there is nothing; None: something that nobody can name
    basis: Basis
    by: tuple[str, ...] = ()
    probability: float | None = None  # of a machine
    at: dt.datetime | None = None  # aware
    count: int | None = None  # individuals
    details: Mapping[str, str] = field(default_factory=dict)  # further columns, as Camtrap DP calls them

    @property
    def is_machine(self) -> bool:
        """Whether no person said so."""
        return self.basis not in _PEOPLE


def files(photographs: Iterable[LabelledImage]) -> Iterator[list[LabelledImage]]:
    """The photographs by file: each alone, but all frames of a video together."""
    for _, group in groupby(
        photographs,
        key=lambda photograph: (
            (photograph.image.video, photograph.image.seq_id)
            if photograph.image.video is not None
            else photograph.image.id
        ),
    ):
        yield list(group)


def shown_on(frames: Sequence[LabelledImage]) -> list[Shown]:
    """What is on a photograph, or on all frames of a video; nothing if nobody answered.

    Boxes count first: each category once, with as many individuals as one detector found on one photograph.
    Labels of the source add what no box shows, unless people answered every box. There is nothing only if
    nothing else is shown and no box lacks an answer, and also if detectors looked and found nothing. What
    people say of photographs without boxes comes before what machines say of them.
    """
    by_category: dict[str | None, Shown] = {}
    is_open = any(_answer(detection) is None for frame in frames for detection in frame.detections)
    for frame in frames:
        of_boxes = [each for each in _of_boxes(frame.detections) if not (is_open and each.category == EMPTY)]
        named = [_of_whole(frame.whole)] if frame.whole and frame.whole.category not in (None, EMPTY) else []
        for each in (*of_boxes, *_of_labels(frame), *named):
            known = by_category.get(each.category)
            by_category[each.category] = each if known is None else _joined(known, each)
    something = [each for each in by_category.values() if each.category != EMPTY]
    if something:
        return [each for each in something if each.category is not None] or something
    wholes = [frame.whole for frame in frames if frame.whole is not None]
    if any(whole.basis is Basis.NONE for whole in wholes):
        return []
    unsure = [whole for whole in wholes if whole.category is None]
    if unsure or (wholes and len(wholes) == len(frames)):
        return [functools.reduce(_joined, map(_of_whole, unsure or wholes))]
    if by_category:
        return list(by_category.values())
    if any(frame.detections or frame.image.failure is not None for frame in frames):
        return []
    detectors = tuple(dict.fromkeys(name for frame in frames for name in frame.detectors))
    is_known = all(frame.detectors and not frame.labels for frame in frames)
    return [Shown(category=EMPTY, basis=Basis.WEAK, by=detectors)] if is_known else []


def note_unanswered(
    photographs: Sequence[LabelledImage], shown: Sequence[Shown], report: ExportReport
) -> None:
    """Count photographs of which nothing is said."""
    if not shown:
        report.note("photographs without an answer, written without a species", len(photographs))


def _of_boxes(detections: Sequence[LabelledDetection]) -> Iterator[Shown]:
    """What the boxes of a photograph show."""
    answers = [
        (each, detection.record.detector)
        for detection in detections
        if (answer := _answer(detection)) is not None
        for each in (answer, *answer.others)
    ]
    counts = individuals((answer.category, detector, answer.individuals) for answer, detector in answers)
    for answer, _ in answers:
        alike = (other for other, _ in answers if other.category == answer.category)
        yield Shown(
            category=answer.category,
            basis=answer.basis,
            by=answer.by,
            probability=answer.probability,
            at=answer.at,
            count=None if answer.category == EMPTY else counts[answer.category],
            details=in_common(other.attributes.columns for other in alike),
        )


def _answer(detection: LabelledDetection) -> Answer | None:
    """The answer of a box: what it shows, that people cannot tell, or that it is a person or vehicle."""
    answer, kind = detection.answer, detection.record.detector_category
    if answer.category is not None:
        return replace(answer, category=category_name(answer.category))
    if answer.unsure:
        return answer
    if kind == ANIMAL:
        return None
    return Answer(
        basis=Basis.WEAK,
        category="human" if kind == PERSON else kind,
        by=(detection.record.detector,),
        probability=detection.record.bbox_confidence,
    )


def _of_whole(answer: Answer) -> Shown:
    return Shown(category=answer.category, basis=answer.basis, by=answer.by, at=answer.at)


def _of_labels(photograph: LabelledImage) -> Iterator[Shown]:
    """What labels of the photograph add to its boxes; those of its sequence if it has none of its own."""
    if photograph.whole is not None:  # people looked after the machines whose labels these are
        return
    detections = photograph.detections
    own = [label for label in photograph.labels if label.level is not Level.SEQUENCE]
    bases = [detection.answer.basis for detection in detections]
    is_settled = bool(bases) and all(basis is Basis.PEOPLE for basis in bases)
    is_named = any(basis in (*_PEOPLE, Basis.MODEL) for basis in bases)
    for label in own or ([] if any(basis is not Basis.NONE for basis in bases) else photograph.labels):
        is_of_animal = kind_of(label.category or ANIMAL) == ANIMAL
        is_outdated = is_of_animal and (is_settled or (label.weak and is_named))
        if not (label.is_unclassified or is_outdated):
            yield _of_label(label)


def _of_label(label: SourceLabel) -> Shown:
    category = None if label.category is None else category_name(label.category)
    return Shown(
        category=category,
        basis=Basis.WEAK if label.weak else Basis.SOURCE,
        by=(label.annotator or label.source,),
        probability=label.confidence if label.weak else None,
        at=label.annotated_at,
        count=None if category == EMPTY else label.count,
        details=label.details or {},
    )


def _joined(one: Shown, other: Shown) -> Shown:
    """Two equal things in one: the better basis, the most individuals, the highest probability."""
    best, then = sorted((one, other), key=lambda each: _BASES.index(each.basis))
    alike = (best, then) if best.basis is then.basis else (best,)
    times = [each.at for each in alike if each.at is not None]
    counts = [each.count for each in (one, other) if each.count is not None]
    sure = [each.probability for each in alike if each.probability is not None]
    return replace(
        best,
        by=tuple(dict.fromkeys(name for each in alike for name in each.by)),
        at=max(times, default=None),
        count=max(counts, default=None),
        probability=max(sure, default=None),
        details=best.details or then.details,
    )
