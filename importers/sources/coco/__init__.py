"""COCO Camera Traps: photographs, boxes and labels of one file, or of several files together.

Files are read as streams three times: top-level fields, then images and annotations are checked before
anything is written, then the photographs are imported.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from importers.detectors import DetectedBox, Detector
from importers.detectors.categories import to_categories
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage, interpreted
from importers.reading.bad_record import BadRecord
from importers.reading.clocks import parse_clock_time
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.locations import known_location
from importers.reading.paths import VIDEO_SUFFIXES, as_text, suffix_of
from importers.reading.scratch import scratch_database
from importers.sources.coco.annotations import LARGEST, Annotation, Annotations, read_annotations
from importers.sources.coco.file import CocoFile, check_image, check_images, id_text, read_outlines
from importers.sources.coco.ids import Ids
from pipeline.errors import SourceError
from pipeline.records import ANIMAL, EMPTY, Box, Level, SourceLabel
from pipeline.vocabulary import Meaning, meaning_of
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that has been checked, with its annotations."""

    file: CocoFile
    images: int  # records in its list
    annotations: Annotations


def import_coco(
    workspace: Workspace,
    files: Sequence[Path],
    images: str,
    detector: Detector | None,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that COCO Camera Traps files list, from below `images`, a folder or a URL.

    Boxes become detections of `coco:NAME`, and categories become labels of that source. `detector` finds
    boxes on photographs without; if it is None, only their labels are recorded. If there are several files,
    their ids, sequences and locations get a prefix. Bad records are refused one by one. Raises
    SourceError, before anything is written, if a file cannot be used.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    locate = root.locator(options.location_pattern)
    report = ImportReport(source=", ".join(as_text(str(path)) for path in files))
    sources = check(files, report)
    total = sum(source.images for source in sources)
    return Ingestor(workspace, detector, locate, options, report).run(
        source_images(sources, root, report), total, progress=progress
    )


def check(files: Sequence[Path], report: ImportReport) -> list[Source]:
    """Read each file whole; bad records are counted in `report`.

    Raises SourceError, naming the file and the image, for problems that make a file unusable.
    """
    if not files:
        raise SourceError("no file is given", remedy="name at least one")
    outlines = read_outlines(files, report)
    with scratch_database() as connection:
        ids = Ids(connection)
        lengths = check_images(outlines, ids, report)
        return [
            Source(file=file, images=images, annotations=read_annotations(file, images, ids, report))
            for file, images in zip(outlines, lengths, strict=True)
        ]


def source_images(
    sources: Sequence[Source], root: ImageRoot, report: ImportReport, *, has_boxes: bool = True
) -> Iterator[SourceImage]:
    """The photograph of every good image record; bad values of it are refused in `report`.

    Without `has_boxes`, the categories of boxes are labels of their photograph.
    """
    for source in sources:
        reader = _Reader(source.file, root, report)
        for place, image in enumerate(islice(source.file.images(), source.images)):
            try:
                check_image(image)
            except BadRecord:
                continue  # `check` has counted it
            annotations = source.annotations.of(place)
            if not has_boxes:
                annotations = [annotation._replace(bbox=None) for annotation in annotations]
            yield reader.source_image(image, annotations)


class _Reader:
    """Turns the image records of one file into source images."""

    def __init__(self, file: CocoFile, root: ImageRoot, report: ImportReport) -> None:
        self._file = file
        self._source = file.source
        self._root = root
        self._report = report
        self._labels: dict[tuple[str, Level, int | None], SourceLabel | None] = {}  # by people
        names = sorted(set(file.categories.values()))
        kinds = to_categories(names)
        self._kinds = {name: kind or ANIMAL for name, kind in zip(names, kinds, strict=True)}

    def source_image(self, image: Mapping[str, Any], annotations: Sequence[Annotation]) -> SourceImage:
        name = self._root.name_of(image["file_name"])
        prefix = self._file.prefix
        width, height = self._size(image)
        failure = _failure(image, name)
        boxes: tuple[DetectedBox, ...] = ()
        labels: tuple[SourceLabel, ...] = ()
        if failure is None:
            boxes, labels = self._boxes_and_labels(image, annotations, width, height)
        location, seq_id = known_location(id_text(image.get("location"))), id_text(image.get("seq_id"))
        return SourceImage(
            file_name=name if failure is not OUTSIDE else image["file_name"],
            path=self._root.path_of(name),
            source_name=image["file_name"],
            detections=SourceDetections(detector=self._source, boxes=boxes) if boxes else None,
            labels=labels,
            source_id=prefix + (id_text(image["id"]) or ""),
            width=width,
            height=height,
            failure=failure,
            location=prefix + location if location else None,
            datetime=self._time(image),
            seq_id=prefix + seq_id if seq_id else None,
            frame_num=self._number(image, "frame_num", 0) if seq_id else None,
            seq_num_frames=self._number(image, "seq_num_frames", 1) if seq_id else None,
        )

    def _boxes_and_labels(
        self,
        image: Mapping[str, Any],
        annotations: Sequence[Annotation],
        width: int | None,
        height: int | None,
    ) -> tuple[tuple[DetectedBox, ...], tuple[SourceLabel, ...]]:
        """The boxes of a photograph, and the labels of the whole photograph or its sequence."""
        boxes: list[DetectedBox] = []
        labels: dict[tuple[str | None, Level], SourceLabel] = {}
        for annotation in annotations:
            if annotation.bbox is None or meaning_of(annotation.category) is Meaning.BLANK:
                if annotation.bbox is not None:
                    self._report.notes[Note.BOXES_OF_EMPTY] += 1
                level = Level.IMAGE if annotation.level is Level.BOX else annotation.level
                label = self._label(annotation, level)
                if label is not None:
                    labels.setdefault((label.category, level), label)
                continue
            box = self._box(image, annotation, width, height)
            if box is not None:
                label = self._label(annotation, Level.BOX)
                boxes.append(
                    DetectedBox(
                        box=box,
                        confidence=1.0,
                        category=self._kinds[annotation.category],
                        labels=() if label is None else (label,),
                    )
                )
        for key in _contradicted(labels, has_boxes=bool(boxes)) if labels else ():
            del labels[key]
            self._report.notes[Note.EMPTY_CONTRADICTED] += 1
        return tuple(boxes), tuple(labels.values())

    def _box(
        self, image: Mapping[str, Any], annotation: Annotation, width: int | None, height: int | None
    ) -> Box | None:
        """The box in fractions of the frame; None, and refused, if it is unknown or has no area."""
        x, y, w, h = annotation.bbox or (0.0, 0.0, 0.0, 0.0)
        if not annotation.relative:
            if width is None or height is None:
                self._refuse(
                    image, "box in pixels of unknown number", "it has a `bbox`, but no width and height"
                )
                return None
            x, y, w, h = x / width, y / height, w / width, h / height
        box = Box.from_xywh((x, y, w, h))
        if box is None:
            self._refuse(image, "box outside the photograph", f"its box is {list(annotation.bbox or ())}")
        return box

    def _label(self, annotation: Annotation, level: Level) -> SourceLabel | None:
        """The label of an annotation; None if its category says nothing."""
        key = (annotation.category, level, annotation.individuals)
        if key in self._labels and not annotation.weak:
            return self._labels[key]
        label = interpreted(
            SourceLabel(
                category=annotation.category,
                source=self._source,
                level=level,
                weak=annotation.weak,
                confidence=annotation.confidence,
                count=annotation.individuals,
            )
        )
        if not annotation.weak:
            self._labels[key] = label
        return label

    def _size(self, image: Mapping[str, Any]) -> tuple[int | None, int | None]:
        width, height = self._number(image, "width", 1), self._number(image, "height", 1)
        return (width, height) if width and height else (None, None)

    def _number(self, image: Mapping[str, Any], field: str, least: int) -> int | None:
        """The whole number in a field; None, and refused, if it is anything else."""
        value = image.get(field)
        if value is None or value == -1:  # not known
            return None
        if type(value) is int and least <= value <= LARGEST:
            return value
        if isinstance(value, float) and value.is_integer() and least <= value <= LARGEST:
            return int(value)
        self._refuse(image, field, f"{field} {_short(value)} is not a number of at least {least}")
        return None

    def _time(self, image: Mapping[str, Any]) -> dt.datetime | None:
        """The camera's clock without its zone; None, and refused, if `datetime` cannot be read."""
        value = image.get("datetime")
        if value is None or value == "":
            return None
        try:
            if not isinstance(value, str):
                raise ValueError(f"{_short(value)} is not text")
            return parse_clock_time(value).replace(tzinfo=None)
        except ValueError as exc:
            self._refuse(image, "datetime", f"datetime {as_text(str(exc))}")
            return None

    def _refuse(self, image: Mapping[str, Any], kind: str, what: str) -> None:
        self._report.refuse(f"{as_text(str(self._file.path))}: image {id_text(image['id'])}", kind, what)


def _contradicted(
    labels: Mapping[tuple[str | None, Level], SourceLabel], *, has_boxes: bool
) -> list[tuple[str | None, Level]]:
    """The keys of labels `empty` that a box contradicts, or another label of the same level or nearer."""
    keys: list[tuple[str | None, Level]] = []
    for level in (Level.IMAGE, Level.SEQUENCE):
        is_seen = any(
            category != EMPTY and (other is level or level is Level.SEQUENCE) for category, other in labels
        )
        if (EMPTY, level) in labels and (has_boxes or is_seen):
            keys.append((EMPTY, level))
    return keys


def _failure(image: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """The kind and detail of why an image record is not a usable photograph; None if it is."""
    if is_outside(name):
        return OUTSIDE
    if suffix_of(name) in VIDEO_SUFFIXES:
        return "video", "only photographs are imported"
    if image.get("corrupt") is True:
        return "corrupt", "the source says that it cannot be read"
    return None


def _short(value: Any) -> str:
    return as_text(repr(value))[:60]
