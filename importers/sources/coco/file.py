"""COCO Camera Traps files, read as streams and checked whole before they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from importers.ingest.report import ImportReport, Note
from importers.reading.bad_record import BadRecord
from importers.reading.json_file import items, opened
from importers.reading.names import normal
from importers.reading.paths import as_text
from importers.sources.coco.ids import Ids
from importers.sources.coco.values import id_text
from pipeline.errors import SourceError
from pipeline.records import category_name
from pipeline.vocabulary import Meaning, meaning_of

FIELDS = ("info", "images", "annotations", "categories", "licenses")  # the last is of COCO, and not used
_LISTS = ("images", "annotations", "categories")
_KEPT = ("info", "categories")  # the others may be too long to be kept in memory
_DEPTH = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1, "null": 0}
_REMEDY = "a COCO Camera Traps file has info, images, categories and annotations"


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """A file whose top-level fields are valid."""

    path: Path
    number: int  # its place among the files of the import
    prefix: str  # of its ids, sequences and locations; empty if it is the only file
    info: Mapping[str, Any] | None
    categories: Mapping[str, str]  # by id as text; names in lower case, as in the store

    @property
    def source(self) -> str:
        """The provenance of its labels and boxes: `coco:` and the file's name without its ending."""
        return f"coco:{as_text(self.path.stem)}"

    def images(self) -> Iterator[Any]:
        """The records of `images`, unchecked."""
        return items(self.path, "images")

    def annotations(self) -> Iterator[Any]:
        """The records of `annotations`, unchecked."""
        return items(self.path, "annotations")


def read_outlines(paths: Sequence[Path], report: ImportReport) -> list[CocoFile]:
    """The top-level fields of each file; several files get the prefixes ds000_, ds001_, ... in order.

    Reads each file whole. Raises SourceError if it is unreadable or not JSON, has missing or repeated
    fields, or bad categories. Fields that the format does not have are named in `report`.
    """
    if len({path.resolve() for path in paths}) != len(paths):
        raise SourceError("a file is given twice", remedy="name each file once")
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
            first = ids.add_file_name(file.number, normal(name.replace("\\", "/")))
            if first is not None:
                raise _repeated(file, "file_name", name, files[first])
        if place < 0:
            raise SourceError(f"{file.path} lists no image", remedy=_REMEDY)
        lengths.append(place + 1)
    if numbers:
        report.notes[Note.NUMERIC_IDS] += numbers
    return lengths


def check_image(record: Any) -> None:
    """Raise BadRecord if a record of `images` is not an image."""
    if not isinstance(record, dict):
        raise BadRecord("image", "it is not an object")
    if id_text(record.get("id")) is None:
        raise BadRecord("image", "it has no `id`")
    if not isinstance(record.get("file_name"), str) or not record["file_name"]:
        raise BadRecord("image", "it has no `file_name`")


def _outline(path: Path, number: int, prefix: str, report: ImportReport) -> CocoFile:
    fields = _fields(path)
    report.unused_fields.update(as_text(name) for name in fields if name not in FIELDS)
    if "images" not in fields:
        raise SourceError(f"{path} has no `images`", remedy=_REMEDY)
    for name in _LISTS:
        if name in fields and not isinstance(fields[name], list):
            raise SourceError(f"{path}: `{name}` is not a list", remedy=_REMEDY)
    report.note_odd_values(path)
    info = fields.get("info")
    if info is None:
        report.notes[Note.NO_INFO] += 1
    elif not isinstance(info, Mapping) or any(
        not isinstance(info.get(name), str) for name in ("version", "description")
    ):
        report.notes[Note.INCOMPLETE_INFO] += 1
    if "licenses" in fields:
        report.notes[Note.LICENSES] += 1
    categories = _categories(path, fields.get("categories", []), report)
    return CocoFile(
        path=path,
        number=number,
        prefix=prefix,
        info=info if isinstance(info, Mapping) else None,
        categories=categories,
    )


def _fields(path: Path) -> dict[str, Any]:
    """The top-level fields of the file, and the values of those that are short.

    One pass over the whole file, which finds every error of its JSON. Raises SourceError.
    """
    builders: dict[str, ObjectBuilder] = {}
    name, depth = "", 1
    builder: ObjectBuilder | None = None  # of the field being read, unless that is a long list
    with opened(path) as file:
        events = ijson.basic_parse(file, use_float=True)
        if next(events)[0] != "start_map":
            raise SourceError(f"{path} is not a JSON object", remedy=_REMEDY)
        for event, value in events:
            if value is None:
                depth += _DEPTH[event]
            if builder is not None and depth and (depth > 1 or event != "map_key"):
                builder.event(event, value)
                if name not in _KEPT:
                    builder = None
            elif depth == 1 and event == "map_key":
                name = value
                if name in builders:
                    raise SourceError(f"{path} has two fields `{as_text(name)}`", remedy="keep one of them")
                builder = builders[name] = ObjectBuilder()
    return {name: builder.value for name, builder in builders.items()}


def _categories(path: Path, records: Any, report: ImportReport) -> dict[str, str]:
    """The names of the categories by id as text. Raises SourceError if one is bad or repeated."""
    names: dict[str, str] = {}
    for place, record in enumerate(records):
        number = id_text(record.get("id")) if isinstance(record, Mapping) else None
        name = record.get("name") if isinstance(record, Mapping) else None
        if number is None or not isinstance(name, str) or not category_name(name):
            raise SourceError(f"{path}: category {place} lacks `id` or `name`", remedy="give it both")
        if number in names:
            raise SourceError(f"{path} has two categories {number}", remedy="every category needs its own id")
        names[number] = category_name(as_text(name))
        if number == "0" and meaning_of(names[number]) is not Meaning.BLANK:
            report.notes[Note.CATEGORY_ZERO] += 1
    return names


def _repeated(file: CocoFile, field: str, value: str, first: CocoFile | None = None) -> SourceError:
    """The error of two images with the same value in a field, the first of them in the file `first`."""
    where = "" if first is None or first is file else f", the first in {first.path}"
    return SourceError(
        f"{file.path}: two images have the {field} {value!r}{where}",
        remedy="every image needs its own id, and each photograph is listed once",
    )
