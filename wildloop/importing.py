"""Importing photographs, boxes and labels into a workspace.

`progress` shows a progress bar on standard error. Every import can be stopped and run again: it continues
where it stopped. Reports count what was imported and what was not, name the first problems, and say in
`hints` what is doubtful, such as locations. Photographs are found by their names below `images`, absolute or
not; `ImportOptions.strip_prefix` is what a source's names have in front of that. Where there is a labelling
project, an import requests that a worker embeds and publishes the new crops; `embed`, `publish` and `refresh`
do so here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from importers.detectors import Detector, load_detector
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.sources import (
    camtrap_dp,
    camtrapr,
    coco,
    crop_folder,
    deployments,
    detections_csv,
    emammal,
    folder,
    megadetector,
    speciesnet,
    timelapse,
    wildlife_insights,
)
from importers.sources.coco.combine import Combined, combine
from importers.sources.deployments import DeploymentsReport
from pipeline import jobs
from pipeline.records import Role
from pipeline.workspace import Workspace

__all__ = [
    "Combined",
    "DeploymentsReport",
    "Detector",
    "ImportOptions",
    "ImportReport",
    "combine_coco",
    "import_camtrap_dp",
    "import_camtrapr",
    "import_coco",
    "import_crops",
    "import_deployments",
    "import_detections_csv",
    "import_emammal",
    "import_folder",
    "import_megadetector",
    "import_speciesnet",
    "import_timelapse",
    "import_wildlife_insights",
    "load_detector",
]

Import = TypeVar("Import", bound=Callable[..., ImportReport])


def _followed(run: Import) -> Import:
    """The import; afterwards, embedding and publishing of its crops are requested for the projects."""

    @wraps(run)
    def followed(workspace: Workspace, *arguments: Any, **options: Any) -> ImportReport:
        report = run(workspace, *arguments, **options)
        chosen: ImportOptions = options.get("options") or ImportOptions()
        if chosen.role is Role.TARGET and not chosen.rows_only:
            jobs.request_follow_up(workspace, trigger="import")
        return report

    return cast(Import, followed)


@_followed
def import_folder(
    workspace: Workspace,
    photographs: str | Path,
    *,
    detector: str | Detector = "megadetector",
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every photograph below a folder; `detector` finds the animals.

    `detector` is a specification such as `megadetector`, `onnx:FILE`, `torchvision:NAME` or `whole-frame`
    (each photograph is a crop already), or a loaded detector. Raises SourceError and DetectorError.
    """
    return folder.import_folder(
        workspace,
        Path(photographs),
        load_detector(detector) if isinstance(detector, str) else detector,
        options=options,
        progress=progress,
    )


@_followed
def import_megadetector(
    workspace: Workspace,
    results: str | Path,
    images: str | Path,
    *,
    classifications: bool = False,
    classification_threshold: float = 0.0,
    drop_repeats: bool = False,
    repeats_report: str | Path | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the boxes of a MegaDetector results file.

    `classifications`: keep the best classification of each box as a weak label. `drop_repeats`: leave out
    repeat detections, which `repeats_report` lists in a CSV. Raises SourceError.
    """
    return megadetector.import_results(
        workspace,
        Path(results),
        images,
        options=options,
        classifications=classifications,
        classification_threshold=classification_threshold,
        drop_repeats=drop_repeats,
        repeats_report=None if repeats_report is None else Path(repeats_report),
        progress=progress,
    )


@_followed
def import_speciesnet(
    workspace: Workspace,
    predictions: str | Path,
    images: str | Path,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the boxes of a SpeciesNet results file.

    Its answers become weak labels. Raises SourceError.
    """
    return speciesnet.import_speciesnet(
        workspace, Path(predictions), images, options=options, progress=progress
    )


@_followed
def import_coco(
    workspace: Workspace,
    files: Sequence[str | Path],
    images: str | Path,
    *,
    detector: str | Detector | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the boxes and labels of COCO Camera Traps files.

    `detector` finds animals on photographs without boxes. Raises SourceError and DetectorError.
    """
    return coco.import_coco(
        workspace,
        [Path(file) for file in files],
        str(images),
        _loaded(detector),
        options=options,
        progress=progress,
    )


@_followed
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
        _loaded(detector),
        options=options,
        progress=progress,
    )


@_followed
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
        _loaded(detector),
        options=options,
        progress=progress,
    )


@_followed
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
        _loaded(detector),
        species_fields=species_fields,
        count_field=count_field,
        options=options,
        progress=progress,
    )


@_followed
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
        workspace, Path(table), images, _loaded(detector), options=options, progress=progress
    )


@_followed
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
        _loaded(detector),
        unpack_to=None if unpack_to is None else Path(unpack_to),
        options=options,
        progress=progress,
    )


@_followed
def import_detections_csv(
    workspace: Workspace,
    detections: str | Path,
    images: str | Path,
    *,
    axis_order: Literal["yxyx", "xyxy"] = "yxyx",
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the boxes of a CSV file, in fractions of the frame.

    `axis_order` is the order of a box's four numbers. Raises SourceError.
    """
    return detections_csv.import_detections(
        workspace,
        Path(detections),
        images,
        axis_order=axis_order,
        options=options,
        progress=progress,
    )


@_followed
def import_crops(
    workspace: Workspace,
    crops: str | Path,
    *,
    files: Sequence[str | Path] = (),
    labels: bool = True,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import crops as they are: a folder for each class, or COCO `files`, or no classes at all.

    With `labels`, classes become labels whose source is the folder. Raises SourceError.
    """
    return crop_folder.import_crops(
        workspace,
        crops,
        [Path(file) for file in files],
        labels=labels,
        options=options,
        progress=progress,
    )


def import_deployments(workspace: Workspace, table: str | Path) -> DeploymentsReport:
    """Import coordinates, time zones and periods of cameras from a CSV table. Raises SourceError."""
    return deployments.import_deployments(workspace, Path(table))


def combine_coco(out: str | Path, files: Sequence[str | Path]) -> Combined:
    """Combine COCO Camera Traps files into the file `out`, as `wildloop combine-json` does.

    Raises SourceError, and writes nothing, if a record is invalid or a photograph is listed twice.
    """
    return combine(Path(out), [Path(file) for file in files])


def _loaded(detector: str | Detector | None) -> Detector | None:
    return load_detector(detector) if isinstance(detector, str) else detector
