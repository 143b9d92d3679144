"""`wildloop export`: the finished labels as files of the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.common import chosen_project, project_option

if TYPE_CHECKING:
    from pipeline.exporters.source import ExportReport
    from pipeline.steps.datasets.export import StoreExport

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    project_option,
    click.option(
        "--threshold",
        type=click.FloatRange(0.0, 1.0),
        help="Least calibrated probability of a label by the current version. [default: what `wildloop "
        "accept` found for its species; 0.9 where nothing was accepted]",
    ),
    click.option(
        "--pool-sequences",
        is_flag=True,
        help="Let the crops of a sequence answer together: better where a sequence shows one species, which "
        "`wildloop audit` tells. What was accepted does not count then.",
    ),
    click.option(
        "--role",
        type=click.Choice(["target", "pretraining"]),
        default="target",
        show_default=True,
        help="Which pool.",
    ),
    click.option("--detector", metavar="ID", help="Only boxes of this detector, as the csv export names it."),
)


def _survey_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_out = click.argument("out", type=click.Path(path_type=Path), metavar="OUT")


@click.group("export", context_settings={"help_option_names": ["-h", "--help"]})
def export() -> None:
    """Write the labels of every detection: by people where there are some, else by the source, else by
    the current version where it is sure enough, else a weak label of the source, else unclassified.

    A file is there whole or not at all: it is written under another name and moved.
    """


@export.command("csv")
@_out
@_survey_options
def csv_command(out: Path, **options: Any) -> None:
    """A table: one row a detection, and one for each photograph without any."""
    from pipeline.exporters import labels_csv

    _tell(labels_csv.write(out, _survey(**options)))


@export.command("coco")
@_out
@_survey_options
def coco_command(out: Path, **options: Any) -> None:
    """COCO Camera Traps JSON."""
    from pipeline.exporters import coco

    _tell(coco.write(out, _survey(**options)))


@export.command("megadetector")
@_out
@_survey_options
def megadetector_command(out: Path, **options: Any) -> None:
    """MegaDetector results, format 1.6, with classifications: opens in Timelapse and AddaxAI."""
    from pipeline.exporters import megadetector

    _tell(megadetector.write(out, _survey(**options)))


@export.command("detections-csv")
@_out
@click.option(
    "--axis-order",
    type=click.Choice(["yxyx", "xyxy"]),
    default="yxyx",
    show_default=True,
    help="Order of a box's four numbers: ymin, xmin, ymax, xmax, or xmin, ymin, xmax, ymax.",
)
@click.option("--header", is_flag=True, help="Name the columns in a first line.")
@_survey_options
def detections_csv_command(out: Path, axis_order: str, header: bool, **options: Any) -> None:
    """Boxes without labels, one a row: name, score and four numbers from 0 to 1."""
    from pipeline.exporters import detections_csv

    _tell(detections_csv.write(out, _survey(**options), axis_order=axis_order, header=header))


@export.command("camtrap-dp")
@_out
@click.option(
    "--timezone",
    metavar="ZONE",
    help="Of cameras whose deployment names none: an IANA name or an offset such as +02:00.",
)
@click.option(
    "--taxa",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Columns category and scientificName; without it a category is its own scientific name.",
)
@click.option("--title", metavar="TEXT", help="Of the package. [default: the project's]")
@click.option("--contributor", metavar="NAME", help="Who publishes the package.")
@_survey_options
def camtrap_dp_command(
    out: Path,
    timezone: str | None,
    taxa: Path | None,
    title: str | None,
    contributor: str | None,
    **options: Any,
) -> None:
    """A Camtrap DP 1.0 package: a folder, or a zip where OUT ends in .zip.

    The standard demands coordinates and a time zone of every deployment: `wildloop import deployments`.
    """
    from pipeline.exporters import camtrap_dp

    names = camtrap_dp.read_taxa(taxa) if taxa is not None else None
    survey = _survey(**options)
    _tell(
        camtrap_dp.write(
            out, survey, timezone=timezone, taxa=names, title=title or survey.title, contributor=contributor
        )
    )


def _survey(*, project: int | None, role: str, **options: Any) -> StoreExport:
    from pipeline.records import Role
    from pipeline.steps.datasets.export import StoreExport
    from pipeline.store import projects
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    with workspace.database.read() as conn:
        has_project = bool(projects.all(conn))
    chosen = chosen_project(workspace, project).id if has_project or project is not None else None
    survey = StoreExport(workspace, chosen, role=Role(role), **options)
    if survey.model_version is not None and options["threshold"] is None:
        click.echo(_basis(survey), err=True)
    return survey


def _basis(survey: StoreExport) -> str:
    if survey.accepted is None:
        return (
            f"answers of {survey.model_version} count from a probability of 0.9 on; `wildloop accept` finds "
            "from where they keep a precision"
        )
    return (
        f"answers of {survey.model_version} count as accepted: with a precision of "
        f"{survey.accepted.precision:.0%} at a confidence of {survey.accepted.confidence:.0%}"
    )


def _tell(report: ExportReport) -> None:
    click.echo(str(report))
