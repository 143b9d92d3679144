"""Downloads from Wildlife Insights: deployments, photographs, and what people or Computer Vision identified.

The tables are read once, before anything is written, and joined in a scratch database on the disk.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, distinct
from importers.reading import photograph_rows
from importers.reading.bad_record import BadRecord
from importers.reading.image_root import BELOW, OUTSIDE, ImageRoot, is_outside
from importers.reading.locations import Locator, locator, no_location
from importers.reading.paths import as_text
from importers.reading.photograph_rows import AMBIGUOUS, Found, PhotographRow, PhotographRows, Row
from importers.reading.walk import WalkCounts
from importers.sources.wildlife_insights.download import Download, opened
from importers.sources.wildlife_insights.rows import (
    OF_OBSERVATIONS,
    OF_PHOTOGRAPHS,
    deployment_of,
    label_of,
    named_in,
    time_of,
)
from pipeline.errors import SourceError
from pipeline.files.reading import is_url
from pipeline.records import DeploymentRecord, Level, SourceLabel, Taxon
from pipeline.store import deployments as stored_deployments
from pipeline.store import packages, taxa
from pipeline.workspace import Workspace


@dataclass(kw_only=True)
class Tables:
    """What a download says, beside its photographs."""

    name: str  # of the download
    deployments: dict[str, DeploymentRecord] = field(default_factory=dict)
    taxa: dict[str, Taxon] = field(default_factory=dict)  # by category
    projects: dict[str, dict[str, object]] = field(default_factory=dict)  # by source: its row, its cameras

    def source(self, row: Row) -> str:
        """The provenance of a row: its project, else the download."""
        return f"wildlife-insights:{row.get('project_id', self.name)}"


class _Place(NamedTuple):
    """Where a photograph is."""

    name: str
    path: str
    not_at: str | None = None  # as in SourceImage
    failure: tuple[str, str] | None = None


def import_wildlife_insights(
    workspace: Workspace,
    download: Path,
    images: str | None = None,
    detector: Detector | None = None,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import a download from Wildlife Insights: a folder, or a zip that is not unpacked.

    Photographs are found below `images` (a folder or a URL) by the end of their address, then by their file
    name, else at their address (gs://). What people identified are labels, what Computer Vision identified
    weak labels. `detector` finds boxes. Raises SourceError, before anything is written, if a table is
    missing or damaged.
    """
    options = options or ImportOptions()
    report = ImportReport(source=as_text(str(download)))
    root = ImageRoot(images) if images is not None else None
    with opened(download) as source, photograph_rows.opened() as rows:
        tables = read(source, rows, report)
        if not len(rows):
            raise SourceError(f"{report.source} lists no photograph", remedy="check its images.csv")
        if root is not None:
            rows.add_files(root.photographs(workspace.data_dir, WalkCounts()))
        rows.join()
        locate = locator(options.location_pattern, no_location)
        ingestor = Ingestor(workspace, detector, locate, options, report)
        with workspace.database.write() as conn:
            stored_deployments.add(conn, tables.deployments.values())
            taxa.save(conn, tables.taxa.values())
            for name, project in tables.projects.items():
                packages.save(conn, name, project)
        photographs = source_images(tables, rows, root, source.folder, report, locate)
        return ingestor.run(photographs, len(rows), progress=progress)


def read(source: Download, rows: PhotographRows, report: ImportReport) -> Tables:
    """Read every table; the photographs go into `rows`. Raises SourceError."""
    tables = Tables(name=as_text(source.path.stem))
    cameras = {row["camera_id"]: row for _, row in source.rows("cameras") if "camera_id" in row}
    for _, row in source.rows("projects"):
        tables.projects[tables.source(row)] = {"project": row}
    for camera in cameras.values():
        of_project = tables.projects.setdefault(tables.source(camera), {})
        of_project["cameras"] = [*_listed(of_project.get("cameras")), camera]
    for where, row in source.rows("deployments", ("deployment_id",)):
        camera = cameras.get(row.get("camera_id", ""), {})
        try:
            record = deployment_of(
                row, camera, tables.source(row), functools.partial(report.leave_out, where)
            )
            if record.id in tables.deployments:
                raise BadRecord("duplicate", f"deployment_id {record.id} is used twice")
            tables.deployments[record.id] = record
        except BadRecord as exc:
            report.refuse(where, f"deployment: {exc.kind}", exc.what)
    for _, row in source.rows("sequences", ("sequence_id",)):
        if "sequence_id" in row:
            rows.add_of_sequence(row["sequence_id"], row)
            _add_taxon(tables, row)
    for where, row in source.rows("images", ("deployment_id",)):
        addresses = [row[name] for name in ("location", "filename") if name in row]
        if "deployment_id" not in row or not addresses:
            report.refuse(
                where, "photograph: incomplete", "it has no deployment_id, or no filename and location"
            )
            continue
        key = row.get("image_id") or "/".join((row["deployment_id"], *addresses))
        sequence = row.get("sequence_id")
        rows.add(
            key,
            row,
            addresses,
            camera=row["deployment_id"],
            sequence=sequence,
            time=row.get("timestamp", ""),
        )
        _add_taxon(tables, row)
    for note, number in (
        (Note.NO_COORDINATES, sum(record.latitude is None for record in tables.deployments.values())),
        (Note.NO_TIME_ZONE, len(tables.deployments)),
    ):
        if number:
            report.notes[note] += number
    return tables


