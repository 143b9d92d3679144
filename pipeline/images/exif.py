"""Orientation and time from the EXIF data of a photograph's header."""

from __future__ import annotations

import datetime as dt
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import Image

from pipeline.clock import in_half, is_possible, without_half

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

_ORIENTATION, _EXIF_IFD, _MAKER_NOTE = 0x0112, 0x8769, 0x927C
_ORIGINAL, _DIGITISED, _FILE = (_EXIF_IFD, 0x9003), (_EXIF_IFD, 0x9004), (None, 0x0132)
_TIME = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})[ T]+(\d{1,2})\D(\d{1,2})\D(\d{1,2})")
# RECONYX HyperFire cameras write their time into the maker note alone: 16-bit words, 0xF101 first, ...
_RECONYX = (b"\x01\xf1", b"\xf1\x01")
_RECONYX_TIME = 2 * 11  # ... and from this byte on second, minute, hour, month, day, year
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
    """The first possible time: of the picture, else of its file, which programs may have changed."""
    moments = (
        _written(tags.get(_ORIGINAL)),
        _written(tags.get(_DIGITISED)),
        _of_maker_note(tags.get((_EXIF_IFD, _MAKER_NOTE))),
        _written(tags.get(_FILE)),
    )
    return next((moment for moment in moments if moment is not None), None)


def _written(value: Any) -> dt.datetime | None:
    """The time that a tag has as text; None if there is none."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    plain, half = without_half(text.strip("\x00 "))
    match = _TIME.match(plain)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    return _moment(year, month, day, in_half(hour, half), minute, second)


def _of_maker_note(value: Any) -> dt.datetime | None:
    """The time in a maker note of RECONYX; None in any other."""
    if not isinstance(value, bytes) or value[:2] not in _RECONYX or len(value) < _RECONYX_TIME + 2 * 6:
        return None
    for order in "<>":  # some cameras write the time in another order than the rest
        second, minute, hour, month, day, year = struct.unpack_from(f"{order}6H", value, _RECONYX_TIME)
        moment = _moment(year, month, day, hour, minute, second)
        if moment is not None:
            return moment
    return None


def _moment(*parts: int) -> dt.datetime | None:
    """The time of year, month, day, hour, minute and second; None if no camera can have written it."""
    try:
        moment = dt.datetime(*parts)  # type: ignore[arg-type]
    except ValueError:
        return None  # a clock that was never set reads 0000:00:00
    return moment if is_possible(moment) else None
