"""Camtrap DP packages (version 1.0): deployments, media, and observations of media and events.

The tables are read once, before anything is written, and joined in a scratch database on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.bad_record import BadRecord
from importers.reading.image_root import ImageRoot
from importers.reading.locations import Locator, locator, no_location
from importers.reading.paths import as_text
from importers.sources.camtrap_dp import scratch_tables
from importers.sources.camtrap_dp.labels import boxes_of, labels_of
from importers.sources.camtrap_dp.media_paths import MediaPath, MediaPaths
from importers.sources.camtrap_dp.package import Package, opened
from importers.sources.camtrap_dp.rows import (
    Cells,
    Deployment,
    Medium,
    Observation,
    cells_of,
    deployment_of,
    medium_of,
    observation_of,
)
from importers.sources.camtrap_dp.scratch_tables import JoinedMedium, ScratchTables
from importers.sources.camtrap_dp.taxonomy import taxa_of
from pipeline.errors import SourceError
from pipeline.store import deployments as stored_deployments
from pipeline.store import packages as stored_packages
from pipeline.store import taxa as stored_taxa
from pipeline.workspace import Workspace


def import_camtrap_dp(
    workspace: Workspace,
    package: Path,
    images: str | None = None,
    detector: Detector | None = None,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import a Camtrap DP package: a folder, or a zip that is not unpacked.

    Photographs are found below `images` (a folder or a URL) by their path, then by their file name, else in
    the package, else at their URL. `detector` finds boxes on photographs without. Values that the standard
    does not take are left out, and rows that say too little are refused, one by one. Descriptor, rows and
    taxa are stored as they came, for exports. Raises SourceError, before anything is written, if the
    package, a table or a column is missing or damaged.
    """
    options = options or ImportOptions()
    report = ImportReport(source=as_text(str(package)))
    root = ImageRoot(images, strip_prefix=options.strip_prefix) if images is not None else None
    with opened(package) as found, scratch_tables.opened() as tables:
        source = _named_apart(workspace, found)
        deployments = read(source, tables, report)
        if not tables.media():
            raise SourceError(
                f"{report.source} has no usable photograph{_refused(report)}",
                remedy="correct its table of media",
            )
        deployments = _apart(workspace, deployments, source.provenance)
        paths = MediaPaths(source, tables, root, deployments, report)
        locate = locator(options.location_pattern, no_location)
        ingestor = Ingestor(workspace, detector, locate, options, report)
        with workspace.database.write() as conn:
            stored_deployments.add(conn, (deployment.record for deployment in deployments.values()))
            stored_packages.save(conn, source.provenance, source.stored())
            stored_taxa.save(conn, taxa_of(source.descriptor, tables.species(), source.provenance))
        photographs = source_images(source, tables, paths, deployments, locate)
        return ingestor.run(photographs, tables.media(), progress=progress)


def read(source: Package, tables: ScratchTables, report: ImportReport) -> dict[str, Deployment]:
    """Read every table into the scratch tables and join them; returns the deployments by id.

    Bad rows are refused in `report`. Raises SourceError.
    """
    deployments: dict[str, Deployment] = {}
    for where, row, cells in _rows(source, "deployments"):
        try:
            deployment = deployment_of(cells, row, source.provenance)
            if deployment.record.id in deployments:
                raise BadRecord("duplicate", f"deploymentID {deployment.record.id} is used twice")
            deployments[deployment.record.id] = deployment
        except BadRecord as exc:
            report.refuse(where, f"deployment: {exc.kind}", exc.what)
        else:
            _leave_out(where, cells, report)
    for where, medium in tables.add_media(_media(source, deployments, report)):
        report.refuse(where, "medium: duplicate", f"mediaID {medium.id} is used twice")
    for where, observation in tables.add_observations(_observations(source, deployments, report)):
        report.refuse(where, "observation: duplicate", f"observationID {observation.id} is used twice")
    tables.join()
    _add_events(deployments, tables.rows_without_media())
    for where, medium_id in tables.of_unknown_media():
        report.refuse(where, "observation: unknown medium", f"there is no mediaID {medium_id}")
    for note, count in (
        (Note.EVENTS_WITHOUT_MEDIA, tables.events_without_media()),
        (Note.UNKNOWN_DEPLOYMENTS, tables.without_deployment(deployments)),
        (Note.NO_COORDINATES, sum(not _has_coordinates(deployment) for deployment in deployments.values())),
        (Note.NO_TIME_ZONE, sum(deployment.zone is None for deployment in deployments.values())),
    ):
        if count:
            report.notes[note] += count
    return deployments