def source_images(
    tables: Tables,
    rows: PhotographRows,
    root: ImageRoot | None,
    folder: Path,
    report: ImportReport,
    locate: Locator = no_location,
) -> Iterator[SourceImage]:
    """Every photograph, in the order of its table, with its labels and those of its sequence.

    Without `root`, photographs without a URL are looked for in `folder`. The location is the placename of the
    deployment, unless `locate` reads one from the file name.
    """
    for photograph in rows:
        row = photograph.rows[0]
        where = f"image {photograph.key}"
        deployment = tables.deployments.get(row["deployment_id"])
        if deployment is None:
            report.notes[Note.UNKNOWN_DEPLOYMENTS] += 1
        place = _place(photograph, rows, root, folder, deployment, report)
        location = deployment.location if deployment is not None else row["deployment_id"]
        further = {
            column: value for column, value in row.items() if column not in OF_OBSERVATIONS | OF_PHOTOGRAPHS
        }
        yield SourceImage(
            file_name=place.name,
            path=place.path,
            not_at=place.not_at,
            failure=place.failure,
            labels=_labels(photograph, tables, report, where),
            source_id=row.get("image_id"),
            location=locate(place.name) or location,
            datetime=time_of(row, functools.partial(report.leave_out, where)),
            seq_id=photograph.sequence,
            frame_num=photograph.frame,
            seq_num_frames=photograph.frames,
            deployment_id=deployment.id if deployment is not None else None,
            source=tables.source(row) if further else None,
            details=further or None,
        )


def _labels(
    photograph: PhotographRow, tables: Tables, report: ImportReport, where: str
) -> tuple[SourceLabel, ...]:
    """The labels of a photograph: of its sequence if that has any, because its own rows then repeat them."""
    of_sequence = photograph.sequence_rows
    rows, level = (of_sequence, Level.SEQUENCE) if of_sequence else (photograph.rows, Level.IMAGE)
    once = {tuple(sorted(row.items())): row for row in rows}  # a copy of a table may lie beside it
    if len(once) < len(rows):
        report.duplicates += len(rows) - len(once)
        report.complain(where, "a row is there twice; it counts once")
    leave_out = functools.partial(report.leave_out, where)
    given = (label_of(row, tables.source(row), level, leave_out) for row in once.values())
    return distinct(label for label in given if label is not None)


def _place(
    photograph: PhotographRow,
    rows: PhotographRows,
    root: ImageRoot | None,
    folder: Path,
    deployment: DeploymentRecord | None,
    report: ImportReport,
) -> _Place:
    """The place of a photograph: below --images, else at its URL, else in `folder`."""
    row = photograph.rows[0]
    found = Found(name=None)
    if root is not None:
        folders = {row["deployment_id"], *([deployment.location] if deployment is not None else [])}
        found = rows.file_of(photograph, folders)
        if found.name is not None:
            return _Place(found.name, root.path_of(found.name))
        if found.is_ambiguous:
            report.notes[Note.AMBIGUOUS_NAMES] += 1
    file_name = row.get("filename", photograph.addresses[0]).replace("\\", "/").rpartition("/")[2]
    name = f"{row['deployment_id']}/{file_name}"
    url = next((address for address in photograph.addresses if is_url(address)), None)
    if url is not None:
        return _Place(name, url, not_at=BELOW if root is not None else None)
    path = root.path_of(name) if root is not None else f"{folder}/{name}"
    if is_outside(name):
        return _Place(name, path, failure=OUTSIDE)
    return _Place(name, path, failure=AMBIGUOUS if found.is_ambiguous else None)


def _add_taxon(tables: Tables, row: Row) -> None:
    taxon = named_in(row).taxon_by(tables.source(row))
    if taxon is not None:
        tables.taxa.setdefault(taxon.category, taxon)


def _listed(value: object) -> list[Mapping[str, str]]:
    return value if isinstance(value, list) else []
