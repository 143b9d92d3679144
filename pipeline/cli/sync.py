"""`wildloop sync`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.render.labelling import sync_report
from pipeline.render.text import lines
from pipeline.workspace import open_workspace


@click.command()
@click.option("--full", is_flag=True, help="Compare every task, not only those changed since the last sync.")
@project_option
@json_option
def sync(project: int | None, full: bool, as_json: bool) -> None:
    """Fetch annotations from Label Studio that its webhooks missed."""
    from pipeline import jobs
    from pipeline.steps.labelling.sync import sync as sync_project

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    report = sync_project(workspace, workspace.label_studio(), chosen.id, full=full)
    run = jobs.train_if_due(workspace, chosen.id) if report.new else None
    due = "a training is due: the worker runs it" if run is not None else None
    emit({**plain(report), "training": run}, lines(sync_report(report), due), as_json=as_json)
