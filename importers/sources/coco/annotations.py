"""The annotations of a COCO Camera Traps file by photograph; a million take about 60 MB."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.paths import as_text
from importers.sources.coco.file import CocoFile
from importers.sources.coco.ids import Ids
from importers.sources.coco.values import AnnotationValues, annotation_values, id_text
from pipeline.records import Level

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

    def add(self, photograph: int, category: int, values: AnnotationValues) -> None:
        """Add the values of a record."""
        flags = _LEVELS.index(values.level) | _RELATIVE * values.relative | _WEAK * values.weak
        count = -1 if values.individuals is None else values.individuals
        confidence = -1.0 if values.confidence is None else values.confidence
        self._rows += _ROW.pack(photograph, category, count, flags, confidence, *(values.bbox or _NO_BOX))

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

    Bad records, and records with the id of an earlier one, are refused in `report`; bad values are left out.
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
        values = annotation_values(record, partial(report.leave_out, _where(file, place, record)))
        annotations.add(photograph, category, values)
    annotations.sort()
    return annotations


def identified(record: Any, categories: Mapping[str, int]) -> tuple[str, str, int]:
    """The id of a record of `annotations`, the id of its image, and the number of its category.

    Raises BadRecord if one of them is not as the format says.
    """
    if not isinstance(record, dict):
        raise BadRecord("annotation", "it is not an object")
    id_ = id_text(record.get("id"))
    if id_ is None:
        raise BadRecord("annotation", "it has no `id`")
    category = categories.get(id_text(record.get("category_id")) or "")
    if category is None:
        raise BadRecord("annotation", f"there is no category {as_text(str(record.get('category_id')))}")
    return id_, id_text(record.get("image_id")) or "", category


def _where(file: CocoFile, place: int, record: Any) -> str:
    id_ = id_text(record.get("id")) if isinstance(record, Mapping) else None
    return f"{as_text(str(file.path))}: annotation {place}" + (f" ({id_})" if id_ is not None else "")
