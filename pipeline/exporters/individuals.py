"""How many individuals the boxes of one photograph show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

from pipeline.records import DRAWN_DETECTOR

_What = TypeVar("_What", bound=Hashable)


def individuals(boxes: Iterable[tuple[_What, str, int]]) -> dict[_What, int]:
    """How many of each thing there are, by what each box shows, its detector, and how many it holds.

    Several detectors may have found one animal: the detector with most individuals counts. Boxes that people
    drew stand beside those of any detector, because they replace a box or show what none found.
    """
    of_detectors: Counter[tuple[_What, str]] = Counter()
    drawn: Counter[_What] = Counter()
    for what, detector, number in boxes:
        if detector == DRAWN_DETECTOR:
            drawn[what] += number
        else:
            of_detectors[what, detector] += number
    most: dict[_What, int] = {}
    for (what, _), number in of_detectors.items():
        most[what] = max(number, most.get(what, 0))
    return {what: most.get(what, 0) + drawn[what] for what in [*most, *(drawn.keys() - most.keys())]}
