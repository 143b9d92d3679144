"""A MegaDetector results file, read as a stream: its header, and its records one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from importers.detectors.categories import to_categories
from importers.detectors.detector import DetectedBox
from importers.ingest.repeated_names import FirstRecords, NameCounter
from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.fractions import box_of, confidence_in, confidence_of, highest
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.json_file import items, mapping, shown
from importers.reading.paths import PHOTO_SUFFIXES, VIDEO_SUFFIXES, as_text, suffix_of
from importers.sources.megadetector.classes import Classes, read_classes
from importers.sources.megadetector.threshold import typical_threshold
from pipeline.errors import SourceError
from pipeline.images.video import VIDEO

VERSIONS = ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
BEFORE = ("None", "1", "1.0")  # what files of 2019 to 2021 say; they have the records of 1.1
_REMEDY = "use a results file of MegaDetector"
WITHOUT_DETECTIONS = (  # kind and problem of a record
    "without detections",
    "neither `detections` nor `failure`; [] means that nothing was found",
)
_VIDEO_FIELDS = ("frame_rate", "frames_processed")


@dataclass(frozen=True, kw_only=True)
class Results:
    """A valid results file; its records are checked while they are read."""

    path: Path
    detector: str
    categories: Mapping[str, str | None]  # category id to animal, person or vehicle; None: ignored
    images: int
    repeated: frozenset[int]  # hashes of names that may be listed more than once
    typical_threshold: float | None  # at which its detector is meant to be used; None: unknown
    is_old: bool  # of a format before 1.1
    classes: Classes | None = None  # None: classifications are not used


class Record(NamedTuple):
    """One good image record, the first of its photograph."""

    number: int  # from 0, in the file
    source_name: str  # in the file
    name: str  # with forward slashes
    failure: tuple[str, str] | None
    boxes: tuple[DetectedBox, ...]
    unread: float | None  # the highest confidence of a detection that cannot be read; None without one
    image: Mapping[str, Any]

    @property
    def where(self) -> str:
        """Its place in the file, for messages."""
        return _place(self.number, self.source_name)


def check(path: Path, root: ImageRoot, classification_threshold: float | None = None) -> Results:
    """Read the file whole. Raises SourceError if it is not a results file.

    `root` tells which names are of one photograph. Classifications are used if there is a threshold.
    """
    info = mapping(path, "info", _REMEDY)
    version = str(info.get("format_version"))
    if version not in (*BEFORE, *VERSIONS):
        raise SourceError(
            f"{path}: format_version is {version}",
            remedy=f"supported are versions {VERSIONS[0]} to {VERSIONS[-1]}; use MegaDetector 5 or later",
        )
    categories = {str(id_): str(name) for id_, name in mapping(path, "detection_categories", _REMEDY).items()}
    classes = None if classification_threshold is None else read_classes(path, info, classification_threshold)
    names = NameCounter()
    number = 0
    for number, image in enumerate(items(path, "images"), start=1):  # noqa: B007 - counted
        name = image.get("file") if isinstance(image, dict) else None
        if isinstance(name, str):
            names.add(root.name_of(name))
    if not number:
        raise SourceError(f"{path} lists no image", remedy=_REMEDY)
    return Results(
        path=path,
        detector=as_text(f"results:{info.get('detector') or 'unnamed'}"),
        categories=dict(zip(categories, to_categories(list(categories.values())), strict=True)),
        images=number,
        repeated=names.repeated(),
        typical_threshold=typical_threshold(info, is_old=version in BEFORE),
        is_old=version in BEFORE,
        classes=classes,
    )


def records(results: Results, root: ImageRoot, report: ImportReport) -> Iterator[Record]:
    """The good image records of the file, the first for each photograph; the others go to `report`."""
    firsts = FirstRecords(results.repeated, report)
    for number, image in enumerate(items(results.path, "images")):
        source_name = image.get("file") if isinstance(image, dict) else None
        if not isinstance(source_name, str) or not source_name:
            report.refuse(f"image {number}", "without a file name", "it needs `file`, the photograph's name")
            continue
        where = _place(number, source_name)
        name = root.name_of(source_name)
        failure = _failure(image, name)
        if failure is None and not isinstance(image.get("detections"), list):
            report.refuse(where, *WITHOUT_DETECTIONS)
            continue
        if not firsts.is_first(name, source_name):
            continue
        boxes: list[DetectedBox] = []
        unread: float | None = None
        for detection in () if failure is not None else detected(image, results, where, report):
            boxes += [] if detection.box is None else [detection.box]
            unread = highest(unread, detection.unread)
        yield Record(
            number=number,
            source_name=source_name,
            name=name,
            failure=failure,
            boxes=tuple(boxes),
            unread=unread,
            image=image,
        )


def _place(number: int, source_name: str) -> str:
    return f"image {number} ({as_text(source_name)})"


def _failure(image: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """The kind and detail of why a record is not a photograph with boxes; None if it is one."""
    if is_outside(name):
        return OUTSIDE[0], f"{OUTSIDE[1]}; run MegaDetector with --output_relative_filenames"
    if _is_video(image, name):
        return VIDEO, "only its frames can be imported"
    failure = image.get("failure")
    return ("detector", failure if isinstance(failure, str) else shown(failure)) if failure else None


def _is_video(image: Mapping[str, Any], name: str) -> bool:
    """Whether a record is of a video, by its ending, else by fields that only videos have."""
    suffix = suffix_of(name)
    if suffix in PHOTO_SUFFIXES or suffix in VIDEO_SUFFIXES:
        return suffix in VIDEO_SUFFIXES
    return any(image.get(field) is not None for field in _VIDEO_FIELDS)


class Detection(NamedTuple):
    """A detection of a record."""

    box: DetectedBox | None  # None if it is broken, or of a background class
    unread: float | None  # of a broken one: its confidence, 1 if that is not known either
    given: Any  # in the file


def detected(
    image: Mapping[str, Any], results: Results, where: str, report: ImportReport
) -> Iterator[Detection]:
    """The detections of a record; broken ones, and broken classifications, are counted in `report`."""
    for place, given in enumerate(image["detections"]):
        at = f"{where}: detection {place}"
        try:
            box = _box(given, results)
        except BadRecord as exc:
            report.leave_out(at, exc.kind, exc.what)
            yield Detection(None, confidence_in(given), given)
            continue
        if box is not None and results.classes is not None:
            try:
                box = replace(box, labels=results.classes.labels(given.get("classifications")))
            except BadRecord as exc:
                report.leave_out(at, exc.kind, exc.what)
        yield Detection(box, None, given)


def _box(detection: Any, results: Results) -> DetectedBox | None:
    """The box of a detection; None if it is of a background class. Raises BadRecord."""
    kind = "detections"
    if not isinstance(detection, dict):
        raise BadRecord(kind, f"{shown(detection)} is not an object")
    id_ = detection.get("category")
    if not isinstance(id_, str) or id_ not in results.categories:
        raise BadRecord(kind, f"category {shown(id_)} is not in detection_categories")
    category = results.categories[id_]
    try:
        conf, box = confidence_of(detection.get("conf"), "conf"), box_of(detection.get("bbox"))
    except BadRecord as exc:
        raise BadRecord(kind, exc.what) from None
    if category is None:
        return None
    if box is None:
        raise BadRecord(kind, f"bbox {shown(detection['bbox'])} has no area within the frame")
    return DetectedBox(box=box, confidence=conf, category=category)
