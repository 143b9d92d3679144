"""Importing photographs, boxes and labels into a workspace.

`progress` shows a progress bar on standard error. Every import can be stopped and run again: it continues
where it stopped. Reports count what was imported and what was not, name the first problems, and say in
`hints` what is doubtful, such as locations. Photographs are found by their names below `images`, absolute or
not; `ImportOptions.strip_prefix` is what a source's names have in front of that. Where there is a labelling
project, an import requests that a worker embeds and publishes the new crops; `embed`, `publish` and `refresh`
do so here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from importers.detectors import Detector, load_detector
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.ingest.videos import FRAMES_PER_SECOND
from importers.sources import coco, crop_folder, detections_csv, folder, megadetector, speciesnet
from importers.sources.coco.combine import Combined, combine
from pipeline.workspace import Workspace
from wildloop._imports import followed, loaded

__all__ = [
    "Combined",
    "Detector",
    "ImportOptions",
    "ImportReport",
    "combine_coco",
    "import_coco",
    "import_crops",
    "import_detections_csv",
    "import_folder",
    "import_megadetector",
    "import_speciesnet",
    "load_detector",
]


@followed
def import_folder(
    workspace: Workspace,
    photographs: str | Path,
    *,
    detector: str | Detector = "megadetector",
    frames_per_second: float = FRAMES_PER_SECOND,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every photograph below a folder, and frames of every video; `detector` finds the animals.

    `detector` is a specification such as `megadetector`, `onnx:FILE`, `torchvision:NAME` or `whole-frame`
    (each photograph is a crop already), or a loaded detector. Raises SourceError and DetectorError.
    """
    return folder.import_folder(
        workspace,
        Path(photographs),
        load_detector(detector) if isinstance(detector, str) else detector,
        frames_per_second=frames_per_second,
        options=options,
        progress=progress,
    )


@followed
def import_megadetector(
    workspace: Workspace,
    results: str | Path,
    images: str | Path,
    *,
    classifications: bool = False,
    classification_threshold: float = 0.0,
    drop_repeats: bool = False,
    repeats_report: str | Path | None = None,
    frames_per_second: float | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs below `images` with the boxes of a MegaDetector results file.

    `classifications`: keep the best classification of each box as a weak label. `drop_repeats`: leave out
    repeat detections, which `repeats_report` lists in a CSV. `frames_per_second`: use at most so many frames
    of a video. Raises SourceError.
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
        frames_per_second=frames_per_second,
        progress=progress,
    )


@followed
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


@followed
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
        loaded(detector),
        options=options,
        progress=progress,
    )


def combine_coco(out: str | Path, files: Sequence[str | Path]) -> Combined:
    """Combine COCO Camera Traps files into the file `out`, as `wildloop combine-json` does.

    Raises SourceError, and writes nothing, if a record is invalid or a photograph is listed twice.
    """
    return combine(Path(out), [Path(file) for file in files])


@followed
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


@followed
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
