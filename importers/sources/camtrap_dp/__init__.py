"""Camtrap DP packages (version 1.0): deployments, media, and what was observed on media and events.

The tables are read once, before anything is written, and joined in scratch tables on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.bad_record import BadRecord
from importers.reading.image_root import ImageRoot
from importers.reading.locations import Locator, locator, no_location
from importers.reading.paths import as_text
from importers.sources.camtrap_dp import scratch_tables as scratch
from importers.sources.camtrap_dp.labels import findings_of, labels_of
from importers.sources.camtrap_dp.media_paths import Place, Places
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
    """Import a Camtrap DP package: a folder, or a zip that is read where it lies.

    Photographs are looked for below `images` (a folder or a URL), by their path and then by their file
    name, else in the package, else at their URL. `detector` looks at those that come without boxes.
    Rows that break the standard are refused singly. Raises SourceError, before anything is written,
    where the package, a table or a column is missing or damaged.
    """
    options = options or ImportOptions()
    report = ImportReport(source=as_text(str(package)))
    root = ImageRoot(images) if images is not None else None
    with opened(package) as source, scratch.opened() as stage:
        deployments = read(source, stage, report)
        if not stage.media():
            raise SourceError(
                f"{report.source} has no photograph that can be taken{_why(report)}",
                remedy="correct its table of media",
            )
        places = Places(source, stage, root, deployments, report)
        locate = locator(options.location_pattern, no_location)
        intake = Ingestor(workspace, detector, locate, options, report)
        with workspace.database.write() as conn:
            stored_deployments.add(conn, (one.record for one in deployments.values()))
        found = entries(source, stage, places, deployments, locate)
        return intake.run(found, stage.media(), progress=progress)


def read(source: Package, stage: ScratchTables, report: ImportReport) -> dict[str, Deployment]:
    """Read every table into the scratch tables and join them; returns the deployments by id.

    What is refused goes into `report`. Raises SourceError.
    """
    deployments: dict[str, Deployment] = {}
    for where, row in source.rows("deployments"):
        try:
            one = deployment_of(row)
            if one.record.id in deployments:
                raise BadRecord("duplicate", f"deploymentID {one.record.id} is taken")
            deployments[one.record.id] = one
        except BadRecord as exc:
            report.refuse(where, f"deployment: {exc.kind}", exc.what)
    for where, medium in stage.add_media(_media(source, deployments, report)):
        report.refuse(where, "medium: duplicate", f"mediaID {medium.id} is taken")
    for where, observation in stage.add_observations(_observations(source, deployments, report)):
        report.refuse(where, "observation: duplicate", f"observationID {observation.id} is taken")
    stage.join()
    for where, medium_id in stage.strays():
        report.refuse(where, "observation: unknown medium", f"there is no mediaID {medium_id}")
    for what, number in (
        ("observations of events to which no photograph belongs", stage.empty_events()),
        ("photographs whose deployment is not in the package", stage.homeless(deployments)),
        ("deployments without coordinates", sum(_is_nowhere(one) for one in deployments.values())),
        ("deployments whose times name no zone", sum(one.zone is None for one in deployments.values())),
    ):
        if number:
            report.notes[what] += number
    return deployments


def entries(
    source: Package,
    stage: ScratchTables,
    places: Places,
    deployments: Mapping[str, Deployment],
    locate: Locator = no_location,
) -> Iterator[SourceImage]:
    """An entry for each medium, in the order of its table, with its labels, boxes and event.

    The location is its deployment's, unless `locate` reads one from its name.
    """
    provenance = f"camtrap-dp:{source.name}"
    for staged in stage:
        deployment = deployments.get(staged.medium.deployment)
        yield _entry(staged, places.of(staged.medium), provenance, deployment, locate)


def _entry(
    staged: JoinedMedium, place: Place, provenance: str, deployment: Deployment | None, locate: Locator
) -> SourceImage:
    medium = staged.medium
    boxed = [one for one in staged.observations if one.box is not None]
    plain = [one for one in staged.observations if one.box is None]
    ready = SourceDetections(detector=provenance, findings=findings_of(boxed, provenance)) if boxed else None
    known = deployment.record if deployment is not None else None
    return SourceImage(
        file_name=place.name,
        path=place.path,
        ready=ready,
        labels=labels_of(plain, provenance),
        source_id=medium.id,
        failure=place.failure,
        location=locate(place.name) or (known.location if known is not None else medium.deployment),
        datetime=medium.time,
        seq_id=medium.event,
        frame_num=staged.frame,
        seq_num_frames=staged.frames,
        deployment_id=known.id if known is not None else None,
    )


def _media(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Medium]]:
    for where, row in source.rows("media"):
        try:
            yield where, medium_of(row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"medium: {exc.kind}", exc.what)


def _observations(
    source: Package, deployments: Mapping[str, Deployment], report: ImportReport
) -> Iterator[tuple[str, Observation]]:
    for where, row in source.rows("observations"):
        try:
            yield where, observation_of(row, deployments)
        except BadRecord as exc:
            report.refuse(where, f"observation: {exc.kind}", exc.what)


def _is_nowhere(deployment: Deployment) -> bool:
    return deployment.record.latitude is None or deployment.record.longitude is None


def _why(report: ImportReport) -> str:
    parts: Iterable[str] = (f"{number} x {kind}" for kind, number in report.refused.most_common(5))
    listed = ", ".join(parts)
    return f": {listed}" if listed else ""
