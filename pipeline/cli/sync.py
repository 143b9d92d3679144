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
    from pipeline.errors import LabelStudioError
    from pipeline.records import RunKind, RunState
    from pipeline.steps.labelling.sync import SyncReport, reset_watermark
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    if full:
        reset_watermark(workspace, chosen.id)
    run = jobs.run_now(workspace, chosen.id, RunKind.SYNC, trigger="command")
    if run.state is RunState.FAILED:
        raise LabelStudioError(run.error or "the run failed without a word")
    result = dict(run.result)
    training = result.pop("training")
    report = SyncReport(**result)
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
    if training is not None:
        click.echo("a training is due: the worker carries it out")
