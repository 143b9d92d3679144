"""`wildloop train`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option


@click.command()
@project_option
@click.option(
    "--now/--queue",
    default=True,
    help="Train here and wait for the figures, or leave it to the worker. [default: now]",
)
def train(project: int | None, now: bool) -> None:
    """Learn from every label there is, and refresh the queue.

    Before any label this orders the queue so that its first crops cover the whole pool. The same labels
    make no second version.
    """
    from pipeline import jobs
    from pipeline.cli.figures import figures
    from pipeline.errors import ModelError
    from pipeline.records import RunKind, RunState
    from pipeline.store import models
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    if not now:
        run_id = jobs.request(workspace, chosen.id, RunKind.TRAIN, trigger="command")
        click.echo(f"run {run_id} waits for `wildloop worker`")
        return
    run = jobs.run_now(workspace, chosen.id, RunKind.TRAIN, trigger="command")
    if run.state is RunState.FAILED:
        raise ModelError(run.error or "the run failed without a word")
    result = run.result or {}
    if result.get("reason"):
        click.echo(result["reason"])
    if result.get("version"):
        with workspace.database.read() as conn:
            record = models.get(conn, result["version"])
        word = "trained" if record.labels else "ordered"
        click.echo(f"{record.version} {word if result['new'] else 'knew these labels already'}")
        for line in figures(record):
            click.echo(line)
