"""The boxes of MegaDetector's results format."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records import Box


def box_of(bbox: Sequence[float]) -> Box | None:
    """The box of `[x, y, width, height]` in fractions of the frame, clipped to it; None without area."""
    x, y, width, height = bbox
    x1, y1 = max(0.0, x), max(0.0, y)
    x2, y2 = min(1.0, x + width), min(1.0, y + height)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2) if x2 > x1 and y2 > y1 else None
