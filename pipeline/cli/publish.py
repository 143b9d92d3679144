"""`wildloop publish` and `wildloop push`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option

if TYPE_CHECKING:
    from pipeline.steps.labelling.push import PushReport


@click.command()
@project_option
def publish(project: int | None) -> None:
    """Make a task of every crop that has none, and a queue where there is none yet.

    Before anything is learned from labels, the queue covers all crops; `wildloop embed` comes first.
    """
    from pipeline.steps.labelling.publish import publish as publish_crops
    from pipeline.steps.labelling.refresh import refresh_published
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    client = workspace.label_studio()
    report = publish_crops(workspace, client, chosen.id, progress=True)
    click.echo(f"{report.published} crops published; the project has {report.total} tasks of ours")
    if report.recovered:
        click.echo(f"{report.recovered} tasks of an earlier, interrupted run were found again")
    if report.vanished:
        click.echo(f"{report.vanished} tasks had been deleted in Label Studio; their crops have new ones")
    _tell(refresh_published(workspace, client, chosen.id, report))


@click.command()
@project_option
def push(project: int | None) -> None:
    """Make Label Studio's queue that of the current version, where it is not."""
    from pipeline.steps.labelling.push import push as push_queue
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    _tell(push_queue(workspace, workspace.label_studio(), chosen.id))


def _tell(report: PushReport) -> None:
    if report.pushed:
        click.echo(f"{report.pushed} predictions of {report.version} pushed")
    else:
        click.echo(f"the queue is that of {report.version} already")
    if report.missing:
        click.echo(f"{report.missing} queued crops have no task any more; `wildloop publish` adds them again")
    if report.removed:
        click.echo(f"{report.removed} predictions of replaced versions removed")
