"""CSV files of Timelapse: one row a photograph, with the fields of the user's own template.

The table is read once, before anything is written, into a scratch database on the disk.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from importers.detectors import Detector
from importers.ingest import videos
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, distinct, interpreted
from importers.ingest.videos import FRAMES_PER_SECOND, VideoSampler
from importers.reading import csv_file, photograph_rows
from importers.reading.bad_record import LeaveOut
from importers.reading.csv_file import number_in
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.paths import VIDEO_SUFFIXES, as_text, suffix_of
from importers.reading.photograph_rows import PhotographRows
from importers.sources.timelapse.table import (
    REQUIRED,
    Row,
    SpeciesField,
    answer_in,
    fields_of,
    is_deleted,
    time_of,
)
from pipeline.errors import PhotoError, SourceError
from pipeline.files import reading
from pipeline.records import LARGEST, Level, SourceLabel
from pipeline.workspace import Workspace


def import_timelapse(
    workspace: Workspace,
    table: Path,
    images: str | Path,
    detector: Detector | None = None,
    *,
    species_fields: Sequence[str] = (),
    count_field: str | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs of a CSV that Timelapse exported, from below `images`.

    `species_fields` are the fields of the template that name the species, by default those called
    Species; `count_field` is the one that has the number of individuals. They are labels by people.
    Photographs marked for deletion are skipped. `detector` finds boxes. Raises SourceError, before
    anything is written, if the table or a field is missing.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    report = ImportReport(source=as_text(str(table)))
    fields, further = fields_of(table, species_fields, count_field)
    if not species_fields:
        report.notes[Note.SPECIES_FIELDS] += len(fields)
    with photograph_rows.opened() as rows:
        read(table, root, rows, report)
        if not len(rows):
            raise SourceError(f"{report.source} lists no photograph to import", remedy="export it again")
        rows.join()
        ingestor = Ingestor(workspace, detector, root.locator(options.location_pattern), options, report)
        source = f"timelapse:{as_text(table.stem)}"
        sampler = VideoSampler(workspace.data_dir, options, report)
        photographs = source_images(rows, root, fields, source, further, sampler, report)
        return ingestor.run(photographs, len(rows), progress=progress)


def read(table: Path, root: ImageRoot, rows: PhotographRows, report: ImportReport) -> None:
    """Read the table into `rows`; what is not imported is counted in `report`. Raises SourceError."""
    below: dict[str, str] = {}  # by RootFolder: what precedes a name below --images
    for line, row in csv_file.rows(table, REQUIRED):
        filled = {name: as_text(value) for name, value in row.items() if value}
        where = f"line {line}"
        if "File" not in filled:
            report.refuse(where, "without a file name", "it has no File")
            continue
        if is_deleted(filled):
            report.notes[Note.MARKED_FOR_DELETION] += 1
            continue
        name = root.name_of("/".join(filter(None, (row["RelativePath"], row["File"]))))
        folder = filled.get("RootFolder") or filled.get("Folder", "")
        if folder not in below:
            below[folder] = _below(root, folder, name)
        name = below[folder] + name
        rows.add(name, filled, [name])


def source_images(
    rows: PhotographRows,
    root: ImageRoot,
    fields: Sequence[SpeciesField],
    source: str,
    further: frozenset[str],
    sampler: VideoSampler,
    report: ImportReport,
) -> Iterator[SourceImage]:
    """Every photograph with the labels of its fields; what `further` fields say is kept beside it.

    `sampler` makes photographs of videos.
    """
    for photograph in rows:
        name, row = photograph.key, photograph.rows[0]
        path = root.path_of(name)
        leave_out = functools.partial(report.leave_out, name)
        if is_outside(name):
            yield SourceImage(file_name=name, path=path, failure=OUTSIDE)
            continue
        try:
            time = time_of(row)
        except ValueError as exc:
            leave_out("DateTime", f"DateTime {exc}")
            time = None
        details = {field: row[field] for field in sorted(further) if field in row}
        seen = SourceImage(
            file_name=name,
            path=path,
            labels=_labels(photograph.rows, fields, source, leave_out),
            datetime=time,
            source=source if details else None,
            details=details or None,
        )
        if suffix_of(name) in VIDEO_SUFFIXES:
            yield from _frames(seen, sampler, report)
        else:
            yield seen


def _frames(seen: SourceImage, sampler: VideoSampler, report: ImportReport) -> Iterator[SourceImage]:
    """The frames of a video, sampled; what is said of the video is said of all of them together."""
    name, path = seen.file_name, seen.path
    try:
        frames = sampler.by_rate(path, FRAMES_PER_SECOND)
    except PhotoError as exc:
        yield videos.failed(name, path, exc.detail)
        return
    report.notes[Note.VIDEOS] += 1
    frames = replace(frames, started_at=seen.datetime or frames.started_at)
    labels = tuple(replace(label, level=Level.SEQUENCE) for label in seen.labels)
    for frame in videos.photographs(name, path, frames):
        yield replace(frame, labels=labels, source=seen.source, details=seen.details)


def _labels(
    rows: Sequence[Row], fields: Sequence[SpeciesField], source: str, leave_out: LeaveOut
) -> tuple[SourceLabel, ...]:
    """The labels of a photograph: it has several rows where somebody duplicated one for another species."""
    labels: list[SourceLabel] = []
    for row, field in product(rows, fields):
        answer = answer_in(row, field)
        if answer is None:
            continue
        category, count = answer
        weak = field.method is not None and row.get(field.method, "").lower() == "machine"
        label = interpreted(
            SourceLabel(
                category=category,
                source=source,
                weak=weak,
                confidence=number_in(row, field.probability or "", 0.0, 1.0, leave_out) if weak else None,
                count=count or _count(row, field.count or "", leave_out),
            )
        )
        if label is not None:
            labels.append(label)
    return distinct(dict.fromkeys(labels))  # a row may also be there twice


def _count(row: Row, column: str, leave_out: LeaveOut) -> int | None:
    number = number_in(row, column, 0.0, LARGEST, leave_out)
    return int(number) if number else None


def _below(root: ImageRoot, folder: str, name: str) -> str:
    """What precedes a name below --images: RootFolder if that is a folder there, else nothing."""
    if not folder or root.is_url or is_outside(f"{folder}/{name}"):
        return ""
    if reading.stat(root.path_of(name)) is not None or not Path(root.path_of(folder)).is_dir():
        return ""
    return f"{folder}/"
