"""`wildloop status`"""

from __future__ import annotations

import click

from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.render import operations as render
from pipeline.steps.operations import status as step


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the progress of every project: photographs, crops, labels, versions and recent errors."""
    report = step.status(opened())
    emit(report, render.status(report), as_json=as_json)
