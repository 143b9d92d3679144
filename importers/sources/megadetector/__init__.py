"""Results of MegaDetector: its JSON format, versions 1.1 to 1.6.

Read as a stream, twice: that the whole file is one is known before anything is written.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from importers.detectors.detector import DetectedBox
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.clocks import parse_clock_time
from importers.reading.image_root import OUTSIDE, ImageRoot
from importers.reading.paths import as_text
from importers.sources.megadetector.file import Results, check, records
from importers.sources.megadetector.repeats import PLACES, find_repeats
from pipeline.errors import SourceError
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
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that a results file lists, with its boxes, from below `images`.

    `classifications` adopts the best classification of each box, of at least `classification_threshold`,
    as a weak label. `drop_repeats` leaves out boxes that stand still across a camera's photographs;
    `repeats_report` is a CSV file that names them, dropped or not. Recorded as failures: photographs that
    are not there, that MegaDetector failed on, that lie outside `images`, and videos. A broken record is
    refused and counted. Raises SourceError, before anything is written, where the file is no results file.
    """
    options = options or ImportOptions()
    root = ImageRoot(images)
    locate = root.locator(options.location_pattern)
    report = ImportReport(source=as_text(str(results_json)))
    results = check(results_json, classification_threshold if classifications else None)
    known = {category for category in results.categories.values() if category}
    if not options.keep & known:
        raise SourceError(
            f"{report.source} has the categories {', '.join(sorted(known))}; "
            f"nothing of it is kept by {', '.join(sorted(options.keep))}",
            remedy="keep one of its categories",
        )
    dropped: Sequence[int] = ()
    if drop_repeats or repeats_report is not None:
        repeats = find_repeats(results, root, locate, options.threshold)
        if repeats_report is not None:
            repeats.write(repeats_report, results, root)
        if drop_repeats:
            dropped = repeats.codes
            options = replace(options, variant="without repeats")
        repeats.tell(report, dropped=drop_repeats)
    return Ingestor(workspace, None, locate, options, report).run(
        entries(results, root, report, dropped=dropped, image_time=options.exif_time),
        results.images,
        progress=progress,
    )


def entries(
    results: Results,
    root: ImageRoot,
    report: ImportReport,
    *,
    dropped: Sequence[int] = (),
    image_time: bool = True,
) -> Iterator[SourceImage]:
    """An entry for each record. `dropped` are findings, in order, that are left out (see PLACES).

    `image_time` takes the time that the file gives for an image.
    """
    for record in records(results, root, report):
        path, image = root.path_of(record.name), record.image
        if record.failure is not None:
            name = record.given if record.failure[0] == OUTSIDE[0] else record.name
            yield SourceImage(file_name=name, path=path, failure=record.failure)
            continue
        found = record.findings
        if dropped:
            found = _without(found, record.number, dropped)
        yield SourceImage(
            file_name=record.name,
            path=path,
            ready=SourceDetections(detector=results.detector, findings=found),
            width=_pixels(image.get("width")),
            height=_pixels(image.get("height")),
            datetime=_moment(image["datetime"], report) if image_time and image.get("datetime") else None,
        )


def _without(found: tuple[DetectedBox, ...], number: int, dropped: Sequence[int]) -> tuple[DetectedBox, ...]:
    at = bisect_left(dropped, number << PLACES)
    end = bisect_left(dropped, (number + 1) << PLACES, lo=at)
    if at == end:
        return found
    out = {dropped[index] & ((1 << PLACES) - 1) for index in range(at, end)}
    return tuple(finding for place, finding in enumerate(found) if place not in out)


def _pixels(given: Any) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 < given < 1 << 20 else None


def _moment(given: Any, report: ImportReport) -> dt.datetime | None:
    """The camera's clock out of "2024:05:01 12:00:00", as EXIF has it, or ISO; None where it is no time."""
    try:
        if isinstance(given, str):
            return parse_clock_time(given).replace(tzinfo=None)
    except ValueError:
        pass
    report.notes["times of images that are none, not used"] += 1
    return None
