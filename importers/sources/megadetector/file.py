"""A results file of MegaDetector, read as a stream: what it is, and its records one by one."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from importers.detectors.categories import to_categories
from importers.detectors.detector import DetectedBox
from importers.ingest.report import ImportReport
from importers.reading.bad_record import BadRecord
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.json_file import is_number, items, mapping
from importers.reading.paths import VIDEO_SUFFIXES, as_text, suffix_of
from importers.sources.megadetector.classes import Classes, read_classes, shown
from pipeline.errors import SourceError
from pipeline.records import Box

VERSIONS = ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
_REMEDY = "is it a results file of MegaDetector?"
_NUMBERS = frozenset({float, int})  # as JSON has them: True is none
_VIDEO_FIELDS = frozenset({"frame_rate", "frames_processed"})


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results file that is one; its records are checked as they are read."""

    path: Path
    detector: str
    categories: Mapping[str, str | None]  # category id to animal, person, vehicle; None: never reported
    images: int
    repeated: frozenset[int]  # hashes of the names that may be listed more than once
    classes: Classes | None = None  # None: classifications are not adopted


class Record(NamedTuple):
    """One image of a results file, whole and listed for the first time."""

    number: int  # from 0, in the file
    given: str  # its name as it stands there
    name: str  # with forward slashes
    failure: tuple[str, str] | None
    findings: tuple[DetectedBox, ...]
    image: Mapping[str, Any]


def check(path: Path, classification_threshold: float | None = None) -> Results:
    """Read the whole file once. Raises SourceError where it is no results file.

    With a threshold, classifications are adopted.
    """
    info = mapping(path, "info", _REMEDY)
    version = str(info.get("format_version"))
    if version not in VERSIONS:
        raise SourceError(
            f"{path}: format_version is {version}",
            remedy=f"versions {VERSIONS[0]} to {VERSIONS[-1]} are read; use MegaDetector 5 or later",
        )
    categories = {str(id_): str(name) for id_, name in mapping(path, "detection_categories", _REMEDY).items()}
    classes = None if classification_threshold is None else read_classes(path, info, classification_threshold)
    hashes = array("q")
    number = 0
    for number, image in enumerate(items(path, "images"), start=1):  # noqa: B007 - counted
        given = image.get("file") if isinstance(image, dict) else None
        if isinstance(given, str):
            hashes.append(hash(given.replace("\\", "/")))
    if not number:
        raise SourceError(f"{path} lists no image", remedy=_REMEDY)
    values, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
    return Results(
        path=path,
        detector=as_text(f"results:{info.get('detector') or 'unnamed'}"),
        categories=dict(zip(categories, to_categories(list(categories.values())), strict=True)),
        images=number,
        repeated=frozenset(values[counts > 1].tolist()),
        classes=classes,
    )


def records(results: Results, root: ImageRoot, report: ImportReport) -> Iterator[Record]:
    """The images of the file that are as the format says, the first where one is listed twice.

    The others are counted in `report`.
    """
    seen: set[str] = set()
    for number, image in enumerate(items(results.path, "images")):
        given = image.get("file") if isinstance(image, dict) else None
        if not isinstance(given, str) or not given:
            report.refuse(f"image {number}", "without a file name", "it needs `file`, the photograph's name")
            continue
        try:
            name = root.name_of(given)
            failure = _ruled_out(image, name)
            found = () if failure is not None else _findings(image, results)
        except BadRecord as exc:
            report.refuse(f"image {number} ({as_text(given)})", exc.kind, exc.what)
            continue
        if results.repeated and hash(given.replace("\\", "/")) in results.repeated:
            if name in seen:
                report.duplicates += 1
                report.complain(as_text(given), "listed a second time; the first entry is used")
                continue
            seen.add(name)
        yield Record(number=number, given=given, name=name, failure=failure, findings=found, image=image)


def _ruled_out(image: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """Kind and detail of what keeps a record from being a photograph with boxes."""
    if is_outside(name):
        return OUTSIDE[0], f"{OUTSIDE[1]}; run MegaDetector with --output_relative_filenames"
    if suffix_of(name) in VIDEO_SUFFIXES or not _VIDEO_FIELDS.isdisjoint(image):
        return "video", "only photographs are imported; run MegaDetector on extracted frames"
    failure = image.get("failure")
    if failure is None:
        return None
    if not isinstance(failure, str):
        raise BadRecord("with a broken `failure`", "`failure` is no text")
    return ("detector", failure) if failure else None


def _findings(image: Mapping[str, Any], results: Results) -> tuple[DetectedBox, ...]:
    detections = image.get("detections")
    if not isinstance(detections, list):
        raise BadRecord("without detections", "neither `detections` nor `failure`; [] says nothing was found")
    found = []
    for place, detection in enumerate(detections):
        try:
            finding = _finding(detection, results)
        except BadRecord as exc:
            raise BadRecord(exc.kind, f"detection {place}: {exc.what}") from None
        if finding is not None:
            found.append(finding)
    return tuple(found)


def _finding(detection: Any, results: Results) -> DetectedBox | None:
    """The finding; None for a box without area, and for what is background. Raises BadRecord."""
    kind = "with a broken detection"
    if not isinstance(detection, dict):
        raise BadRecord(kind, "it is no object")
    given = detection.get("category")
    if not isinstance(given, str) or given not in results.categories:
        raise BadRecord(kind, f"category {shown(given)} is not in detection_categories")
    conf = detection.get("conf")
    if not is_number(conf) or not 0.0 <= conf <= 1.0:
        raise BadRecord(kind, f"conf {shown(conf)} is no number from 0 to 1")
    bbox = detection.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not _NUMBERS.issuperset(map(type, bbox)):
        raise BadRecord(kind, f"bbox {shown(bbox)} is not [x, y, width, height]")
    x, y, width, height = bbox
    if not (-0.1 <= x <= 1.1 and -0.1 <= y <= 1.1 and -0.1 <= width <= 1.1 and -0.1 <= height <= 1.1):
        raise BadRecord(kind, f"bbox {shown(bbox)} is not in fractions of the image")
    box, category = Box.from_xywh(bbox), results.categories[given]
    if box is None or category is None:
        return None
    labels = results.classes.labels(detection.get("classifications")) if results.classes else ()
    return DetectedBox(box=box, confidence=float(conf), category=category, labels=labels)
