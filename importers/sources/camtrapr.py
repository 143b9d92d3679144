"""Record tables of camtrapR: one row a record, with its station, species, time and file.

The table is read once, before anything is written, into a scratch database on the disk.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from pathlib import Path

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, interpreted
from importers.reading import csv_file, photograph_rows
from importers.reading.bad_record import LeaveOut
from importers.reading.clocks import parse_clock_time
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.locations import Locator, locator, no_location
from importers.reading.paths import as_text
from importers.reading.photograph_rows import AMBIGUOUS, PhotographRows, Row
from importers.reading.walk import WalkCounts
from pipeline.errors import SourceError
from pipeline.records import SourceLabel
from pipeline.workspace import Workspace

REQUIRED = ("Station", "Species", "FileName")
_KNOWN = frozenset({*REQUIRED, "Directory", "DateTimeOriginal", "Date", "Time", ""})


def import_camtrapr(
    workspace: Workspace,
    table: Path,
    images: str | Path,
    detector: Detector | None = None,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs of a record table of camtrapR.

    They are found below `images` (a folder or a URL) by the end of Directory and FileName, else by FileName
    in a folder of the station. Species are labels by people; the station is the location. `detector` finds
    boxes. Raises SourceError, before anything is written, if the table or a column is missing.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    report = ImportReport(source=as_text(str(table)))
    with photograph_rows.opened() as rows:
        read(table, root, rows, report)
        if not len(rows):
            raise SourceError(f"{report.source} has no record", remedy="write the record table again")
        rows.add_files(root.photographs(workspace.data_dir, WalkCounts()))
        rows.join()
        locate = locator(options.location_pattern, no_location)
        ingestor = Ingestor(workspace, detector, locate, options, report)
        photographs = source_images(rows, root, f"camtrapr:{as_text(table.stem)}", report, locate)
        return ingestor.run(photographs, len(rows), progress=progress)


def read(table: Path, root: ImageRoot, rows: PhotographRows, report: ImportReport) -> None:
    """Read the table into `rows`; bad rows are refused in `report`. Raises SourceError."""
    for line, row in csv_file.rows(table, REQUIRED, missing=csv_file.NOT_AVAILABLE):
        filled = {name: as_text(value) for name, value in row.items() if name and value}
        if "Station" not in filled or "FileName" not in filled:
            report.refuse(f"line {line}", "incomplete", "it has no Station or no FileName")
            continue
        name = root.name_of("/".join(filter(None, (filled.get("Directory"), filled["FileName"]))))
        rows.add(f"{filled['Station']}/{name}", filled, [name], camera=filled["Station"])


def source_images(
    rows: PhotographRows,
    root: ImageRoot,
    source: str,
    report: ImportReport,
    locate: Locator = no_location,
) -> Iterator[SourceImage]:
    """Every photograph with a label for each of its species.

    The location is the station, unless `locate` reads one from the file name.
    """
    for photograph in rows:
        row = photograph.rows[0]
        found = rows.file_of(photograph, {row["Station"]})
        name = found.name or f"{row['Station']}/{row['FileName']}"  # where it should be
        if found.is_ambiguous:
            report.notes[Note.AMBIGUOUS_NAMES] += 1
        leave_out = functools.partial(report.leave_out, name)
        further = {column: value for column, value in row.items() if column not in _KNOWN}
        if found.is_ambiguous or is_outside(name):
            failure = AMBIGUOUS if found.is_ambiguous else OUTSIDE
            yield SourceImage(file_name=name, path=root.path_of(name), failure=failure)
            continue
        labels = (
            interpreted(SourceLabel(category=record["Species"], source=source))
            for record in photograph.rows
            if "Species" in record
        )
        yield SourceImage(
            file_name=name,
            path=root.path_of(name),
            labels=tuple({label.category: label for label in labels if label is not None}.values()),
            location=locate(name) or row["Station"],
            datetime=_time(row, leave_out),
            source=source if further else None,
            details=further or None,
        )


def _time(row: Row, leave_out: LeaveOut) -> dt.datetime | None:
    text = row.get("DateTimeOriginal") or " ".join(row[name] for name in ("Date", "Time") if name in row)
    if not text:
        return None
    try:
        return parse_clock_time(text).replace(tzinfo=None)
    except ValueError as exc:
        leave_out("DateTimeOriginal", f"DateTimeOriginal {exc}")
        return None
