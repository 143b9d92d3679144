"""Combines several COCO Camera Traps files into one, as an import of several files reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.ingest.report import ImportReport, Note
from importers.sources.coco import check
from importers.sources.coco.file import CocoFile
from importers.sources.coco.values import annotation_values, id_text, image_values
from pipeline.errors import SourceError
from pipeline.exporters.coco import VERSION
from pipeline.exporters.writing import JsonList
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY


@dataclass(frozen=True, kw_only=True)
class Combined:
    """The counts of a combined file."""

    images: int
    annotations: int
    categories: int
    unused_values: Mapping[str, int]  # bad values of good records, by field
    unused_fields: Mapping[str, int]  # further parts of the files, by name
    notes: Mapping[Note, int]


class _Checked(ImportReport):
    """A report that keeps the first bad record."""

    first_refused = ""

    def refuse(self, where: str, kind: str, what: str) -> None:
        self.first_refused = self.first_refused or f"{where}: {what}"
        super().refuse(where, kind, what)


def combine(out: Path, files: Sequence[Path]) -> Combined:
    """Combine `files` into `out`, which is written whole or not at all.

    If there are several files, ids, sequences and locations get a prefix (ds000_). Categories merge by name
    in lower case, `empty` is 0, and `info.original_info` lists the `info` of each file. All other fields of
    images and annotations are kept, except values that no import uses. Raises SourceError if a file or any
    of its records is bad, ExportError if `out` cannot be written.
    """
    if out.resolve() in {path.resolve() for path in files}:
        raise SourceError(f"{out} is one of the files to combine", remedy="write to another file")
    report = _Checked(source=str(out))
    sources = check(files, report)
    if report.refused:
        first, more = report.first_refused, report.refused.total() - 1
        raise SourceError(
            f"{first}; {more} more such records" if more else first, remedy="correct or remove them first"
        )
    outlines = [source.file for source in sources]
    numbers = _numbers(outlines)
    written = 0
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {json.dumps(_finite(_info(outlines)))},\n"images": [')
        images = JsonList(file)
        for source_file in outlines:
            for image in source_file.images():
                images.add(_image(image, source_file, report))
        file.write('],\n"annotations": [')
        annotations = JsonList(file)
        for source_file in outlines:
            for annotation in source_file.annotations():
                annotations.add(_annotation(annotation, source_file, numbers))
                written += 1
        categories = [{"id": number, "name": name} for name, number in numbers.items()]
        file.write(f'],\n"categories": {json.dumps(categories)}}}\n')
    return Combined(
        images=sum(source.images for source in sources),
        annotations=written,
        categories=len(numbers),
        unused_values=report.unused_values,
        unused_fields=report.unused_fields,
        notes=report.notes,
    )


def _numbers(files: Sequence[CocoFile]) -> dict[str, int]:
    """A number for each category by name: `empty` 0, the others in the order of the files."""
    names = dict.fromkeys([EMPTY, *(name for file in files for name in file.categories.values())])
    return {name: number for number, name in enumerate(names)}


def _info(files: Sequence[CocoFile]) -> dict[str, Any]:
    names = ", ".join(file.path.name for file in files)
    return {
        "version": VERSION,
        "description": f"combined from {names}",
        "original_info": [file.info for file in files],
    }


def _image(image: Mapping[str, Any], file: CocoFile, report: ImportReport) -> dict[str, Any]:
    bad: list[str] = []
    values = image_values(image, lambda field, _: bad.append(field))
    report.unused_values.update(bad)
    own = {"id": id_text(image["id"]), "seq_id": values.seq_id, "location": values.location}
    kept = {field: _finite(value) for field, value in image.items() if field not in (*own, *bad)}
    return kept | {field: file.prefix + text for field, text in own.items() if text is not None}


def _annotation(annotation: Mapping[str, Any], file: CocoFile, numbers: Mapping[str, int]) -> dict[str, Any]:
    bad: list[str] = []
    annotation_values(annotation, lambda field, _: bad.append(field))
    kept = {field: _finite(value) for field, value in annotation.items() if field not in bad}
    category = file.categories[id_text(annotation["category_id"]) or ""]
    ids = {field: file.prefix + (id_text(annotation[field]) or "") for field in ("id", "image_id")}
    return {**kept, **ids, "category_id": numbers[category]}


def _finite(value: Any) -> Any:
    """A value of the file with null for numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {field: _finite(item) for field, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
