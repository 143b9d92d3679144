"""`wildloop export`"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.camtrap_dp import CAPTURE_METHODS, SAMPLING_DESIGNS
from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.exporters import (
    camtrap_dp,
    coco,
    detections_csv,
    labels_csv,
    megadetector,
    timelapse,
    wildlife_insights,
)
from pipeline.records import Role
from pipeline.render.datasets import export_basis, export_report
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import projects

Command = TypeVar("Command", bound=Callable[..., Any])

COMMANDS = {
    name: LazyCommand(f"pipeline.cli.export:{name.replace('-', '_')}_command", summary)
    for name, summary in {
        "csv": "A table with one row for each detection.",
        "coco": "COCO Camera Traps JSON.",
        "megadetector": "MegaDetector results, for Timelapse and AddaxAI.",
        "camtrap-dp": "A Camtrap DP package: a folder or a zip.",
        "wildlife-insights": "A batch upload for Wildlife Insights: a folder.",
        "timelapse": "A CSV that Timelapse imports, one row for each photograph.",
        "detections-csv": "Boxes without labels, one per row.",
    }.items()
}

_OPTIONS = (
    click.option(
        "--threshold",
        type=click.FloatRange(0.0, 1.0),
        help="Minimum probability for a prediction to count. [default: the thresholds that `wildloop "
        "accept` found for each species; 0.9 if nothing was accepted]",
    ),
    click.option(
        "--pool-sequences",
        is_flag=True,
        help="Pool predictions over each sequence: better if a sequence shows one species, which `wildloop "
        "audit` estimates. The thresholds of `wildloop accept` do not apply then.",
    ),
    click.option(
        "--role",
        type=click.Choice(["target", "pretraining"]),
        default="target",
        show_default=True,
        help="Pool to export.",
    ),
    click.option(
        "--detector", metavar="ID", help="Export the boxes of this detector only, named as in the CSV export."
    ),
    project_option,
    json_option,
)


def _export_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_out = click.argument("out", type=click.Path(path_type=Path), metavar="OUT")


@click.group(
    "export",
    cls=LazyGroup,
    lazy_commands=COMMANDS,
)
def export() -> None:
    """Export the label of every detection, in a format of the field.

    The first of these that exists: a label by people, a label by the source of the photographs, a prediction
    of the current version that is sure enough, a weak label. Everything else is unclassified.

    Files are written under another name and then moved, so an interrupted export leaves no half file.
    """


@click.command("csv")
@_out
@_export_options
def csv_command(out: Path, *, as_json: bool, **options: Any) -> None:
    """Write a table: one row for each detection, and one for each photograph without any."""
    report = labels_csv.write(out, _source(**options))
    emit(report, export_report(report), as_json=as_json)


@click.command("coco")
@_out
@_export_options
def coco_command(out: Path, *, as_json: bool, **options: Any) -> None:
    """Write COCO Camera Traps JSON."""
    report = coco.write(out, _source(**options))
    emit(report, export_report(report), as_json=as_json)


@click.command("megadetector")
@_out
@_export_options
def megadetector_command(out: Path, *, as_json: bool, **options: Any) -> None:
    """Write MegaDetector results, format 1.6, with classifications. Opens in Timelapse and AddaxAI."""
    report = megadetector.write(out, _source(**options))
    emit(report, export_report(report), as_json=as_json)


@click.command("detections-csv")
@_out
@click.option(
    "--axis-order",
    type=click.Choice(["yxyx", "xyxy"]),
    default="yxyx",
    show_default=True,
    help="Order of the four numbers of a box: ymin, xmin, ymax, xmax or xmin, ymin, xmax, ymax.",
)
@click.option("--header", is_flag=True, help="Name the columns in the first line.")
@_export_options
def detections_csv_command(
    out: Path, axis_order: str, header: bool, *, as_json: bool, **options: Any
) -> None:
    """Write boxes without labels, one per row: name, score and four numbers from 0 to 1."""
    source = _source(**options)
    report = detections_csv.write(out, source, axis_order=axis_order, header=header)
    emit(report, export_report(report), as_json=as_json)


@click.command("camtrap-dp")
@_out
@click.option(
    "--timezone",
    metavar="ZONE",
    help="Time zone of deployments without one: an IANA name, or an offset such as +02:00.",
)
@click.option(
    "--taxa",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Columns category and scientificName. [default: the scientific names of the species list and of "
    "imported packages; a category without any is its own]",
)
@click.option(
    "--title",
    metavar="TEXT",
    help="Title of the package. [default: that of the imported package, else the project's]",
)
@click.option("--contributor", metavar="NAME", help="The contact, beside those that imported packages name.")
@click.option(
    "--sampling-design",
    type=click.Choice(SAMPLING_DESIGNS),
    help="How the places of the cameras were chosen. Needed unless an imported package says it.",
)
@click.option(
    "--capture-method",
    "capture_methods",
    multiple=True,
    type=click.Choice(CAPTURE_METHODS),
    help="What made the cameras take photographs; twice if both did. Needed unless an imported package says "
    "it.",
)
@click.option(
    "--data-licence",
    metavar="LICENCE",
    help="Licence of the tables: an SPDX id such as CC0-1.0, or a URL. [default: that of imported packages]",
)
@click.option(
    "--media-licence",
    metavar="LICENCE",
    help="Licence of the photographs, such as CC-BY-4.0. [default: that of imported packages]",
)
@_export_options
def camtrap_dp_command(
    out: Path,
    timezone: str | None,
    taxa: Path | None,
    title: str | None,
    contributor: str | None,
    sampling_design: str | None,
    capture_methods: tuple[str, ...],
    data_licence: str | None,
    media_licence: str | None,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a Camtrap DP 1.0.2 package: a folder, or a zip if OUT ends in .zip.

    What came with an imported package comes out as it came, unless people or the model have answered since.
    The standard requires coordinates and a time zone for every deployment: see `wildloop import deployments`.
    """
    settings = camtrap_dp.Settings(
        timezone=timezone,
        taxa=camtrap_dp.read_taxa(taxa) if taxa is not None else {},
        title=title,
        contributor=contributor,
        sampling_design=sampling_design,
        capture_methods=capture_methods,
        data_licence=data_licence,
        media_licence=media_licence,
    )
    report = camtrap_dp.write(out, _source(**options), settings)
    emit(report, export_report(report), as_json=as_json)


