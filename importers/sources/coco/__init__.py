"""COCO Camera Traps: photographs, boxes and labels of one file, or of several files together.

Files are read as streams three times: top-level fields, then images and annotations are checked before
anything is written, then the photographs are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from importers.detectors import DetectedBox, Detector
from importers.detectors.categories import to_categories
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage, interpreted
from importers.reading.bad_record import BadRecord, LeaveOut
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.locations import known_location
from importers.reading.paths import VIDEO_SUFFIXES, as_text, suffix_of
from importers.reading.scratch import scratch_database
from importers.sources.coco.annotations import Annotation, Annotations, read_annotations
from importers.sources.coco.file import CocoFile, check_image, check_images, read_outlines
from importers.sources.coco.ids import Ids
from importers.sources.coco.values import ImageValues, id_text, image_values
from pipeline.errors import SourceError
from pipeline.images import size_of
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
    their ids, sequences and locations get a prefix. Bad records are refused one by one, bad values left out.
    Raises SourceError, before anything is written, if a file cannot be used.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    locate = root.locator(options.location_pattern)
    report = ImportReport(source=", ".join(as_text(str(path)) for path in files))
    sources = check(files, report)
    total = sum(source.images for source in sources)
    return Ingestor(workspace, detector, locate, options, report).run(
        source_images(sources, root, report, reads=not options.rows_only), total, progress=progress
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
    sources: Sequence[Source], root: ImageRoot, report: ImportReport, *, reads: bool = True
) -> Iterator[SourceImage]:
    """The photograph of every good image record; bad values of it are left out, and counted in `report`.

    `reads` looks into the file of a photograph for the size that boxes in pixels need and the record lacks.
    """
    for source in sources:
        reader = _Reader(source.file, root, report, reads=reads)
        for place, image in enumerate(islice(source.file.images(), source.images)):
            try:
                check_image(image)
            except BadRecord:
                continue  # `check` has counted it
            yield reader.source_image(image, source.annotations.of(place))


class _Reader:
    """Turns the image records of one file into source images."""

    def __init__(self, file: CocoFile, root: ImageRoot, report: ImportReport, *, reads: bool) -> None:
        self._file = file
        self._source = file.source
        self._root = root
        self._report = report
        self._reads = reads
        self._labels: dict[tuple[str, Level, int | None], SourceLabel | None] = {}  # by people
        names = sorted(set(file.categories.values()))
        kinds = to_categories(names)
        self._kinds = {name: kind or ANIMAL for name, kind in zip(names, kinds, strict=True)}

    def source_image(self, image: Mapping[str, Any], annotations: Sequence[Annotation]) -> SourceImage:
        name = self._root.name_of(image["file_name"])
        path = self._root.path_of(name)
        prefix = self._file.prefix
        where = f"{as_text(str(self._file.path))}: image {id_text(image['id'])}"
        leave_out = partial(self._report.leave_out, where)
        values = image_values(image, leave_out)
        location = known_location(values.location)
        failure = _failure(name, is_corrupt=values.corrupt)
        boxes: tuple[DetectedBox, ...] = ()
        labels: tuple[SourceLabel, ...] = ()
        if failure is None and annotations:
            size = self._size(values, annotations, path)
            boxes, labels = self._boxes_and_labels(annotations, size, leave_out)
        return SourceImage(
            file_name=name if failure is not OUTSIDE else image["file_name"],
            path=path,
            source_name=image["file_name"],
            detections=SourceDetections(detector=self._source, boxes=boxes) if boxes else None,
            labels=labels,
            source_id=prefix + (id_text(image["id"]) or ""),
            width=values.width,
            height=values.height,
            failure=failure,
            location=prefix + location if location else None,
            datetime=values.datetime,
            seq_id=prefix + values.seq_id if values.seq_id else None,
            frame_num=values.frame_num if values.seq_id else None,
            seq_num_frames=values.seq_num_frames if values.seq_id else None,
        )

    def _size(
        self, values: ImageValues, annotations: Sequence[Annotation], path: str
    ) -> tuple[int, int] | None:
        """Width and height in pixels, from the file if boxes need them; None if nothing tells them."""
        if values.width is not None and values.height is not None:
            return values.width, values.height
        is_needed = any(annotation.bbox is not None and not annotation.relative for annotation in annotations)
        return size_of(path) if is_needed and self._reads else None

    def _boxes_and_labels(
        self, annotations: Sequence[Annotation], size: tuple[int, int] | None, leave_out: LeaveOut
    ) -> tuple[tuple[DetectedBox, ...], tuple[SourceLabel, ...]]:
        """The boxes of a photograph, and the labels of the whole photograph or its sequence.

        A box that cannot be used leaves its species as a label of the photograph.
        """
        boxes: list[DetectedBox] = []
        labels: dict[tuple[str | None, Level], SourceLabel] = {}
        for annotation in annotations:
            box = None
            if annotation.bbox is not None and meaning_of(annotation.category) is Meaning.BLANK:
                self._report.notes[Note.BOXES_OF_EMPTY] += 1
            elif annotation.bbox is not None and (size or annotation.relative or self._reads):
                box = _box(annotation, size, leave_out)
            elif annotation.bbox is not None:
                self._report.notes[Note.BOXES_WITHOUT_SIZE] += 1
            if box is None:
                level = Level.IMAGE if annotation.level is Level.BOX else annotation.level
                label = self._label(annotation, level)
                if label is not None:
                    labels.setdefault((label.category, level), label)
                continue
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


def _box(annotation: Annotation, size: tuple[int, int] | None, leave_out: LeaveOut) -> Box | None:
    """The box of an annotation in fractions of the frame; None, and left out, if there is none."""
    if annotation.bbox is None:
        return None
    x, y, w, h = annotation.bbox
    if not annotation.relative:
        if size is None:
            leave_out(
                "bbox", "it is in pixels, and neither the record nor the photograph has a width and height"
            )
            return None
        width, height = size
        x, y, w, h = x / width, y / height, w / width, h / height
    box = Box.from_xywh((x, y, w, h))
    if box is None:
        leave_out("bbox", f"its box {list(annotation.bbox)} is outside the photograph")
    return box


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


def _failure(name: str, *, is_corrupt: bool) -> tuple[str, str] | None:
    """The kind and detail of why an image record is not a usable photograph; None if it is."""
    if is_outside(name):
        return OUTSIDE
    if suffix_of(name) in VIDEO_SUFFIXES:
        return "video", "only photographs are imported"
    if is_corrupt:
        return "corrupt", "the source says that it cannot be read"
    return None
