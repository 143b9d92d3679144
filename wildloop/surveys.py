"""Importing what survey software and platforms export: Camtrap DP, eMammal, Wildlife Insights and others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from importers.detectors import Detector
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.sources import camtrap_dp, camtrapr, deployments, emammal, timelapse, wildlife_insights
from importers.sources.deployments import DeploymentsReport
from pipeline.workspace import Workspace
from wildloop._imports import followed, loaded

__all__ = [
    "DeploymentsReport",
    "import_camtrap_dp",
    "import_camtrapr",
    "import_deployments",
    "import_emammal",
    "import_timelapse",
    "import_wildlife_insights",
]


@followed
def import_camtrap_dp(
    workspace: Workspace,
    package: str | Path,
    *,
    images: str | Path | None = None,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import a Camtrap DP package, a folder or a zip; `images` if its photographs lie elsewhere.

    `detector` finds animals on photographs without boxes. Raises SourceError and DetectorError.
    """
    return camtrap_dp.import_camtrap_dp(
        workspace,
        Path(package),
        None if images is None else str(images),
        loaded(detector),
        options=options,
        progress=progress,
    )


@followed
def import_emammal(
    workspace: Workspace,
    sources: Sequence[str | Path],
    *,
    unpack_to: str | Path | None = None,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import deployments from eMammal: zips, or folders that hold zips and unpacked deployments.

    `unpack_to` is the folder for unpacked zips, by default beside each. `detector` finds animals on
    photographs without boxes. Raises SourceError and DetectorError.
    """
    return emammal.import_emammal(
        workspace,
        [Path(source) for source in sources],
        loaded(detector),
        unpack_to=None if unpack_to is None else Path(unpack_to),
        options=options,
        progress=progress,
    )


@followed
def import_wildlife_insights(
    workspace: Workspace,
    download: str | Path,
    *,
    images: str | Path | None = None,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import a download from Wildlife Insights, a folder or a zip; `images` if its photographs are at hand.

    `detector` finds animals on the photographs. Raises SourceError and DetectorError.
    """
    return wildlife_insights.import_wildlife_insights(
        workspace,
        Path(download),
        None if images is None else str(images),
        loaded(detector),
        options=options,
        progress=progress,
    )


@followed
def import_timelapse(
    workspace: Workspace,
    table: str | Path,
    images: str | Path,
    *,
    species_fields: Sequence[str] = (),
    count_field: str | None = None,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the labels of a CSV that Timelapse exported.

    `species_fields` are the fields of its template that name the species, by default those called
    Species; `count_field` is the one with the number of individuals. `detector` finds animals on the
    photographs. Raises SourceError and DetectorError.
    """
    return timelapse.import_timelapse(
        workspace,
        Path(table),
        images,
        loaded(detector),
        species_fields=species_fields,
        count_field=count_field,
        options=options,
        progress=progress,
    )


@followed
def import_camtrapr(
    workspace: Workspace,
    table: str | Path,
    images: str | Path,
    *,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the labels of a record table of camtrapR.

    `detector` finds animals on the photographs. Raises SourceError and DetectorError.
    """
    return camtrapr.import_camtrapr(
        workspace, Path(table), images, loaded(detector), options=options, progress=progress
    )


def import_deployments(workspace: Workspace, table: str | Path) -> DeploymentsReport:
    """Import coordinates, time zones and periods of cameras from a CSV table. Raises SourceError."""
    return deployments.import_deployments(workspace, Path(table))
