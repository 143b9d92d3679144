"""Camtrap DP packages (version 1.0): deployments, media, and observations of media and events.

The tables are read once, before anything is written, and joined in a scratch database on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    Deployment,
    Medium,
    Observation,
    deployment_of,
    medium_of,
    observation_of,
)
from importers.sources.camtrap_dp.scratch_tables import JoinedMedium, ScratchTables
from pipeline.errors import SourceError
from pipeline.store import deployments as stored_deployments
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
    the package, else at their URL. `detector` finds boxes on photographs without. Rows that break the
    standard are refused one by one. Raises SourceError, before anything is written, if the package, a table
    or a column is missing or damaged.
    """
    options = options or ImportOptions()
    report = ImportReport(source=as_text(str(package)))
    root = ImageRoot(images, strip_prefix=options.strip_prefix) if images is not None else None
    with opened(package) as source, scratch_tables.opened() as tables:
        deployments = read(source, tables, report)
        if not tables.media():
            raise SourceError(
                f"{report.source} has no usable photograph{_refused(report)}",
                remedy="correct its table of media",
            )
        paths = MediaPaths(source, tables, root, deployments, report)
        locate = locator(options.location_pattern, no_location)
        ingestor = Ingestor(workspace, detector, locate, options, report)
        with workspace.database.write() as conn:
            stored_deployments.add(conn, (deployment.record for deployment in deployments.values()))
        photographs = source_images(source, tables, paths, deployments, locate)
        return ingestor.run(photographs, tables.media(), progress=progress)


def read(source: Package, tables: ScratchTables, report: ImportReport) -> dict[str, Deployment]:
    """Read every table into the scratch tables and join them; returns the deployments by id.

    Bad rows are refused in `report`. Raises SourceError.
    """
    deployments: dict[str, Deployment] = {}
    for where, row in source.rows("deployments"):
        try:
            deployment = deployment_of(row)
            if deployment.record.id in deployments:
                raise BadRecord("duplicate", f"deploymentID {deployment.record.id} is used twice")
            deployments[deployment.record.id] = deployment
        except BadRecord as exc:
            report.refuse(where, f"deployment: {exc.kind}", exc.what)
    for where, medium in tables.add_media(_media(source, deployments, report)):
        report.refuse(where, "medium: duplicate", f"mediaID {medium.id} is used twice")
    for where, observation in tables.add_observations(_observations(source, deployments, report)):
        report.refuse(where, "observation: duplicate", f"observationID {observation.id} is used twice")
    tables.join()
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
    provenance = f"camtrap-dp:{source.name}"
    for joined in tables:
        deployment = deployments.get(joined.medium.deployment)
        yield _source_image(joined, paths.of(joined.medium), provenance, deployment, locate)


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
        location=locate(path.name) or (record.location if record is not None else medium.deployment),
        datetime=medium.time,
        seq_id=medium.event,
        frame_num=joined.frame,
        seq_num_frames=joined.frames,
        deployment_id=record.id if record is not None else None,
    )


def _media(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Medium]]:
    """The good rows of the media table with their places; the others are refused in `report`."""
    for where, row in source.rows("media"):
        try:
            yield where, medium_of(row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"medium: {exc.kind}", exc.what)


def _observations(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Observation]]:
    """The good rows of the observations table with their places; the others are refused in `report`."""
    for where, row in source.rows("observations"):
        try:
            yield where, observation_of(row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"observation: {exc.kind}", exc.what)


def _has_coordinates(deployment: Deployment) -> bool:
    return deployment.record.latitude is not None and deployment.record.longitude is not None


def _refused(report: ImportReport) -> str:
    kinds = ", ".join(f"{number} x {kind}" for kind, number in report.refused.most_common(5))
    return f": {kinds}" if kinds else ""
