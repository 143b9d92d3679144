"""`wildloop import deployments`"""

from __future__ import annotations

from pathlib import Path

import click

from importers.sources.deployments import import_deployments
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened_or_created
from pipeline.render.importing import deployments_report


@click.command("deployments")
@click.argument("table", type=click.Path(path_type=Path), metavar="FILE.csv")
@json_option
def deployments_command(table: Path, as_json: bool) -> None:
    """Import coordinates, time zones and periods of cameras whose photographs came without them.

    The first line names the columns: location (or locationName, locationID, deploymentID), latitude,
    longitude and, if known, deploymentID, timezone (Europe/Brussels, +02:00), start, end.
    """
    report = import_deployments(opened_or_created(), table)
    emit(report, deployments_report(report), as_json=as_json)
    if report.nothing_taken:
        raise click.exceptions.Exit(1)