@click.command("wildlife-insights")
@_out
@click.option(
    "--project-id",
    metavar="ID",
    help="Project in Wildlife Insights. [default: that of the download that was imported]",
)
@click.option(
    "--images-url",
    metavar="URL",
    help="Folder of the photographs in Google Cloud Storage (gs://bucket/folder), below which they have the "
    "names that they have below the imported folder.",
)
@_export_options
def wildlife_insights_command(
    out: Path, project_id: str | None, images_url: str | None, *, as_json: bool, **options: Any
) -> None:
    """Write the batch upload of Wildlife Insights: a new folder with tables of projects, cameras, deployments
    and images.

    What Wildlife Insights requires and Wildloop does not know stays empty and is listed.
    """
    source = _source(**options)
    report = wildlife_insights.write(out, source, project_id=project_id, images_url=images_url)
    emit(report, export_report(report), as_json=as_json)


@click.command("timelapse")
@_out
@_export_options
def timelapse_command(out: Path, *, as_json: bool, **options: Any) -> None:
    """Write a CSV that Timelapse imports: one row for each photograph or video, with its species.

    Timelapse reads the columns that your template has fields for: Species, Count and so on.
    """
    report = timelapse.write(out, _source(**options))
    emit(report, export_report(report), as_json=as_json)


def _source(*, project: int | None, role: str, **options: Any) -> StoreExport:
    """The labels to export. Prints to standard error which predictions count."""
    workspace = opened()
    with workspace.database.read() as conn:
        has_project = bool(projects.all(conn))
    chosen = chosen_project(workspace, project).id if has_project or project is not None else None
    source = StoreExport(workspace, chosen, role=Role(role), **options)
    if source.model_version is not None and options["threshold"] is None:
        click.echo(export_basis(source), err=True)
    return source