def source_images(
    source: Package,
    tables: ScratchTables,
    paths: MediaPaths,
    deployments: Mapping[str, Deployment],
    locate: Locator = no_location,
) -> Iterator[SourceImage]:
    """Every medium, in the order of its table, with its labels, boxes and event.

    The location is that of the deployment, unless `locate` reads one from the file name.
    """
    for joined in tables:
        deployment = deployments.get(joined.medium.deployment)
        yield _source_image(joined, paths.of(joined.medium), source.provenance, deployment, locate)


def _source_image(
    joined: JoinedMedium, path: MediaPath, provenance: str, deployment: Deployment | None, locate: Locator
) -> SourceImage:
    medium = joined.medium
    boxes = boxes_of(joined.observations, provenance)
    without_box = (observation for observation in joined.observations if observation.box is None)
    record = deployment.record if deployment is not None else None
    return SourceImage(
        file_name=path.name,
        path=path.path,
        detections=SourceDetections(detector=provenance, boxes=boxes) if boxes else None,
        labels=labels_of(without_box, provenance),
        source_id=medium.id,
        failure=path.failure,
        not_at=path.not_at,
        location=locate(path.name) or (record.location if record is not None else medium.deployment),
        datetime=medium.time,
        seq_id=medium.event,
        frame_num=joined.frame,
        seq_num_frames=joined.frames,
        deployment_id=record.id if record is not None else None,
        source=provenance,
        details={
            "media": dict(medium.row),
            "observations": [dict(each.row) for each in joined.observations if each.medium is not None],
            "events": [dict(row) for row in joined.events],
        },
    )


def _named_apart(workspace: Workspace, package: Package) -> Package:
    """The package, with its id in its name if another package has its name."""
    id_ = package.descriptor.get("id")
    with workspace.database.read() as conn:
        stored = stored_packages.all(conn).get(package.provenance, {}).get("id")
    if stored is None or not isinstance(id_, str) or stored == id_:
        return package
    return replace(package, name=f"{package.name} ({as_text(id_)})")


def _apart(workspace: Workspace, deployments: Mapping[str, Deployment], source: str) -> dict[str, Deployment]:
    """The deployments by their ids in the package, with other ids where another package has these."""
    with workspace.database.read() as conn:
        stored = stored_deployments.all(conn)
    others = {id_ for id_, record in stored.items() if record.source not in (None, source)}
    return {
        id_: replace(deployment, record=replace(deployment.record, id=f"{id_} ({source})"))
        if id_ in others
        else deployment
        for id_, deployment in deployments.items()
    }


def _add_events(
    deployments: dict[str, Deployment], observations: Iterable[tuple[str, Mapping[str, str]]]
) -> None:
    """Keep the observations of events without media with their deployments."""
    by_deployment: dict[str, list[Mapping[str, str]]] = {}
    for id_, row in observations:
        by_deployment.setdefault(id_, []).append(row)
    for id_ in by_deployment.keys() & deployments.keys():
        record = deployments[id_].record
        details = {**(record.details or {}), "observations": by_deployment[id_]}
        deployments[id_] = replace(deployments[id_], record=replace(record, details=details))


def _rows(source: Package, table: str) -> Iterator[tuple[str, Mapping[str, str], Cells]]:
    """The place of every row of a table, the row as it came, and its good values."""
    for where, row in source.rows(table):
        yield where, row, cells_of(table, row)


def _leave_out(where: str, cells: Cells, report: ImportReport) -> None:
    """Count the values of a row that are not used."""
    for column, what in cells.wrong:
        report.leave_out(where, column, what)


def _media(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Medium]]:
    """The good rows of the media table with their places; the others are refused in `report`."""
    for where, row, cells in _rows(source, "media"):
        try:
            medium = medium_of(cells, row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"medium: {exc.kind}", exc.what)
        else:
            _leave_out(where, cells, report)
            yield where, medium


def _observations(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Observation]]:
    """The good rows of the observations table with their places; the others are refused in `report`."""
    for where, row, cells in _rows(source, "observations"):
        try:
            observation = observation_of(cells, row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"observation: {exc.kind}", exc.what)
        else:
            _leave_out(where, cells, report)
            yield where, observation


def _has_coordinates(deployment: Deployment) -> bool:
    return deployment.record.latitude is not None and deployment.record.longitude is not None


def _refused(report: ImportReport) -> str:
    kinds = ", ".join(f"{number} x {kind}" for kind, number in report.refused.most_common(5))
    return f": {kinds}" if kinds else ""
