"""The square of pixels around a box that becomes its crop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.records import Box

CONTEXT = 1.69  # side of a crop over the longer side of its box, as Wildloop's predecessor cut them
CROP_SIDE = 448  # pixels: the largest side of a stored crop
FRAME_SIDE = 640  # pixels: the longer side of a framed thumbnail


@dataclass(frozen=True, kw_only=True)
class Square:
    """A square of whole pixels. It extends beyond the photograph only where it cannot fit inside."""

    left: int
    top: int
    side: int


def square(box: Box, width: int, height: int, context: float = CONTEXT) -> Square:
    """The square around the centre of `box` whose side is `context` times the box's longer side, in pixels.

    The side is limited to the shorter side of the photograph (`width` x `height`), and the square is shifted
    to lie inside it. Only a box longer than that shorter side gets a square that extends beyond: as long as
    the box, centred on the photograph.
    """
    x1, x2 = _edges(box.x1, box.x2, width)
    y1, y2 = _edges(box.y1, box.y2, height)
    longest = max(x2 - x1, y2 - y1)
    side = max(longest, min(round(context * longest), width, height))
    return Square(left=_shifted(x1, x2, side, width), top=_shifted(y1, y2, side, height), side=side)


def scale_needed(squares: Iterable[Square], width: int, height: int, *, crop_side: int = CROP_SIDE) -> float:
    """The smallest scale of a photograph that still gives these crops and the thumbnail all their pixels."""
    needed = [crop_side / area.side for area in squares]
    return min(1.0, max([*needed, FRAME_SIDE / max(width, height)]))


def _edges(low: float, high: float, length: int) -> tuple[int, int]:
    """First pixel of the box along one axis, and the first beyond it; at least one apart."""
    first = min(max(math.floor(low * length), 0), length - 1)
    return first, max(first + 1, min(math.ceil(high * length), length))


def _shifted(first: int, last: int, side: int, length: int) -> int:
    """Where an interval of `side` around [first, last) begins: inside [0, length) if it fits."""
    if side > length:
        return -((side - length) // 2)
    start = math.floor((first + last - side) / 2)
    return min(max(start, 0), length - side)
