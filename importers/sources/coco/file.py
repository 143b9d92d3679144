"""COCO Camera Traps files: read as streams, the whole of each checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from importers.ingest.report import ImportReport
from importers.reading.json_file import items, opened
from importers.reading.paths import as_text
from importers.sources.coco.keys import Keys
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
    return [_outline(path, f"ds{n:03d}_" if several else "", report) for n, path in enumerate(paths)]


def check_images(files: Sequence[CocoFile], report: ImportReport) -> list[Keys]:
    """Read every image record; the ids of each file, by their place in its list.

    Records that are none are refused in `report`. Raises SourceError, naming file and image: ids that
    stand twice in a file, file names that stand twice in all files together, `sequence_id`, no image.
    """
    names, ids = Keys(), [Keys() for _ in files]
    numbers = 0
    for file, own in zip(files, ids, strict=True):
        for place, image in enumerate(file.images()):
            problem = image_problem(image)
            if problem is not None:
                report.refuse(f"{as_text(str(file.path))}: image {place}", "image", problem)
                own.add(None)
                continue
            if "sequence_id" in image:
                raise SourceError(
                    f"{file.path}: image {as_text(str(image['id']))} has `sequence_id`",
                    remedy="the format calls it seq_id: rename it in the whole file",
                )
            numbers += not isinstance(image["id"], str)
            own.add(id_text(image["id"]))
            names.add(id_text(image["file_name"]))
        if not len(own):
            raise SourceError(f"{file.path} lists no image", remedy=_REMEDY)
        _no_repeats([file], own, "id")
    _no_repeats(files, names, "file_name")
    if numbers:
        report.notes["images whose id is a number, taken as text"] += numbers
    return ids


def image_problem(image: Any) -> str | None:
    """What keeps a record of `images` from being one; None where nothing does."""
    if not isinstance(image, dict):
        return "it is no object"
    if id_text(image.get("id")) is None:
        return "it has no `id`"
    name = image.get("file_name")
    return None if isinstance(name, str) and name else "it has no `file_name`"


def id_text(value: Any) -> str | None:
    """An id as text that every database takes; files in the wild have numbers. None where it is none."""
    if type(value) is str:
        return (value if value.isascii() and "\x00" not in value else as_text(value)) or None
    return str(value) if type(value) is int else None


def _outline(path: Path, prefix: str, report: ImportReport) -> CocoFile:
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
    return CocoFile(path=path, prefix=prefix, info=info, categories=categories)


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


def _no_repeats(files: Sequence[CocoFile], keys: Keys, field: str) -> None:
    """Raise SourceError, naming file and value, where a text of `keys` stands in two image records."""
    suspects = keys.repeated()
    if not suspects:
        return
    seen: dict[str, CocoFile] = {}
    for file in files:
        for image in file.images():
            text = id_text(image[field]) if image_problem(image) is None else None
            if text is None or hash(text) not in suspects:
                continue
            if text in seen:
                where = "" if seen[text] is file else f", in {seen[text].path} before"
                raise SourceError(
                    f"{file.path}: two images have the {field} {text!r}{where}",
                    remedy="every image needs its own id, and each photograph is listed once",
                )
            seen[text] = file
