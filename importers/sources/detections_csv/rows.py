"""The layouts of detections CSV files, and the boxes of their rows.

| layout | a row |
| --- | --- |
| without a header | name, score, four numbers: a box |
| with a header | the same in named columns, such as name,score,ymin,xmin,ymax,xmax |
| lists | image_path, max_confidence, detections: a JSON list of [four numbers, confidence, class] |

Boxes are in fractions of the frame. The 2019 system wrote them as ymin, xmin, ymax, xmax but named them
BBox_X1, BBox_Y1, BBox_X2, BBox_Y2. So only columns named ymin, xmin, ymax and xmax fix the axis order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from importers.ingest.report import Note
from importers.reading.bad_record import BadRecord
from importers.reading.csv_file import lines
from importers.reading.json_file import is_number
from pipeline.camtrap_dp import number_of
from pipeline.errors import SourceError
from pipeline.records import ANIMAL, PERSON, VEHICLE

AxisOrder = Literal["yxyx", "xyxy"]
Row = tuple[float, float, float, float, float, int]  # x1, y1, x2, y2, confidence, index of KINDS

KINDS = (ANIMAL, PERSON, VEHICLE)  # the classes 1, 2 and 3
_CLASSES: dict[object, int] = {
    name: place for place, number in enumerate((1, 2, 3)) for name in (number, str(number))
}

_NAMES = ("name", "file_name", "filename", "file", "image_path", "image", "path")
_SCORES = ("score", "confidence", "conf")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_EITHER_ORDER = (("b1", "b2", "b3", "b4"), ("x1", "y1", "x2", "y2"))  # names used for both axis orders
_FIELDS = 6
_PLACES: dict[AxisOrder, tuple[int, ...]] = {"yxyx": (1, 0, 3, 2), "xyxy": (0, 1, 2, 3)}  # of x1, y1, x2, y2
_ENOUGH = 50  # boxes, for a statement on their spread
_SPREAD = 1.25  # down over across: cameras see animals all across, but only near the ground


@dataclass(kw_only=True)
class Shapes:
    """Statistics of all boxes of a file, filled while it is read."""

    boxes: int = 0  # good ones
    pixels: int = 0  # far above 1
    reversed: int = 0  # the second corner before the first
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)  # of the centres' x, y, x squared, y squared

    def add(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Count a good box."""
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        self.boxes += 1
        for place, value in enumerate((x, y, x * x, y * y)):
            self.sums[place] += value

    def hints(self, layout: Layout) -> Iterator[tuple[Note, int]]:
        """Signs that the file is read in a wrong way, each with the number of boxes that show it."""
        bad = self.pixels + self.reversed
        if self.pixels > (self.boxes + bad) / 2:
            yield Note.PIXEL_BOXES, self.pixels
        if self.reversed > (self.boxes + bad) / 2:
            yield Note.SIZE_BOXES, self.reversed
        if layout.axis_order is None or self.boxes < _ENOUGH:
            return
        across, down = (
            self.sums[place + 2] / self.boxes - (self.sums[place] / self.boxes) ** 2 for place in (0, 1)
        )
        if down > _SPREAD**2 * max(across, 0.0):
            yield Note.MAYBE_XYXY if layout.axis_order == "yxyx" else Note.MAYBE_YXYX, self.boxes


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of one file."""

    path: Path
    has_header: bool
    name_at: int  # columns, from 0
    score_at: int | None  # None: lists
    box_at: tuple[int, ...]  # of x1, y1, x2, y2: columns, or for lists the indices in an item
    list_at: int | None
    axis_order: AxisOrder | None  # None if the column names fix it

    @property
    def kinds(self) -> tuple[str, ...]:
        """The categories that its boxes can have."""
        return KINDS if self.list_at is not None else KINDS[:1]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row below the header, with the number of its line. Raises SourceError."""
        numbered = lines(self.path)
        if self.has_header:
            next(numbered, None)
        yield from numbered

    def name(self, fields: Sequence[str]) -> str:
        """The file name of a row's photograph; empty if it has none."""
        return fields[self.name_at] if self.name_at < len(fields) else ""

    def boxes(self, fields: Sequence[str], shapes: Shapes) -> list[Row]:
        """The boxes of a row, clipped to the frame. Raises BadRecord."""
        if not self.name(fields).strip():
            raise BadRecord("without a file name", "it has no file name")
        if self.list_at is not None:
            return [self._listed(item, shapes) for item in _list(fields, self.list_at)]
        needed = max(self.name_at, self.score_at or 0, *self.box_at) + 1
        if len(fields) < needed or (not self.has_header and len(fields) != _FIELDS):
            raise BadRecord("with too few or too many fields", f"{len(fields)} fields")
        corners = [_number(fields[column]) for column in self.box_at]
        score = _number(fields[self.score_at or 0])
        return [(*_box(corners, shapes), _confidence(score), 0)]

    def _listed(self, item: Any, shapes: Shapes) -> Row:
        """The box of a list item. Raises BadRecord."""
        if not isinstance(item, list) or len(item) != _FIELDS or not all(map(is_number, item[:-1])):
            raise BadRecord("with a broken box", "a box is not four numbers, confidence and class")
        kind = _CLASSES.get(item[5]) if isinstance(item[5], str | int | float) else None
        if kind is None:
            raise BadRecord("of an unknown class", "a class is not 1 (animal), 2 (person) or 3 (vehicle)")
        corners = [float(item[place]) for place in self.box_at]
        return (*_box(corners, shapes), _confidence(float(item[4])), kind)


