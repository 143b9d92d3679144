"""`wildloop import deployments`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("deployments")
@click.argument("table", type=click.Path(path_type=Path), metavar="FILE.csv")
def deployments_command(table: Path) -> None:
    """Coordinates, time zones and periods of cameras whose photographs came without.

    The first line names the columns: location (or locationName, locationID, deploymentID), latitude,
    longitude, and where known deploymentID, timezone (Europe/Brussels, +02:00), start, end.
    """
    from importers.sources.deployments import import_deployments
    from pipeline.workspace import open_workspace

    report = import_deployments(open_workspace(), table)
    click.echo(str(report))
    if report.nothing_taken:
        raise click.exceptions.Exit(1)
