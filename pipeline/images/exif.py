"""Orientation and time from the EXIF data of a photograph's header."""

from __future__ import annotations

import datetime as dt
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import Image

# What Pillow's readers raise on damaged files (UnidentifiedImageError is an OSError).
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_TIMES = ((_EXIF_IFD, 0x9003), (_EXIF_IFD, 0x9004), (None, 0x0132))  # original, digitised, file
_TIME = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})[ T]+(\d{1,2})\D(\d{1,2})\D(\d{1,2})")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = 5  # from this orientation on, width and height change places


@dataclass(frozen=True, kw_only=True)
class Exif:
    """What the header says about the photograph."""

    turn: Image.Transpose | None = None  # makes the photograph upright
    swaps_sides: bool = False  # whether that turn exchanges width and height
    taken_at: dt.datetime | None = None  # the camera's clock


def read_exif(image: Image.Image) -> Exif:
    """The EXIF data of an opened image; the defaults where there is none or it is damaged."""
    if image.format == "PNG" and "exif" not in image.info:
        return Exif()  # to look further, Pillow would decode the whole file
    try:
        exif = image.getexif()
        tags: dict[Any, Any] = {(_EXIF_IFD, tag): value for tag, value in exif.get_ifd(_EXIF_IFD).items()}
        tags |= {(None, tag): value for tag, value in exif.items()}
    except DECODE_ERRORS:
        return Exif()  # a photograph without EXIF is still a photograph
    taken_at = _taken_at(tags)
    orientation = tags.get((None, _ORIENTATION), 1)
    if image.format == "TIFF" or not isinstance(orientation, int) or orientation not in _UPRIGHT:
        return Exif(taken_at=taken_at)  # Pillow turns TIFF files itself
    return Exif(turn=_UPRIGHT[orientation], swaps_sides=orientation >= _SWAPS_SIDES, taken_at=taken_at)


def _taken_at(tags: dict[Any, Any]) -> dt.datetime | None:
    for key in _TIMES:
        value = tags.get(key)
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
        match = _TIME.match(text.strip("\x00 "))
        if match:
            try:
                return dt.datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]
            except ValueError:
                continue  # a clock that was never set reads 0000:00:00
    return None
