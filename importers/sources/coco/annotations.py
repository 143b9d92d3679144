"""The annotations of a COCO Camera Traps file, a million in some sixty megabytes, by photograph."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.json_file import is_number
from importers.reading.paths import as_text
from importers.sources.coco.file import CocoFile, id_text
from importers.sources.coco.ids import Ids
from pipeline.records import Level

LARGEST = 2**31 - 1  # of a whole number that every database takes
MACHINE = ("model", "weak")  # of `basis`, which our own exports write beside a machine's answer

_NUMBERS = frozenset({int, float})  # JSON has no infinite ones, and `true` is none
_LEVELS = (Level.IMAGE, Level.SEQUENCE, Level.BOX)
_RELATIVE, _WEAK = 4, 8  # beside the place in _LEVELS
_NO_BOX = (0.0, 0.0, 0.0, 0.0)
_ROW = Struct("=iiiBd4d")
_FIELDS = np.dtype(
    [("photograph", "i4"), ("category", "i4"), ("count", "i4"), ("flags", "u1"), ("rest", "f8", (5,))]
)


class Annotation(NamedTuple):
    """What one annotation says."""

    category: str  # lower case
    level: Level
    bbox: tuple[float, ...] | None  # x, y, width, height, with Level.BOX only
    relative: bool  # the box is in fractions of the frame, not in pixels
    individuals: int | None
    weak: bool  # a machine's
    confidence: float | None  # of a machine, 0 to 1


class Annotations:
    """A file's annotations by the place of their photograph in its list."""

    def __init__(self, categories: Sequence[str], photographs: int) -> None:
        """`categories` are the names that `add` numbers."""
        self._names = categories
        self._photographs = photographs
        self._starts: array[int] = array("q")  # the sorted row of each photograph's first
        self._rows = bytearray()  # as they are added
        self._sorted = memoryview(b"")

    def add(self, photograph: int, category: int, record: Mapping[str, Any]) -> None:
        """Take in a record that `identified` found nothing wrong with."""
        relative = record.get("bbox_relative")
        bbox = record.get("bbox") or relative
        flags = (2 | _RELATIVE if relative else 2) if bbox else 0
        if not bbox and record.get("sequence_level_annotation") is True:
            flags = 1
        count, sure = record.get("count"), -1.0
        if record.get("basis") in MACHINE:
            flags |= _WEAK
            given = record.get("probability")
            sure = given if is_number(given) and 0.0 <= given <= 1.0 else -1.0
        number = -1 if count is None or not is_count(count) else count
        self._rows += _ROW.pack(photograph, category, number, flags, sure, *(bbox or _NO_BOX))

    def sort(self) -> None:
        """Bring them into the order of the photographs. Nothing is added after this."""
        rows = np.frombuffer(self._rows, dtype=_FIELDS)
        order = np.argsort(rows["photograph"], kind="stable")
        rows = rows[order]
        counted = np.bincount(rows["photograph"], minlength=self._photographs)
        self._starts = array("q", np.concatenate([[0], np.cumsum(counted)]).astype(np.int64).tobytes())
        self._sorted = rows.view(np.uint8).data
        self._rows = bytearray()

    def of(self, photograph: int) -> list[Annotation]:
        """Those of a photograph, in the order of the file, once they are sorted."""
        start, stop = self._starts[photograph], self._starts[photograph + 1]
        if start == stop:
            return []
        rows = self._sorted[start * _ROW.size : stop * _ROW.size]
        return [self._one(*row) for row in _ROW.iter_unpack(rows)]

    def _one(
        self, photograph: int, category: int, count: int, flags: int, sure: float, *bbox: float
    ) -> Annotation:
        level = _LEVELS[flags & 3]
        return Annotation(
            self._names[category],
            level,
            bbox if level is Level.BOX else None,
            bool(flags & _RELATIVE),
            None if count < 0 else count,
            bool(flags & _WEAK),
            None if sure < 0 else sure,
        )


def read_annotations(file: CocoFile, images: int, ids: Ids, report: ImportReport) -> Annotations:
    """Every annotation of a file with `images` image records, whose ids are in `ids`.

    Bad records, and those whose id stood before, are refused in `report`.
    """
    numbers = {id_: number for number, id_ in enumerate(file.categories)}
    annotations = Annotations(list(file.categories.values()), images)
    for place, record in enumerate(file.annotations()):
        try:
            id_, image_id, category = identified(record, numbers)
            photograph = ids.place_of_image(file.number, image_id)
            if photograph is None:
                raise BadRecord("annotation", f"there is no image {as_text(str(record.get('image_id')))}")
            if not ids.add_annotation(file.number, id_):
                raise BadRecord("annotation", "its `id` stands a second time")
        except BadRecord as exc:
            report.refuse(_where(file, place, record), exc.kind, exc.what)
            continue
        count = record.get("count")
        if count is not None and not is_count(count):
            report.refuse(_where(file, place, record), "count", f"{str(count)[:40]} is no number of animals")
        annotations.add(photograph, category, record)
    annotations.sort()
    return annotations


def identified(record: Any, categories: Mapping[str, int]) -> tuple[str, str, int]:
    """The id of a record of `annotations`, the id of its image, and the number of its category.

    Raises BadRecord if the record or its box is not as the format says.
    """
    if not isinstance(record, dict):
        raise BadRecord("annotation", "it is no object")
    id_ = id_text(record.get("id"))
    if id_ is None:
        raise BadRecord("annotation", "it has no `id`")
    category = categories.get(id_text(record.get("category_id")) or "")
    if category is None:
        raise BadRecord("annotation", f"there is no category {as_text(str(record.get('category_id')))}")
    absolute, relative = record.get("bbox"), record.get("bbox_relative")
    if absolute and relative:
        raise BadRecord("annotation", "it has both `bbox` and `bbox_relative`")
    box = absolute or relative
    if box:
        if not isinstance(box, list) or len(box) != 4 or not _NUMBERS.issuperset(map(type, box)):
            raise BadRecord("annotation", "its box is not [x, y, width, height]")
        if box[2] <= 0 or box[3] <= 0:
            raise BadRecord("annotation", "its box has no area")
    return id_, id_text(record.get("image_id")) or "", category


def is_count(value: Any) -> bool:
    """Whether a JSON value is a number of individuals that every database takes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _where(file: CocoFile, place: int, record: Any) -> str:
    id_ = id_text(record.get("id")) if isinstance(record, Mapping) else None
    return f"{as_text(str(file.path))}: annotation {place}" + (f" ({id_})" if id_ is not None else "")
