"""Observations as labels: of boxes, of whole photographs, and of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from importers.detectors.detector import DetectedBox
from importers.sources.camtrap_dp.rows import Observation
from pipeline.records import ANIMAL, PERSON, VEHICLE, Box, Level, SourceLabel

_KINDS = {"human": PERSON, "vehicle": VEHICLE}  # every other box is taken for an animal's


def labels_of(observations: Iterable[Observation], source: str) -> tuple[SourceLabel, ...]:
    """A label for each observation of a photograph without a box, and for each of its event.

    Those of one species differ in sex, age or behaviour, or in who classified. That nobody looked at a
    photograph yet is no label: it is so without one.
    """
    return tuple(
        _label(one, Level.IMAGE if one.medium is not None else Level.SEQUENCE, source, one.id)
        for one in observations
        if one.medium is None or one.kind != "unclassified"
    )


def findings_of(observations: Iterable[Observation], source: str) -> tuple[DetectedBox, ...]:
    """The boxes of a photograph: one finding for each, with a label for each classification of it."""
    by_box: dict[Box, list[Observation]] = {}
    for one in observations:
        if one.box is not None:
            by_box.setdefault(one.box, []).append(one)
    return tuple(_finding(box, found, source) for box, found in by_box.items())


def _finding(box: Box, observations: Sequence[Observation], source: str) -> DetectedBox:
    told = (one for one in observations if one.category is not None or one.kind == "unknown")
    labels = (_label(one, Level.BOX, source) for one in told)
    kinds = [_KINDS[one.kind] for one in observations if one.kind in _KINDS]
    return DetectedBox(
        box=box,
        confidence=max(map(_sureness, observations)),
        category=kinds[0] if len(kinds) == len(observations) else ANIMAL,
        labels=tuple(dict.fromkeys(labels)),
    )


def _sureness(one: Observation) -> float:
    """How sure it is that there is something in the box: the standard has no place of its own for this.

    A machine's probability is of the box where it names no species, else of the species.
    """
    if one.sureness is not None:
        return one.sureness
    if one.is_machine and one.category is None and one.probability is not None:
        return one.probability
    return 1.0


def _label(one: Observation, level: Level, source: str, key: str = "") -> SourceLabel:
    return SourceLabel(
        category=one.category,
        source=source,
        level=level,
        weak=one.is_machine,
        confidence=one.probability if one.is_machine else None,
        annotator=one.by,
        annotated_at=one.at,
        count=one.count,
        key=key,
        details=one.details if key else None,
    )
