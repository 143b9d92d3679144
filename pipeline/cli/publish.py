"""`wildloop publish` and `wildloop push`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option
from pipeline.render.labelling import publish_report, push_report
from pipeline.render.text import lines
from pipeline.steps.labelling import publish as publish_step
from pipeline.steps.labelling import push as push_step
from pipeline.steps.labelling.refresh import refresh_published
from pipeline.workspace import open_workspace


@click.command()
@project_option
@json_option
def publish(project: int | None, as_json: bool) -> None:
    """Create a task for every crop that has none, and a queue if there is none yet.

    Until a version is trained on labels, the queue covers the whole pool. Run `wildloop embed` first.
    """
    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    client = workspace.label_studio()
    published = publish_step.publish(workspace, client, chosen.id, progress=True)
    pushed = refresh_published(workspace, client, chosen.id, published)
    emit(
        {"publish": published, "push": pushed},
        lines(publish_report(published), push_report(pushed)),
        as_json=as_json,
    )


@click.command()
@project_option
@json_option
def push(project: int | None, as_json: bool) -> None:
    """Send the queue of the current version to Label Studio, unless it is there already."""
    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    report = push_step.push(workspace, workspace.label_studio(), chosen.id)
    emit(report, push_report(report), as_json=as_json)
