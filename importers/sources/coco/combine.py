"""Combines several COCO Camera Traps files into one, as an import of several files reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.ingest.report import ImportReport, Note
from importers.sources.coco import check
from importers.sources.coco.file import CocoFile, id_text
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
    notes: Mapping[Note, int]


def combine(out: Path, files: Sequence[Path]) -> Combined:
    """Combine `files` into `out`, which is written whole or not at all.

    If there are several files, ids, sequences and locations get a prefix (ds000_). Categories merge by name
    in lower case, `empty` is 0, and `info.original_info` lists the `info` of each file. All other fields of
    images and annotations are kept. Raises SourceError if a file or any of its records is bad, ExportError
    if `out` cannot be written.
    """
    if out.resolve() in {path.resolve() for path in files}:
        raise SourceError(f"{out} is one of the files to combine", remedy="write to another file")
    report = ImportReport(source=str(out))
    sources = check(files, report)
    if report.refused:
        first, more = ": ".join(report.examples[0]), report.refused.total() - 1
        raise SourceError(
            f"{first}; {more} more such records" if more else first, remedy="correct or remove them first"
        )
    outlines = [source.file for source in sources]
    numbers = _numbers(outlines)
    written = 0
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {json.dumps(_info(outlines))},\n"images": [')
        images = JsonList(file)
        for source_file in outlines:
            for image in source_file.images():
                images.add(_image(image, source_file))
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


def _image(image: Mapping[str, Any], file: CocoFile) -> dict[str, Any]:
    texts = {field: id_text(image.get(field)) for field in ("id", "seq_id", "location")}
    return {**image, **{field: file.prefix + text for field, text in texts.items() if text is not None}}


def _annotation(annotation: Mapping[str, Any], file: CocoFile, numbers: Mapping[str, int]) -> dict[str, Any]:
    category = file.categories[id_text(annotation["category_id"]) or ""]
    ids = {field: file.prefix + (id_text(annotation[field]) or "") for field in ("id", "image_id")}
    return {**annotation, **ids, "category_id": numbers[category]}
