"""The annotations of a COCO Camera Traps file, a million in some sixty megabytes, by photograph."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from importers.ingest.report import ImportReport
from importers.reading.json_file import is_number
from importers.reading.paths import as_text
from importers.sources.coco.file import CocoFile, id_text
from importers.sources.coco.keys import Keys
from pipeline.records import Level
from pipeline.store.database import chunks

BATCH = 10_000  # annotations whose photographs are looked up at once
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

    def sort(self, left_out: Sequence[int]) -> None:
        """Bring them into the order of the photographs, without those that were added as `left_out`."""
        rows = np.frombuffer(self._rows, dtype=_FIELDS)
        order = np.argsort(rows["photograph"], kind="stable")
        if left_out:
            order = order[~np.isin(order, left_out)]
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


def read_annotations(file: CocoFile, images: Keys, report: ImportReport) -> Annotations:
    """Every annotation of a file whose photographs have the ids `images`.

    Records that are broken, or whose id stood before, are refused in `report`.
    """
    numbers = {id_: number for number, id_ in enumerate(file.categories)}
    found = Annotations(list(file.categories.values()), len(images))
    ids = Keys()
    place = -1
    for batch in chunks(file.annotations(), BATCH):
        mentioned = [id_text(one.get("image_id")) or "" if isinstance(one, dict) else "" for one in batch]
        for one, photograph in zip(batch, images.places(mentioned).tolist(), strict=True):
            place += 1
            try:
                id_, category = identified(one, numbers)
                if photograph < 0:
                    raise ValueError(f"there is no image {as_text(str(one.get('image_id')))}")
            except ValueError as exc:
                report.refuse(_where(file, place, one), "annotation", str(exc))
                continue
            count = one.get("count")
            if count is not None and not is_count(count):
                report.refuse(_where(file, place, one), "count", f"{str(count)[:40]} is no number of animals")
            ids.add(id_)
            found.add(photograph, category, one)
    found.sort(_repeated(file, numbers, images, ids, report))
    return found


def identified(record: Any, categories: Mapping[str, int]) -> tuple[str, int]:
    """The id of a record of `annotations`, and the number of its category.

    Raises ValueError, saying what is wrong, where the record or its box is none.
    """
    if not isinstance(record, dict):
        raise ValueError("it is no object")
    id_ = id_text(record.get("id"))
    if id_ is None:
        raise ValueError("it has no `id`")
    category = categories.get(id_text(record.get("category_id")) or "")
    if category is None:
        raise ValueError(f"there is no category {as_text(str(record.get('category_id')))}")
    absolute, relative = record.get("bbox"), record.get("bbox_relative")
    if absolute and relative:
        raise ValueError("it has both `bbox` and `bbox_relative`")
    box = absolute or relative
    if box:
        if not isinstance(box, list) or len(box) != 4 or not _NUMBERS.issuperset(map(type, box)):
            raise ValueError("its box is not [x, y, width, height]")
        if box[2] <= 0 or box[3] <= 0:
            raise ValueError("its box has no area")
    return id_, category


def is_count(value: Any) -> bool:
    """Whether a JSON value is a number of individuals that every database takes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _repeated(
    file: CocoFile, numbers: Mapping[str, int], images: Keys, ids: Keys, report: ImportReport
) -> list[int]:
    """Which of the records taken, in their order, have an id that one before them had."""
    suspects = ids.repeated()
    if not suspects:
        return []
    seen: set[str] = set()
    found: list[int] = []
    taken = -1
    for place, one in enumerate(file.annotations()):
        try:
            text, _ = identified(one, numbers)
        except ValueError:
            continue
        if images.places([id_text(one.get("image_id")) or ""])[0] < 0:
            continue
        taken += 1
        if hash(text) not in suspects:
            continue
        if text in seen:
            report.refuse(_where(file, place, one), "annotation", "its `id` stands a second time")
            found.append(taken)
        seen.add(text)
    return found


def _where(file: CocoFile, place: int, record: Any) -> str:
    id_ = id_text(record.get("id")) if isinstance(record, Mapping) else None
    return f"{as_text(str(file.path))}: annotation {place}" + (f" ({id_})" if id_ is not None else "")