def read_layout(path: Path, axis_order: AxisOrder) -> Layout:
    """The layout of a file by its first line. Raises SourceError if it is unknown."""
    first = next(lines(path), None)
    if first is None:
        raise SourceError(f"{path} is empty", remedy="is it the right file?")
    fields = first[1]
    names = [name.strip().lower().removeprefix("bbox_") for name in fields]
    name_at = next((names.index(name) for name in _NAMES if name in names), None)
    score_at = next((names.index(name) for name in _SCORES if name in names), None)
    if name_at is not None and "detections" in names:
        return Layout(
            path=path,
            has_header=True,
            name_at=name_at,
            score_at=None,
            box_at=_PLACES[axis_order],
            list_at=names.index("detections"),
            axis_order=axis_order,
        )
    box_at, is_fixed = _columns(names, axis_order)
    if name_at is not None and score_at is not None and box_at is not None:
        return Layout(
            path=path,
            has_header=True,
            name_at=name_at,
            score_at=score_at,
            box_at=box_at,
            list_at=None,
            axis_order=None if is_fixed else axis_order,
        )
    if len(fields) == _FIELDS and any(map(_is_number, fields[1:])):
        return Layout(
            path=path,
            has_header=False,
            name_at=0,
            score_at=1,
            box_at=tuple(2 + place for place in _PLACES[axis_order]),
            list_at=None,
            axis_order=axis_order,
        )
    raise SourceError(
        f"{path}: the first line is neither a box (name, score, four numbers) nor a known header",
        remedy="name the columns name,score,ymin,xmin,ymax,xmax or image_path,max_confidence,detections",
    )


def _columns(names: Sequence[str], axis_order: AxisOrder) -> tuple[tuple[int, ...] | None, bool]:
    """The columns of x1, y1, x2, y2 (None if absent), and whether their names fix the axis order."""
    if all(name in names for name in _CORNERS):
        return tuple(names.index(name) for name in _CORNERS), True
    for either in _EITHER_ORDER:
        if all(name in names for name in either):
            in_order = sorted(names.index(name) for name in either)
            return tuple(in_order[place] for place in _PLACES[axis_order]), False
    return None, False


def _list(fields: Sequence[str], column: int) -> list[Any]:
    text = fields[column].strip() if column < len(fields) else ""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadRecord("with a broken list", f"its detections are not JSON: {text[:40]!r}") from exc
    if not isinstance(items, list):
        raise BadRecord("with a broken list", "its detections are not a list")
    return items


def _box(corners: Sequence[float], shapes: Shapes) -> tuple[float, float, float, float]:
    """The box, clipped to the frame. Raises BadRecord."""
    shown = ", ".join(f"{value:g}" for value in corners)
    if not all(map(math.isfinite, corners)):
        raise BadRecord("with a broken box", f"box {shown}")
    if not all(-0.1 <= value <= 1.1 for value in corners):
        shapes.pixels += max(corners) > 1.1
        raise BadRecord(
            "with a box beyond the frame", f"{shown} (x1, y1, x2, y2) is not in fractions of the frame"
        )
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in corners)
    if x2 <= x1 or y2 <= y1:
        shapes.reversed += corners[2] < corners[0] or corners[3] < corners[1]
        raise BadRecord("with a box without area", f"x1, y1, x2, y2 {shown}")
    shapes.add(x1, y1, x2, y2)
    return x1, y1, x2, y2


def _confidence(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise BadRecord("with a broken score", f"score {value:g} is not between 0 and 1")
    return value


def _number(text: str) -> float:
    value = number_of(text.strip())
    if value is None:
        raise BadRecord("with a field that is not a number", f"{text.strip()[:40]!r} is not a number")
    return value


def _is_number(text: str) -> bool:
    return number_of(text.strip()) is not None
