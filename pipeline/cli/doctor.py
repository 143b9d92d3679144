"""`wildloop doctor`"""

from __future__ import annotations

import sys

import click

from pipeline.cli.output import emit, json_option
from pipeline.render.operations import check_result
from pipeline.settings import Settings
from pipeline.steps.operations.doctor import examine


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check the installation, Label Studio and every project, and name the remedy for each problem.

    Exits with status 1 if a check fails; warnings alone exit with 0. Leaves nothing changed: before the first
    project, what only a project shows is tried on one that is removed again.
    """
    results = []
    for result in examine(Settings.from_environ().with_secrets(generate=False)):
        results.append(result)
        if not as_json:  # a check can take seconds: show each as it ends
            click.echo(check_result(result))
    if as_json:
        emit(results, "", as_json=True)
    if any(result.state == "fail" for result in results):
        sys.exit(1)
