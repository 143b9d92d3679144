"""Observations as labels: of boxes, of whole photographs, and of events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import groupby

from importers.camtrap_dp.rows import Observation
from importers.detectors.categories import ANIMAL, PERSON, VEHICLE
from importers.detectors.detector import Finding
from pipeline.records import Box, Level, SourceLabel, category_name

_KINDS = {"human": PERSON, "vehicle": VEHICLE}  # every other box is taken for an animal's
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


def labels_of(observations: Iterable[Observation], source: str) -> tuple[SourceLabel, ...]:
    """One label for each species of a photograph, and one for each of its event.

    Rows of one classifier that name a species again are further individuals, of another sex or age, and
    their counts add up. Where several classified the same, people go before machines, then the latest.
    """
    named = sorted((one for one in observations if one.category is not None), key=_species)
    return tuple(
        _label(_standing(list(same)), level, source) for (level, _), same in groupby(named, key=_species)
    )


def findings_of(observations: Iterable[Observation], source: str) -> tuple[Finding, ...]:
    """The boxes of a photograph: one finding for each, with a label for each classification of it."""
    by_box: dict[Box, list[Observation]] = {}
    for one in observations:
        if one.box is not None:
            by_box.setdefault(one.box, []).append(one)
    return tuple(_finding(box, found, source) for box, found in by_box.items())


def _finding(box: Box, observations: Sequence[Observation], source: str) -> Finding:
    named = [one for one in observations if one.category is not None]
    labels = (_label([one], Level.BOX, source) for one in named)
    kinds = [_KINDS[one.kind] for one in observations if one.kind in _KINDS]
    return Finding(
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


def _species(one: Observation) -> tuple[Level, str]:
    return Level.SEQUENCE if one.medium is None else Level.IMAGE, category_name(one.category or "")


def _standing(observations: Sequence[Observation]) -> list[Observation]:
    """Of several that name a species, those of the classifier that counts."""
    by_classifier: dict[tuple[bool, str | None], list[Observation]] = {}
    for one in observations:
        by_classifier.setdefault((one.is_machine, one.by), []).append(one)
    return max(by_classifier.values(), key=lambda same: (not same[0].is_machine, _latest(same)))


def _latest(observations: Iterable[Observation]) -> dt.datetime:
    return max((one.at for one in observations if one.at is not None), default=_LONG_AGO)


def _label(same: Sequence[Observation], level: Level, source: str) -> SourceLabel:
    """The label that rows of one classifier make together."""
    first = same[0]
    counts = [one.count for one in same if one.count is not None]
    latest = _latest(same)
    return SourceLabel(
        category=first.category or "",
        source=source,
        level=level,
        weak=first.is_machine,
        confidence=first.probability if first.is_machine else None,
        annotator=first.by,
        annotated_at=None if latest == _LONG_AGO else latest,
        count=sum(counts) if counts else None,
    )
