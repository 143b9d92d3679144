"""COCO Camera Traps files: read as streams, the whole of each checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.json_file import items, opened
from importers.reading.paths import as_text
from importers.sources.coco.ids import Ids
from pipeline.errors import SourceError
from pipeline.records import EMPTY, category_name

FIELDS = ("info", "images", "annotations", "categories", "licenses")  # the last is COCO's own, never used
_LISTS = ("images", "annotations", "categories")
_BULK = ("images", "annotations")  # too long to be kept
_DEPTH = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1, "null": 0}
_REMEDY = "a COCO Camera Traps file has info, images, categories and annotations"


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """A file whose outline is in order."""

    path: Path
    number: int  # its place among the files of the import
    prefix: str  # of its ids, sequences and locations; empty where it is the only file
    info: Mapping[str, Any] | None
    categories: Mapping[str, str]  # by id as text; names in lower case, as the store keeps them

    @property
    def source(self) -> str:
        """The provenance of its labels and boxes: `coco:` and the file's name without ending."""
        return f"coco:{as_text(self.path.stem)}"

    def images(self) -> Iterator[Any]:
        """The records of `images`, whatever they are."""
        return items(self.path, "images")

    def annotations(self) -> Iterator[Any]:
        """The records of `annotations`, whatever they are."""
        return items(self.path, "annotations")


def read_outlines(paths: Sequence[Path], report: ImportReport) -> list[CocoFile]:
    """Each file's outline; several files get the prefixes ds000_, ds001_, ... in the order given.

    Reads the whole of each file. Raises SourceError: unreadable, no JSON, unknown or missing fields,
    broken categories.
    """
    if len({path.resolve() for path in paths}) != len(paths):
        raise SourceError("a file is named twice", remedy="name each file once")
    several = len(paths) > 1
    return [_outline(path, n, f"ds{n:03d}_" if several else "", report) for n, path in enumerate(paths)]


def check_images(files: Sequence[CocoFile], ids: Ids, report: ImportReport) -> list[int]:
    """Read every image record into `ids`; returns the length of each file's list.

    Bad records are refused in `report`. Raises SourceError, naming file and image: an id that two images
    of a file have, a file name that two images of any files have, `sequence_id`, no image at all.
    """
    lengths = []
    numbers = 0
    for file in files:
        place = -1
        for place, image in enumerate(file.images()):
            try:
                check_image(image)
            except BadRecord as exc:
                report.refuse(f"{as_text(str(file.path))}: image {place}", exc.kind, exc.what)
                continue
            if "sequence_id" in image:
                raise SourceError(
                    f"{file.path}: image {as_text(str(image['id']))} has `sequence_id`",
                    remedy="the format calls it seq_id: rename it in the whole file",
                )
            numbers += not isinstance(image["id"], str)
            id_, name = id_text(image["id"]) or "", id_text(image["file_name"]) or ""
            if not ids.add_image(file.number, id_, place):
                raise _repeated(file, "id", id_)
            first = ids.add_file_name(file.number, name)
            if first is not None:
                raise _repeated(file, "file_name", name, files[first])
        if place < 0:
            raise SourceError(f"{file.path} lists no image", remedy=_REMEDY)
        lengths.append(place + 1)
    if numbers:
        report.notes["images whose id is a number, taken as text"] += numbers
    return lengths


def check_image(record: Any) -> None:
    """Raise BadRecord if a record of `images` is not an image."""
    if not isinstance(record, dict):
        raise BadRecord("image", "it is no object")
    if id_text(record.get("id")) is None:
        raise BadRecord("image", "it has no `id`")
    if not isinstance(record.get("file_name"), str) or not record["file_name"]:
        raise BadRecord("image", "it has no `file_name`")


def id_text(value: Any) -> str | None:
    """An id as text that every database takes; files in the wild have numbers. None where it is none."""
    if type(value) is str:
        return (value if value.isascii() and "\x00" not in value else as_text(value)) or None
    return str(value) if type(value) is int else None


def _outline(path: Path, number: int, prefix: str, report: ImportReport) -> CocoFile:
    fields = _fields(path)
    unknown = [as_text(name) for name in fields if name not in FIELDS]
    if unknown:
        raise SourceError(f"{path} has unknown fields: {', '.join(unknown)}", remedy=_REMEDY)
    if "images" not in fields:
        raise SourceError(f"{path} has no `images`", remedy=_REMEDY)
    for name in _LISTS:
        if name in fields and not isinstance(fields[name], list):
            raise SourceError(f"{path}: `{name}` is no list", remedy=_REMEDY)
    info = fields.get("info")
    if info is not None and not isinstance(info, Mapping):
        raise SourceError(f"{path}: `info` is no object", remedy=_REMEDY)
    if info is None:
        report.notes["files without `info`"] += 1
    elif any(not isinstance(info.get(name), str) for name in ("version", "description")):
        report.notes["files whose `info` lacks version or description"] += 1
    if "licenses" in fields:
        report.notes["files with `licenses`, not used"] += 1
    categories = _categories(path, fields.get("categories", []), report)
    return CocoFile(path=path, number=number, prefix=prefix, info=info, categories=categories)


def _fields(path: Path) -> dict[str, Any]:
    """The top-level fields of the file with their values, but for the records of its two long lists.

    One pass over the whole file: whatever is wrong with its JSON is found here.
    """
    builders: dict[str, ObjectBuilder] = {}
    name, depth = "", 1
    builder: ObjectBuilder | None = None  # of the field being read, unless that is a long list
    with opened(path) as file:
        events = ijson.basic_parse(file, use_float=True)
        if next(events)[0] != "start_map":
            raise SourceError(f"{path} is no JSON object", remedy=_REMEDY)
        for event, value in events:
            if value is None:
                depth += _DEPTH[event]
            if builder is not None and depth and (depth > 1 or event != "map_key"):
                builder.event(event, value)
                if name in _BULK:
                    builder = None
            elif depth == 1 and event == "map_key":
                name = value
                if name in builders:
                    raise SourceError(f"{path} has two fields `{as_text(name)}`", remedy="keep one of them")
                builder = builders[name] = ObjectBuilder()
    return {name: builder.value for name, builder in builders.items()}


def _categories(path: Path, given: Any, report: ImportReport) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, one in enumerate(given):
        number = id_text(one.get("id")) if isinstance(one, Mapping) else None
        name = one.get("name") if isinstance(one, Mapping) else None
        if number is None or not isinstance(name, str) or not category_name(name):
            raise SourceError(f"{path}: category {place} lacks `id` or `name`", remedy="give it both")
        if number in found:
            raise SourceError(f"{path} has two categories {number}", remedy="every category needs its own id")
        found[number] = category_name(as_text(name))
        if number == "0" and found[number] != EMPTY:
            report.notes["files whose category 0 is not `empty`, kept under its name"] += 1
    return found


def _repeated(file: CocoFile, field: str, value: str, first: CocoFile | None = None) -> SourceError:
    """The error of a value that two images have, the first of them in the file `first`."""
    where = "" if first is None or first is file else f", in {first.path} before"
    return SourceError(
        f"{file.path}: two images have the {field} {value!r}{where}",
        remedy="every image needs its own id, and each photograph is listed once",
    )
