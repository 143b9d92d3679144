"""Observations as labels: of boxes, of whole photographs, and of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from importers.detectors.detector import DetectedBox
from importers.sources.camtrap_dp.rows import Observation
from pipeline.records import ANIMAL, PERSON, VEHICLE, Box, Level, SourceLabel

_KINDS = {"human": PERSON, "vehicle": VEHICLE}  # boxes of other types count as animals


def labels_of(observations: Iterable[Observation], source: str) -> tuple[SourceLabel, ...]:
    """A label for each observation of a photograph without a box, and for each of its event.

    Several observations of one species differ in sex, age or behaviour, or in the classifier. An
    unclassified photograph gets no label.
    """
    return tuple(
        _label(
            observation,
            Level.IMAGE if observation.medium is not None else Level.SEQUENCE,
            source,
            observation.id,
        )
        for observation in observations
        if observation.medium is None or observation.kind != "unclassified"
    )


def boxes_of(observations: Iterable[Observation], source: str) -> tuple[DetectedBox, ...]:
    """The boxes of a photograph, each once, with a label for each of its observations."""
    by_box: dict[Box, list[Observation]] = {}
    for observation in observations:
        if observation.box is not None:
            by_box.setdefault(observation.box, []).append(observation)
    return tuple(_detected_box(box, of_box, source) for box, of_box in by_box.items())


def _detected_box(box: Box, observations: Sequence[Observation], source: str) -> DetectedBox:
    labels = (
        _label(observation, Level.BOX, source)
        for observation in observations
        if observation.category is not None or observation.kind == "unknown"
    )
    kinds = [_KINDS[observation.kind] for observation in observations if observation.kind in _KINDS]
    return DetectedBox(
        box=box,
        confidence=max(map(_confidence, observations)),
        category=kinds[0] if len(kinds) == len(observations) else ANIMAL,
        labels=tuple(dict.fromkeys(labels)),
    )


def _confidence(observation: Observation) -> float:
    """The confidence that the box has something in it, for which the standard has no column.

    The probability of a machine is that of the box if it names no species, else that of the species.
    """
    if observation.box_confidence is not None:
        return observation.box_confidence
    if observation.is_machine and observation.category is None and observation.probability is not None:
        return observation.probability
    return 1.0


def _label(observation: Observation, level: Level, source: str, key: str = "") -> SourceLabel:
    return SourceLabel(
        category=observation.category,
        source=source,
        level=level,
        weak=observation.is_machine,
        confidence=observation.probability if observation.is_machine else None,
        annotator=observation.annotator,
        annotated_at=observation.annotated_at,
        count=observation.count,
        key=key,
        details=observation.details if key else None,
    )
