"""The optional values of COCO records: a bad one is left out, and the rest of its record is used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from importers.reading.bad_record import LeaveOut
from importers.reading.clocks import parse_clock_time
from importers.reading.json_file import is_number, shown
from importers.reading.paths import as_text
from pipeline.records import LARGEST, Level

MACHINE = ("model", "weak")  # values of `basis`, which Wildloop's exports add to predictions
TIMES = ("datetime", "date_captured")  # the second is of COCO itself

_NOT_KNOWN = (None, "", -1, "-1")  # of fields that a record of the format may lack
_NO_TIME = (None, "", 0)  # some programs write 0


class ImageValues(NamedTuple):
    """What a record of `images` says beside its id and file name."""

    width: int | None  # pixels; None unless the height is known too
    height: int | None
    location: str | None
    datetime: dt.datetime | None  # the camera's clock
    seq_id: str | None
    frame_num: int | None
    seq_num_frames: int | None
    corrupt: bool


class AnnotationValues(NamedTuple):
    """What a record of `annotations` says beside its ids."""

    level: Level
    bbox: tuple[float, ...] | None  # x, y, width, height, with Level.BOX only
    relative: bool  # the box is in fractions of the frame, not in pixels
    individuals: int | None
    weak: bool  # by a machine
    confidence: float | None  # of a machine, 0 to 1


def image_values(image: Mapping[str, Any], leave_out: LeaveOut) -> ImageValues:
    """The values of an image record."""
    width, height = (_number(image, field, 1, leave_out) for field in ("width", "height"))
    if width is None or height is None:
        width = height = None
    return ImageValues(
        width=width,
        height=height,
        location=_text(image, "location", leave_out),
        datetime=_time(image, leave_out),
        seq_id=_text(image, "seq_id", leave_out),
        frame_num=_number(image, "frame_num", 0, leave_out),
        seq_num_frames=_number(image, "seq_num_frames", 1, leave_out),
        corrupt=_flag(image, "corrupt", leave_out),
    )


def annotation_values(record: Mapping[str, Any], leave_out: LeaveOut) -> AnnotationValues:
    """The values of an annotation record. Without a good box it is about the photograph or its sequence."""
    bbox, relative = _bbox(record, leave_out)
    is_of_sequence = _flag(record, "sequence_level_annotation", leave_out)
    level = Level.BOX if bbox else Level.SEQUENCE if is_of_sequence else Level.IMAGE
    basis = record.get("basis")
    if basis is not None and not isinstance(basis, str):
        leave_out("basis", f"basis {shown(basis)} is not text")
    weak = basis in MACHINE
    return AnnotationValues(
        level=level,
        bbox=bbox,
        relative=relative,
        individuals=_count(record, leave_out),
        weak=weak,
        confidence=_probability(record, leave_out) if weak else None,
    )


def id_text(value: Any) -> str | None:
    """An id as text that every database stores; many files have numbers. None if it is neither."""
    if type(value) is str:
        return (value if value.isascii() and "\x00" not in value else as_text(value)) or None
    if type(value) is float and value.is_integer():  # pandas makes such of columns with gaps
        return str(int(value))
    return str(value) if type(value) is int else None


def _text(record: Mapping[str, Any], field: str, leave_out: LeaveOut) -> str | None:
    """A name or number as text; None if it is not known, as -1 says."""
    value = record.get(field)
    if type(value) is not bool and value in _NOT_KNOWN:
        return None
    text = id_text(value)
    if text is None:
        leave_out(field, f"{field} {shown(value)} is neither text nor a whole number")
    return text


def _number(record: Mapping[str, Any], field: str, least: int, leave_out: LeaveOut) -> int | None:
    """The whole number in a field; None if it is not known, as -1 says."""
    value = record.get(field)
    if type(value) is not bool and value in _NOT_KNOWN:
        return None
    number = _whole(value, least)
    if number is None:
        leave_out(field, f"{field} {shown(value)} is not a number of at least {least}")
    return number


def _count(record: Mapping[str, Any], leave_out: LeaveOut) -> int | None:
    value = record.get("count")
    number = _whole(value, 0)
    if number is None and value is not None:
        leave_out("count", f"count {shown(value)} is not a number of animals")
    return number


def _probability(record: Mapping[str, Any], leave_out: LeaveOut) -> float | None:
    value = record.get("probability")
    if value is None or (is_number(value) and 0.0 <= value <= 1.0):
        return value
    leave_out("probability", f"probability {shown(value)} is not from 0 to 1")
    return None


def _flag(record: Mapping[str, Any], field: str, leave_out: LeaveOut) -> bool:
    value = record.get(field)
    if value is None or (type(value) in (bool, int) and value in (0, 1)):
        return bool(value)
    leave_out(field, f"{field} {shown(value)} is neither true nor false")
    return False


def _time(image: Mapping[str, Any], leave_out: LeaveOut) -> dt.datetime | None:
    """The first time that can be read, without its zone."""
    for field in TIMES:
        value = image.get(field)
        if type(value) is not bool and value in _NO_TIME:
            continue
        try:
            if not isinstance(value, str):
                raise ValueError(f"{shown(value)} is not text")
            return parse_clock_time(value).replace(tzinfo=None)
        except ValueError as exc:
            leave_out(field, f"{field} {as_text(str(exc))}")
    return None


def _bbox(record: Mapping[str, Any], leave_out: LeaveOut) -> tuple[tuple[float, ...] | None, bool]:
    """The box of a record and whether it is in fractions of the frame; (None, False) without a good one."""
    good: tuple[tuple[float, ...] | None, bool] = (None, False)
    for field in ("bbox", "bbox_relative"):
        value = record.get(field)
        if not value:
            continue
        if not isinstance(value, list) or len(value) != 4 or not all(map(is_number, value)):
            leave_out(field, f"its {field} {shown(value)} is not [x, y, width, height]")
        elif value[2] <= 0 or value[3] <= 0:
            leave_out(field, f"its {field} {shown(value)} has no area")
        elif good[0] is not None:
            leave_out(field, "it has `bbox` too, which counts")
        else:
            good = tuple(map(float, value)), field == "bbox_relative"
    return good


def _whole(value: Any, least: int) -> int | None:
    """The whole number that a JSON value is, if it is at least `least` and every database stores it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and least <= value <= LARGEST else None
