"""Boxes as files of the field write them."""

from __future__ import annotations

from pipeline.records import Box

DIGITS = 5  # in fractions of the frame: as detections are told apart
_STEP = 10.0**-DIGITS


def rounded(box: Box) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 to DIGITS digits; never without area."""
    x1, y1 = (min(round(float(value), DIGITS), round(1.0 - _STEP, DIGITS)) for value in (box.x1, box.y1))
    x2, y2 = (
        max(round(float(far), DIGITS), round(near + _STEP, DIGITS))
        for far, near in ((box.x2, x1), (box.y2, y1))
    )
    return x1, y1, x2, y2
