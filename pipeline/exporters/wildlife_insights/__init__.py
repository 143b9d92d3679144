"""The batch upload of Wildlife Insights: a folder with projects, cameras, deployments and images as CSV.

What Wildlife Insights asks for and Wildloop does not know stays empty; the report says what.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.errors import ExportError
from pipeline.exporters.places import Places
from pipeline.exporters.shown import shown_on
from pipeline.exporters.source import ExportReport, ExportSource, LabelledImage
from pipeline.exporters.wildlife_insights.columns import (
    CAMERA,
    DEPLOYMENT,
    IMAGE,
    PROJECT,
    REQUIRED_OF_DEPLOYMENTS,
    REQUIRED_OF_PROJECTS,
)
from pipeline.exporters.wildlife_insights.rows import (
    Period,
    Row,
    camera_row,
    deployment_row,
    identification,
    is_identified,
    stamp,
)
from pipeline.files.atomic import atomic_folder
from pipeline.files.reading import is_url
from pipeline.records import DeploymentRecord, ImageRecord

SOURCE = "wildlife-insights:"  # the beginning of the provenance of its downloads
_TO_FILL_IN = "columns of {}.csv to fill in, because Wildlife Insights requires them"


def write(
    out: Path, source: ExportSource, *, project_id: str | None = None, images_url: str | None = None
) -> ExportReport:
    """Write the folder `out`, which must not exist. Photographs are not copied.

    `project_id` names the project in the tables; without it, it is that of the only download that came in.
    `images_url` is the folder below which the photographs lie in Google Cloud Storage. One row is written for
    each species on a photograph. Raises ExportError if the project is not known, and FileError if the disk
    refuses.
    """
    report = ExportReport(path=str(out))
    project = project_id or _project_id(source)
    places = Places(source.deployments)
    used: dict[str, DeploymentRecord] = {}
    periods: dict[str, Period] = {}
    for photograph in source.photographs():
        time, deployment = photograph.image.datetime, places.of(photograph.image)
        if deployment is not None and time is not None and not _left_out(photograph):
            used[deployment.id] = deployment
            periods.setdefault(deployment.id, Period(first=time, last=time)).add(time)
    with atomic_folder(out) as folder:
        deployments = [deployment_row(record, periods[id_], project) for id_, record in used.items()]
        found = (camera_row(record, project) for record in used.values())
        cameras = {row["camera_id"]: row for row in found if row is not None}
        about = [{"project_name": source.title, **_project(source, project), "project_id": project}]
        for name, columns, rows, required in (
            ("projects", PROJECT, about, REQUIRED_OF_PROJECTS),
            ("cameras", CAMERA, list(cameras.values()), ()),
            ("deployments", DEPLOYMENT, deployments, REQUIRED_OF_DEPLOYMENTS),
        ):
            _write(folder / f"{name}.csv", columns, rows)
            empty = [column for column in required if not all(row.get(column) for row in rows)]
            if empty:
                report.note(f"{_TO_FILL_IN.format(name)}: {', '.join(empty)}", len(empty))
        _write(folder / "images.csv", IMAGE, _images(source, places, project, images_url, report))
    by_photographs = sum(record.started_at is None or record.ended_at is None for record in used.values())
    if by_photographs:
        report.note("deployments whose period is that of their photographs", by_photographs)
    return report


def _images(
    source: ExportSource, places: Places, project: str, images_url: str | None, report: ExportReport
) -> Iterable[Row]:
    """A row for each thing on each photograph; what is left out is counted in `report`."""
    starts: dict[str, str] = {}  # of the sequence that is being written
    ids: set[int] = set()  # hashes of those that are written
    for photograph in source.photographs():
        image = photograph.image
        why = _left_out(photograph)
        if why is not None:
            report.note(why)
            continue
        deployment = places.of(image)
        if deployment is None or image.datetime is None:
            report.note("photographs without a location or a time left out: Wildlife Insights needs both")
            continue
        answers = shown_on([photograph])
        shown = [each for each in answers if is_identified(each)]
        if not shown:
            report.note(
                "photographs that people are unsure of left out"
                if answers
                else "photographs without an answer left out: upload them as not yet identified"
            )
            continue
        report.count(photograph)
        if image.seq_id is not None and image.seq_id not in starts:
            starts = {image.seq_id: stamp(image.datetime)}
        row = {
            "project_id": project,
            "deployment_id": deployment.id,
            "image_id": _free_id(image, ids),
            "location": _address(image, images_url, report),
            "timestamp": stamp(image.datetime),
            "external_sequence_id": image.seq_id or "",
            "sequence_start_time": starts.get(image.seq_id or "", ""),
        }
        for each in shown:
            identified = identification(each, source.taxa.get(each.category or ""))
            if not identified.get("wi_taxon_id"):
                report.note("rows without wi_taxon_id: look the species up in Wildlife Insights' taxonomy")
            if each.is_machine:
                report.note("rows by a machine, identified_by Computer Vision")
            yield row | identified


def _free_id(image: ImageRecord, taken: set[int]) -> str:
    """The id of a photograph in its source, unless another photograph has it."""
    id_ = image.source_id
    if id_ is None or hash(id_) in taken:
        id_ = image.id
    taken.add(hash(id_))
    return id_


def _left_out(photograph: LabelledImage) -> str | None:
    """Why a photograph has no row; None if it has."""
    if photograph.image.failure is not None:
        return "photographs that failed, left out"
    if photograph.image.video is not None:
        return "frames of videos left out: Wildlife Insights takes photographs"
    return None


def _address(image: ImageRecord, images_url: str | None, report: ExportReport) -> str:
    """Where the photograph lies in Google Cloud Storage, else its file name."""
    if images_url is not None:
        return f"{images_url.rstrip('/')}/{image.file_name}"
    if is_url(image.path):
        return image.path
    before = str((image.details or {}).get("location", ""))  # where it was when it came from there
    if (image.source or "").startswith(SOURCE) and is_url(before):
        return before
    report.note("photographs by file name: --images-url gives their folder in Google Cloud Storage")
    return image.file_name


def _project_id(source: ExportSource) -> str:
    """The project of the only download that deployments come from. Raises ExportError."""
    named = {
        str(record.details["project_id"])
        for record in source.deployments.values()
        if (record.source or "").startswith(SOURCE) and record.details and "project_id" in record.details
    }
    if len(named) != 1:
        found = f"there are {', '.join(sorted(named))}" if named else "no download has been imported"
        raise ExportError(f"which project is it? {found}", remedy="name it: --project-id ID")
    return named.pop()


def _project(source: ExportSource, project: str) -> Row:
    """What the download of the project said of it, if it came in."""
    said = source.packages.get(f"{SOURCE}{project}", {}).get("project")
    return {name: str(value) for name, value in said.items()} if isinstance(said, Mapping) else {}


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
