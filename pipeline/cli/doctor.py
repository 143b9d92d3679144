"""`wildloop doctor`"""

from __future__ import annotations

import json
import sys

import click

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of findings.")
def doctor(as_json: bool) -> None:
    """Check the installation, Label Studio and each project, and name the remedy for what is wrong.

    Ends with status 1 where something fails; warnings alone end with 0. Nothing is changed.
    """
    from dataclasses import asdict

    from pipeline.settings import Settings
    from pipeline.steps.operations.doctor import examine

    settings = Settings.from_environ().with_secrets()
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if as_json:
            continue
        mark = click.style(f"{finding.state:<4}", fg=COLOURS[finding.state])
        where = "" if finding.project is None else f"project {finding.project}: "
        click.echo(f"{mark}  {where}{finding.check}: {finding.what}")
        if finding.remedy:
            click.echo(f"      -> {finding.remedy}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.state == "fail" for finding in findings):
        sys.exit(1)
