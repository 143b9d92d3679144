"""Results of MegaDetector: its JSON format, versions 1.1 to 1.6.

Read as a stream, twice: the whole file is checked before anything is written.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ijson

from importers.detectors.detector import Finding
from importers.detectors.results import box_of
from importers.entries import Entry, ImportOptions, Ready
from importers.intake import Intake
from importers.locations import by_folder, by_pattern
from importers.paths import VIDEO_SUFFIXES, as_text, suffix_of
from importers.report import ImportReport
from pipeline.errors import SourceError
from pipeline.store.database import Database

VERSIONS = ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_VIDEO_FIELDS = ("frame_rate", "frames_processed")


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results file whose every record has been checked."""

    path: Path
    detector: str
    categories: Mapping[str, str]  # category id to name
    photographs: int  # duplicates not counted


def import_results(
    database: Database,
    data_dir: Path,
    results_json: Path,
    images_dir: Path,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that a results file lists, with its boxes, from below `images_dir`.

    Recorded as failures: photographs that are not there, that MegaDetector failed on, that lie outside
    `images_dir`, and videos. Raises SourceError, before anything is written, where the file is no
    results file or a record of it is broken.
    """
    options = options or ImportOptions()
    images_dir = images_dir.expanduser().resolve()
    if not images_dir.is_dir():
        raise SourceError(
            f"{as_text(str(images_dir))} is no folder",
            remedy="--images is the folder that MegaDetector ran on",
        )
    locate = by_pattern(options.location_pattern) if options.location_pattern else by_folder(images_dir)
    report = ImportReport(source=as_text(str(results_json)))
    results = check(results_json, report)
    if not options.keep & set(results.categories.values()):
        raise SourceError(
            f"{report.source} has the categories {', '.join(sorted(results.categories.values()))}; "
            f"nothing of it is kept by {', '.join(sorted(options.keep))}",
            remedy="keep one of its categories",
        )
    return Intake(database, data_dir, None, locate, options, report).run(
        entries(results, images_dir), results.photographs, progress=progress
    )


def check(path: Path, report: ImportReport) -> Results:
    """Read the whole file; duplicates are counted in `report`. Raises SourceError, naming the image."""
    info = _section(path, "info")
    version = str(info.get("format_version"))
    if version not in VERSIONS:
        raise SourceError(
            f"{path}: format_version is {version}",
            remedy=f"versions {VERSIONS[0]} to {VERSIONS[-1]} are read; use MegaDetector 5 or later",
        )
    categories = {str(id_): str(name).lower() for id_, name in _section(path, "detection_categories").items()}
    seen: set[str] = set()
    number = -1
    for number, image in enumerate(_images(path)):
        _check_image(path, number, image, categories)
        if image["file"] in seen:
            report.duplicates += 1
            report.complain(as_text(image["file"]), "listed a second time; the first entry is used")
        seen.add(image["file"])
    if number < 0:
        raise SourceError(f"{path} lists no image", remedy="is it a results file of MegaDetector?")
    return Results(
        path=path,
        detector=f"results:{info.get('detector') or 'unnamed'}",
        categories=categories,
        photographs=len(seen),
    )


def entries(results: Results, images_dir: Path) -> Iterator[Entry]:
    """An entry for each image of a checked file, the first where one is listed twice."""
    seen: set[str] = set()
    for image in _images(results.path):
        if image["file"] not in seen:
            seen.add(image["file"])
            yield _entry(image, results, images_dir)


def _entry(image: Mapping[str, Any], results: Results, images_dir: Path) -> Entry:
    given = image["file"]
    name = given.replace("\\", "/")  # as Windows writes it
    if os.sep not in given and (images_dir / given).exists():
        name = given  # on this system a backslash may be part of a name
    path = str(images_dir / name)
    failure = _ruled_out(image, name)
    if failure is not None:
        return Entry(file_name=given, path=path, failure=failure)
    found = []
    for detection in image["detections"]:
        box = box_of(detection["bbox"])
        if box is not None:
            category = results.categories[detection["category"]]
            found.append(Finding(box=box, confidence=float(detection["conf"]), category=category))
    return Entry(file_name=name, path=path, ready=Ready(detector=results.detector, findings=tuple(found)))


def _ruled_out(image: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """Kind and detail of what keeps a checked record from being a photograph with boxes."""
    if ".." in name.split("/") or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "outside", "not below --images; run MegaDetector with --output_relative_filenames"
    if suffix_of(name) in VIDEO_SUFFIXES or any(field in image for field in _VIDEO_FIELDS):
        return "video", "only photographs are imported; run MegaDetector on extracted frames"
    if image.get("failure"):
        return "detector", str(image["failure"])
    return None


def _check_image(path: Path, number: int, image: Any, categories: Mapping[str, str]) -> None:
    """Raise SourceError, naming file and image, where a record is not as the format says."""
    if not isinstance(image, Mapping) or not isinstance(image.get("file"), str) or not image["file"]:
        raise SourceError(f"{path}: image {number} names no file", remedy="every image needs `file`")
    where = f"{path}: image {number} ({as_text(image['file'])})"
    if image.get("failure") is not None:
        if not isinstance(image["failure"], str):
            raise SourceError(f"{where}: `failure` is no text", remedy="correct or remove it")
        return
    detections = image.get("detections")
    if not isinstance(detections, list):
        raise SourceError(
            f"{where} has neither `detections` nor `failure`", remedy="[] says that nothing was found"
        )
    for place, detection in enumerate(detections):
        problem = _problem(detection, categories)
        if problem is not None:
            raise SourceError(f"{where}: detection {place}: {problem}", remedy="correct or remove it")


def _problem(detection: Any, categories: Mapping[str, str]) -> str | None:
    if not isinstance(detection, Mapping):
        return "it is no object"
    if detection.get("category") not in categories:
        return f"category {detection.get('category')!r} is not in detection_categories"
    if not _is_number(detection.get("conf")) or not 0.0 <= detection["conf"] <= 1.0:
        return f"conf {detection.get('conf')!r} is no number from 0 to 1"
    bbox = detection.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        return f"bbox {bbox!r} is not [x, y, width, height]"
    if not all(-0.1 <= value <= 1.1 for value in bbox):
        return f"bbox {bbox!r} is not in fractions of the image"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _section(path: Path, name: str) -> Mapping[str, Any]:
    """A top-level object of the file, wherever in the file it stands."""
    with _opened(path) as file:
        section = next(ijson.items(file, name, use_float=True), None)
    if not isinstance(section, Mapping):
        raise SourceError(f"{path} has no `{name}`", remedy="is it a results file of MegaDetector?")
    return section


def _images(path: Path) -> Iterator[Any]:
    with _opened(path) as file:
        yield from ijson.items(file, "images.item", use_float=True)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
                file.seek(0)
            yield file
    except OSError as exc:
        raise SourceError(f"{path} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except (ijson.JSONError, UnicodeDecodeError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise SourceError(f"{path} is no JSON, or cut short: {reason}", remedy="write it again") from exc
