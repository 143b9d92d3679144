"""The annotations of a COCO Camera Traps file by photograph; a million take about 60 MB."""

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

LARGEST = 2**31 - 1  # the largest whole number that every database stores
MACHINE = ("model", "weak")  # values of `basis`, which Wildloop's exports add to predictions

_NUMBERS = frozenset({int, float})  # of JSON; excludes bool
_LEVELS = (Level.IMAGE, Level.SEQUENCE, Level.BOX)
_RELATIVE, _WEAK = 4, 8  # flags beside the index of _LEVELS
_NO_BOX = (0.0, 0.0, 0.0, 0.0)
_ROW = Struct("=iiiBd4d")
_FIELDS = np.dtype(
    [("photograph", "i4"), ("category", "i4"), ("count", "i4"), ("flags", "u1"), ("rest", "f8", (5,))]
)


class Annotation(NamedTuple):
    """One annotation."""

    category: str  # lower case
    level: Level
    bbox: tuple[float, ...] | None  # x, y, width, height, with Level.BOX only
    relative: bool  # the box is in fractions of the frame, not in pixels
    individuals: int | None
    weak: bool  # by a machine
    confidence: float | None  # of a machine, 0 to 1


class Annotations:
    """The annotations of a file, by the place of their photograph in its list of images."""

    def __init__(self, categories: Sequence[str], photographs: int) -> None:
        """`add` takes indices of `categories`."""
        self._names = categories
        self._photographs = photographs
        self._starts: array[int] = array("q")  # the first sorted row of each photograph
        self._rows = bytearray()  # in the order of the file
        self._sorted = memoryview(b"")

    def add(self, photograph: int, category: int, record: Mapping[str, Any]) -> None:
        """Add a record that `identified` accepts."""
        relative = record.get("bbox_relative")
        bbox = record.get("bbox") or relative
        flags = (2 | _RELATIVE if relative else 2) if bbox else 0
        if not bbox and record.get("sequence_level_annotation") is True:
            flags = 1
        count, confidence = record.get("count"), -1.0
        if record.get("basis") in MACHINE:
            flags |= _WEAK
            probability = record.get("probability")
            confidence = probability if is_number(probability) and 0.0 <= probability <= 1.0 else -1.0
        number = -1 if count is None or not is_count(count) else count
        self._rows += _ROW.pack(photograph, category, number, flags, confidence, *(bbox or _NO_BOX))

    def sort(self) -> None:
        """Sort the annotations by photograph, after the last `add`."""
        rows = np.frombuffer(self._rows, dtype=_FIELDS)
        order = np.argsort(rows["photograph"], kind="stable")
        rows = rows[order]
        counts = np.bincount(rows["photograph"], minlength=self._photographs)
        self._starts = array("q", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64).tobytes())
        self._sorted = rows.view(np.uint8).data
        self._rows = bytearray()

    def of(self, photograph: int) -> list[Annotation]:
        """The annotations of a photograph in the order of the file, after `sort`."""
        start, stop = self._starts[photograph], self._starts[photograph + 1]
        if start == stop:
            return []
        rows = self._sorted[start * _ROW.size : stop * _ROW.size]
        return [self._annotation(*row) for row in _ROW.iter_unpack(rows)]

    def _annotation(
        self, photograph: int, category: int, count: int, flags: int, confidence: float, *bbox: float
    ) -> Annotation:
        level = _LEVELS[flags & 3]
        return Annotation(
            self._names[category],
            level,
            bbox if level is Level.BOX else None,
            bool(flags & _RELATIVE),
            None if count < 0 else count,
            bool(flags & _WEAK),
            None if confidence < 0 else confidence,
        )


def read_annotations(file: CocoFile, images: int, ids: Ids, report: ImportReport) -> Annotations:
    """Every annotation of a file with `images` image records, whose ids are in `ids`.

    Bad records, and records with the id of an earlier one, are refused in `report`.
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
                raise BadRecord("annotation", "an earlier annotation has its `id`")
        except BadRecord as exc:
            report.refuse(_where(file, place, record), exc.kind, exc.what)
            continue
        count = record.get("count")
        if count is not None and not is_count(count):
            report.refuse(
                _where(file, place, record), "count", f"{str(count)[:40]} is not a number of animals"
            )
        annotations.add(photograph, category, record)
    annotations.sort()
    return annotations


def identified(record: Any, categories: Mapping[str, int]) -> tuple[str, str, int]:
    """The id of a record of `annotations`, the id of its image, and the number of its category.

    Raises BadRecord if the record or its box is not as the format says.
    """
    if not isinstance(record, dict):
        raise BadRecord("annotation", "it is not an object")
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
    """Whether a JSON value is a number of individuals that every database stores."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _where(file: CocoFile, place: int, record: Any) -> str:
    id_ = id_text(record.get("id")) if isinstance(record, Mapping) else None
    return f"{as_text(str(file.path))}: annotation {place}" + (f" ({id_})" if id_ is not None else "")
