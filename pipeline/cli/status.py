"""`wildloop status`"""

from __future__ import annotations

import click

from pipeline.cli.output import emit, json_option
from pipeline.render import operations as render
from pipeline.steps.operations import status as step
from pipeline.workspace import open_workspace


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the progress of every project: photographs, crops, labels, versions and recent errors."""
    report = step.status(open_workspace())
    emit(report, render.status(report), as_json=as_json)
