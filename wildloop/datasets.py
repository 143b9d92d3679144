"""Getting labels out: exports, datasets and simulations.

An export has the label of every detection: by people, else by the source of the photographs, else the
prediction of the current version if it is sure enough, else a weak label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from pipeline.exporters import (
    camtrap_dp,
    coco,
    detections_csv,
    labels_csv,
    megadetector,
    timelapse,
    wildlife_insights,
)
from pipeline.exporters.source import ExportReport
from pipeline.records import Role
from pipeline.steps.datasets import dataset as dataset_step
from pipeline.steps.datasets.dataset import DatasetReport, Selection
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import projects
from pipeline.workspace import Workspace

__all__ = [
    "DatasetReport",
    "ExportOptions",
    "ExportReport",
    "Role",
    "Selection",
    "export_camtrap_dp",
    "export_coco",
    "export_csv",
    "export_detections_csv",
    "export_megadetector",
    "export_timelapse",
    "export_wildlife_insights",
    "make_dataset",
]


class ExportOptions(TypedDict, total=False):
    """Keyword arguments of every export."""

    project: int | None  # id; needed only if there are several projects
    threshold: float | None  # least probability of a prediction; default: as `accept` found, else 0.9
    pool_sequences: bool  # pool predictions over each sequence
    role: Role  # the pool to export
    detector: str | None  # export the boxes of this detector only


def export_csv(workspace: Workspace, out: str | Path, **options: Unpack[ExportOptions]) -> ExportReport:
    """Export a table: one row for each detection, one for each photograph without any. See ExportOptions."""
    return labels_csv.write(Path(out), _source(workspace, **options))


def export_coco(workspace: Workspace, out: str | Path, **options: Unpack[ExportOptions]) -> ExportReport:
    """Export COCO Camera Traps JSON. See ExportOptions."""
    return coco.write(Path(out), _source(workspace, **options))


def export_megadetector(
    workspace: Workspace, out: str | Path, **options: Unpack[ExportOptions]
) -> ExportReport:
    """Export MegaDetector results, format 1.6, with classifications. See ExportOptions."""
    return megadetector.write(Path(out), _source(workspace, **options))


def export_detections_csv(
    workspace: Workspace,
    out: str | Path,
    *,
    axis_order: Literal["yxyx", "xyxy"] = "yxyx",
    header: bool = False,
    **options: Unpack[ExportOptions],
) -> ExportReport:
    """Export boxes without labels, one per row, in fractions of the frame. See ExportOptions."""
    return detections_csv.write(
        Path(out), _source(workspace, **options), axis_order=axis_order, header=header
    )


def export_camtrap_dp(
    workspace: Workspace,
    out: str | Path,
    *,
    timezone: str | None = None,
    taxa: Mapping[str, str] | None = None,
    title: str | None = None,
    contributor: str | None = None,
    sampling_design: str | None = None,
    capture_methods: Sequence[str] = (),
    data_licence: str | None = None,
    media_licence: str | None = None,
    **options: Unpack[ExportOptions],
) -> ExportReport:
    """Export a Camtrap DP package: a folder, or a zip if `out` ends in .zip. See ExportOptions.

    `timezone` is that of deployments without one; `taxa` maps categories to scientific names; `contributor`
    is the contact. `sampling_design`, one of simpleRandom, systematicRandom, clusteredRandom, experimental,
    targeted and opportunistic, and `capture_methods`, of activityDetection and timeLapse, are needed unless
    an imported package says them. Licences are SPDX ids or URLs. Raises ExportError if the standard needs
    what nobody said, such as the coordinates of a deployment.
    """
    settings = camtrap_dp.Settings(
        timezone=timezone,
        taxa=taxa or {},
        title=title,
        contributor=contributor,
        sampling_design=sampling_design,
        capture_methods=tuple(capture_methods),
        data_licence=data_licence,
        media_licence=media_licence,
    )
    return camtrap_dp.write(Path(out), _source(workspace, **options), settings)


def export_wildlife_insights(
    workspace: Workspace,
    out: str | Path,
    *,
    project_id: str | None = None,
    images_url: str | None = None,
    **options: Unpack[ExportOptions],
) -> ExportReport:
    """Export the batch upload of Wildlife Insights, a new folder of CSV files. See ExportOptions.

    `project_id` is by default that of the download that was imported; `images_url` is the folder of the
    photographs in Google Cloud Storage. Raises ExportError if the project is not known.
    """
    return wildlife_insights.write(
        Path(out), _source(workspace, **options), project_id=project_id, images_url=images_url
    )


def export_timelapse(workspace: Workspace, out: str | Path, **options: Unpack[ExportOptions]) -> ExportReport:
    """Export a CSV that Timelapse imports: one row for each photograph or video. See ExportOptions."""
    return timelapse.write(Path(out), _source(workspace, **options))


def make_dataset(
    workspace: Workspace, out: str | Path, selection: Selection | None = None, *, progress: bool = False
) -> DatasetReport:
    """Make a classification dataset: a folder of crops for each class, train.json and test.json.

    No location is in both files. Raises ExportError if there are no labelled crops, or all are from one
    location.
    """
    return dataset_step.make(workspace, Path(out), selection, progress=progress)


def _source(
    workspace: Workspace,
    *,
    project: int | None = None,
    threshold: float | None = None,
    pool_sequences: bool = False,
    role: Role = Role.TARGET,
    detector: str | None = None,
) -> StoreExport:
    with workspace.database.read() as conn:
        has_project = bool(projects.all(conn))
        chosen = projects.choose(conn, project).id if has_project or project is not None else None
    return StoreExport(
        workspace, chosen, threshold=threshold, pool_sequences=pool_sequences, role=role, detector=detector
    )
