"""The annotations of a COCO Camera Traps file, a million in some seventy megabytes, by photograph."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from importers.coco_file import CocoFile, id_text
from importers.json_file import is_number
from importers.keys import Keys
from importers.paths import as_text
from importers.report import ImportReport
from pipeline.records import Level
from pipeline.store.database import chunks

BATCH = 10_000  # annotations whose photographs are looked up at once
LARGEST = 2**31 - 1  # of a whole number that every database takes
MACHINE = ("model", "weak")  # of `basis`, which our own exports write beside a machine's answer

_NUMBERS = frozenset({int, float})  # JSON has no infinite ones, and `true` is none
_LEVELS = (Level.IMAGE, Level.SEQUENCE, Level.BOX)
_RELATIVE, _WEAK = 4, 8  # beside the place in _LEVELS


class Annotation(NamedTuple):
    """What one annotation says."""

    category: str  # lower case
    level: Level
    bbox: tuple[float, float, float, float] | None  # x, y, width, height, with Level.BOX only
    relative: bool  # the box is in fractions of the frame, not in pixels
    individuals: int | None
    weak: bool  # a machine's
    confidence: float | None  # of a machine, 0 to 1


class Annotations:
    """A file's annotations by the place of their photograph in its list."""

    def __init__(self, categories: Sequence[str], photographs: int) -> None:
        """`categories` are the names that `add` numbers."""
        self._names = categories
        self._starts = array("q", bytes(8 * (photographs + 1)))
        self._photograph, self._category, self._count = array("i"), array("i"), array("i")
        self._flags, self._confidence, self._bbox = array("B"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._category)

    def add(self, photograph: int, category: int, record: Mapping[str, Any]) -> None:
        """Take in a record that `problem` found nothing wrong with."""
        relative = record.get("bbox_relative")
        bbox = record.get("bbox") or relative
        level = 2 if bbox else int(record.get("sequence_level_annotation") is True)
        weak = record.get("basis") in MACHINE
        sure, count = record.get("probability"), record.get("count")
        self._photograph.append(photograph)
        self._category.append(category)
        self._flags.append(level | (_RELATIVE if relative else 0) | (_WEAK if weak else 0))
        self._count.append(-1 if count is None or not is_count(count) else count)
        self._confidence.append(sure if weak and is_number(sure) and 0.0 <= sure <= 1.0 else -1.0)
        self._bbox.extend(bbox or (0.0, 0.0, 0.0, 0.0))

    def sort(self, left_out: Sequence[int]) -> None:
        """Bring them into the order of the photographs, without those that were added as `left_out`."""
        photograph = np.frombuffer(self._photograph, dtype=np.int32) if len(self) else np.empty(0, np.int32)
        order = np.argsort(photograph, kind="stable")
        order = order[~np.isin(order, left_out)]
        counted = np.bincount(photograph[order], minlength=len(self._starts) - 1)
        self._starts = array("q", np.concatenate([[0], np.cumsum(counted)]).astype(np.int64).tobytes())
        boxes = np.frombuffer(self._bbox, dtype=np.float64).reshape(-1, 4) if len(self) else np.empty((0, 4))
        self._bbox = array("d", boxes[order].tobytes())
        self._category = _taken(self._category, order)
        self._count = _taken(self._count, order)
        self._flags = _taken(self._flags, order)
        self._confidence = _taken(self._confidence, order)
        self._photograph = array("i")

    def of(self, photograph: int) -> list[Annotation]:
        """Those of a photograph, in the order of the file, once they are sorted."""
        return [self._one(index) for index in range(self._starts[photograph], self._starts[photograph + 1])]

    def _one(self, index: int) -> Annotation:
        flags = self._flags[index]
        count, sure, first = self._count[index], self._confidence[index], 4 * index
        level = _LEVELS[flags & 3]
        bbox = self._bbox
        return Annotation(
            self._names[self._category[index]],
            level,
            (bbox[first], bbox[first + 1], bbox[first + 2], bbox[first + 3]) if level is Level.BOX else None,
            bool(flags & _RELATIVE),
            None if count < 0 else count,
            bool(flags & _WEAK),
            None if sure < 0 else sure,
        )


def read_annotations(file: CocoFile, images: Keys, report: ImportReport) -> Annotations:
    """Every annotation of a file whose photographs have the ids `images`.

    Records that are broken, or whose id stood before, are refused in `report`. Raises SourceError where the
    file is no longer what it was.
    """
    numbers = {id_: number for number, id_ in enumerate(file.categories)}
    found = Annotations(list(file.categories.values()), len(images))
    ids = Keys()
    place = -1
    for batch in chunks(file.annotations(), BATCH):
        mentioned = [id_text(one.get("image_id")) or "" if isinstance(one, Mapping) else "" for one in batch]
        for one, photograph in zip(batch, images.places(mentioned).tolist(), strict=True):
            place += 1
            wrong = problem(one, numbers)
            if wrong is None and photograph < 0:
                wrong = f"there is no image {as_text(str(one.get('image_id')))}"
            if wrong is not None:
                report.refuse(_where(file, place, one), "annotation", wrong)
                continue
            count = one.get("count")
            if count is not None and not is_count(count):
                report.refuse(_where(file, place, one), "count", f"{str(count)[:40]} is no number of animals")
            ids.add(id_text(one["id"]))
            found.add(photograph, numbers[id_text(one["category_id"]) or ""], one)
    found.sort(_repeated(file, numbers, images, ids, report))
    return found


def problem(record: Any, categories: Mapping[str, int]) -> str | None:
    """What keeps a record of `annotations` from being one; None where nothing does."""
    if not isinstance(record, Mapping):
        return "it is no object"
    if id_text(record.get("id")) is None:
        return "it has no `id`"
    if id_text(record.get("category_id")) not in categories:
        return f"there is no category {as_text(str(record.get('category_id')))}"
    absolute, relative = record.get("bbox"), record.get("bbox_relative")
    if absolute and relative:
        return "it has both `bbox` and `bbox_relative`"
    box = absolute or relative
    if not box:
        return None
    if not isinstance(box, list) or len(box) != 4 or not _NUMBERS.issuperset(map(type, box)):
        return "its box is not [x, y, width, height]"
    return None if box[2] > 0 and box[3] > 0 else "its box has no area"


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
        if problem(one, numbers) is not None or images.places([id_text(one.get("image_id")) or ""])[0] < 0:
            continue
        taken += 1
        text = id_text(one["id"]) or ""
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


def _taken(values: array[Any], order: Any) -> array[Any]:
    """The values in another order."""
    chosen = np.frombuffer(values, dtype=np.dtype(values.typecode))[order] if values else np.empty(0, np.int8)
    return array(values.typecode, chosen.tobytes())
