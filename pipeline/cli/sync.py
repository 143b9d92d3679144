"""`wildloop sync`"""

from __future__ import annotations

import click

from pipeline.cli.common import project_option


@click.command()
@project_option
@click.option(
    "--full",
    is_flag=True,
    help="Look at every annotation and task there is, not only at what changed since the last time.",
)
def sync(project: int | None, full: bool) -> None:
    """Bring in from Label Studio what its webhooks missed."""
    from pipeline import jobs
    from pipeline.cli.common import chosen_project
    from pipeline.steps.labelling.sync import sync as sync_project
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    report = sync_project(workspace, workspace.label_studio(), chosen.id, full=full)
    click.echo(f"{report.tasks} tasks looked at, {report.new} changes recorded")
    if report.tasks_deleted:
        click.echo(
            f"{report.tasks_deleted} tasks were deleted in Label Studio; `wildloop publish` adds them again"
        )
    if report.foreign:
        click.echo(f"{report.foreign} annotations belong to tasks that Wildloop does not know")
    if report.unreadable:
        click.echo(f"{report.unreadable} tasks were left as they are: an annotation could not be read")
    if report.disputed:
        click.echo(
            f"{report.disputed} detections have labels that tie; marking one as ground truth settles it"
        )
    if report.new and jobs.train_if_due(workspace, chosen.id) is not None:
        click.echo("a training is due: the worker carries it out")
