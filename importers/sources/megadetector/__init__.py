"""MegaDetector results files: JSON in the format versions 1.0 to 1.6.

A file is read as a stream twice: first it is checked, before anything is written.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from importers.detectors.detector import DetectedBox
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, detections_of
from importers.ingest.videos import VideoSampler
from importers.reading.clocks import parse_clock_time
from importers.reading.image_root import OUTSIDE, ImageRoot
from importers.reading.json_file import shown
from importers.reading.paths import as_text
from importers.sources.megadetector.file import Record, Results, check, records
from importers.sources.megadetector.repeats import PLACES, find_repeats
from importers.sources.megadetector.videos import VideoRecords
from pipeline.errors import SourceError
from pipeline.images.video import VIDEO
from pipeline.store import taxa
from pipeline.workspace import Workspace


def import_results(
    workspace: Workspace,
    results_json: Path,
    images: str | Path,
    *,
    options: ImportOptions | None = None,
    classifications: bool = False,
    classification_threshold: float = 0.0,
    drop_repeats: bool = False,
    repeats_report: Path | None = None,
    frames_per_second: float | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that a results file lists, with its boxes, from below `images`.

    `classifications` makes the best classification of each box, if its confidence is at least
    `classification_threshold`, a weak label. `drop_repeats` leaves out boxes that stand still across the
    photographs of a camera; `repeats_report` is a CSV file that lists them, dropped or not. Videos become
    sequences of the frames that MegaDetector looked at, at most `frames_per_second`; the frames are in a
    folder named after the video, or sampled from it. Photographs that are missing or outside `images`, or
    that MegaDetector failed on, are recorded as failures. Bad records are refused one by one, bad
    values left out. Raises
    SourceError, before anything is written, if the file is not a results file.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    locate = root.locator(options.location_pattern)
    report = ImportReport(source=as_text(str(results_json)))
    results = check(results_json, root, classification_threshold if classifications else None)
    categories = {category for category in results.categories.values() if category}
    if not options.keep & categories:
        raise SourceError(
            f"{report.source} has the categories {', '.join(sorted(categories))}, "
            f"but only {', '.join(sorted(options.keep))} is kept",
            remedy="keep one of its categories",
        )
    _tell(results, options.threshold, report)
    dropped: Sequence[int] = ()
    if drop_repeats or repeats_report is not None:
        repeats = find_repeats(results, root, locate, options.threshold)
        if repeats_report is not None:
            repeats.write(repeats_report, results, root)
        if drop_repeats:
            dropped = repeats.codes
            options = replace(options, variant="without repeats")
        repeats.count(report, is_dropped=drop_repeats)
    if results.classes is not None:
        with workspace.database.write() as conn:
            taxa.save(conn, results.classes.taxa)
    sampler = VideoSampler(workspace.data_dir, options, report)
    videos = VideoRecords(results, root, sampler, frames_per_second, threshold=options.threshold)
    return Ingestor(workspace, None, locate, options, report).run(
        source_images(
            results,
            root,
            report,
            threshold=options.threshold,
            dropped=dropped,
            has_image_time=options.exif_time,
            videos=videos,
        ),
        results.images,
        progress=progress,
    )


def source_images(
    results: Results,
    root: ImageRoot,
    report: ImportReport,
    *,
    threshold: float = 0.0,
    dropped: Sequence[int] = (),
    has_image_time: bool = True,
    videos: VideoRecords | None = None,
) -> Iterator[SourceImage]:
    """The photograph of every good record.

    `threshold` is the least confidence of boxes that are kept. `dropped` are the codes of boxes to leave
    out, in rising order (see `repeats.PLACES`).
    `has_image_time` uses the time that the file has for an image. Without `videos`, they are failures.
    """
    for record in records(results, root, report):
        path, image = root.path_of(record.name), record.image
        moment = _time(record, report) if has_image_time and image.get("datetime") else None
        if videos is not None and record.failure is not None and record.failure[0] == VIDEO:
            yield from videos.photographs(record, moment, report)
            continue
        if record.failure is not None:
            name = record.source_name if record.failure[0] == OUTSIDE[0] else record.name
            yield SourceImage(file_name=name, path=path, failure=record.failure)
            continue
        boxes = record.boxes
        if dropped:
            boxes = _without(boxes, record.number, dropped)
        yield SourceImage(
            file_name=record.name,
            path=path,
            source_name=record.source_name,
            detections=detections_of(results.detector, boxes, record.unread, threshold),
            width=_pixels(image.get("width")),
            height=_pixels(image.get("height")),
            datetime=moment,
        )


def _tell(results: Results, threshold: float, report: ImportReport) -> None:
    """Note in the report what is odd about the file as a whole."""
    if results.is_old:
        report.notes[Note.OLD_FORMAT] += 1
    report.note_odd_values(results.path)
    typical = results.typical_threshold
    if typical is not None and not math.isclose(typical, threshold):
        report.hints.append(
            f"the detector of {report.source} is meant to be used with a threshold of {typical:g}, and "
            f"--threshold is {threshold:g}"
        )


def _without(boxes: tuple[DetectedBox, ...], number: int, dropped: Sequence[int]) -> tuple[DetectedBox, ...]:
    """The boxes of the image `number` that are not dropped."""
    at = bisect_left(dropped, number << PLACES)
    end = bisect_left(dropped, (number + 1) << PLACES, lo=at)
    if at == end:
        return boxes
    places = {dropped[index] & ((1 << PLACES) - 1) for index in range(at, end)}
    return tuple(box for place, box in enumerate(boxes) if place not in places)


def _pixels(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20 else None


def _time(record: Record, report: ImportReport) -> dt.datetime | None:
    """The camera's clock without its zone; None, and left out, if it cannot be read."""
    value = record.image["datetime"]
    try:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not text")
        return parse_clock_time(value).replace(tzinfo=None)
    except ValueError as exc:
        report.leave_out(record.where, "datetime", f"datetime {as_text(str(exc))}")
        return None
