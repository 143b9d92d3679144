"""Boxes and confidences of JSON files, in fractions: what is out by a rounding is brought back."""

from __future__ import annotations

from typing import Any

from importers.reading.bad_record import BadRecord
from importers.reading.json_file import is_number, shown
from pipeline.records import Box

_NUMBERS = frozenset({float, int})  # of JSON; excludes bool
_ROUNDING = 1e-3  # by which a confidence may lie below 0 or above 1
_BEYOND = 0.2  # by which a side of a box may lie outside the frame; what is further out is in pixels


def confidence_of(value: Any, name: str) -> float:
    """The confidence in the field `name`. Raises BadRecord if it is not a number from 0 to 1."""
    if not is_number(value) or not -_ROUNDING <= value <= 1.0 + _ROUNDING:
        raise BadRecord(name, f"{name} {shown(value)} is not a number from 0 to 1")
    return min(1.0, max(0.0, float(value)))


def confidence_in(detection: Any) -> float:
    """The confidence of a detection that is broken elsewhere; 1 if that cannot be read either."""
    try:
        return confidence_of(detection["conf"], "conf")
    except (BadRecord, LookupError, TypeError):
        return 1.0


def highest(one: float | None, other: float | None) -> float | None:
    """The higher of two confidences, of which each may be None."""
    return max((each for each in (one, other) if each is not None), default=None)


def box_of(bbox: Any) -> Box | None:
    """The box of [x, y, width, height], clipped to the frame; None if nothing of it is within.

    Raises BadRecord if these are not four numbers in fractions of the frame.
    """
    if not isinstance(bbox, list) or len(bbox) != 4 or not _NUMBERS.issuperset(map(type, bbox)):
        raise BadRecord("box", f"bbox {shown(bbox)} is not [x, y, width, height]")
    x, y, width, height = bbox
    if not all(-_BEYOND <= side <= 1.0 + _BEYOND for side in (x, y, x + width, y + height)):
        raise BadRecord("box", f"bbox {shown(bbox)} is not in fractions of the image")
    return Box.from_xywh(bbox)
