"""`wildloop models` and `wildloop activate`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option, tell_queue


@click.command()
@project_option
def models(project: int | None) -> None:
    """List the model versions and their held-out figures; a star marks the current one."""
    from pipeline.cli.figures import accuracy
    from pipeline.store import models as store
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    with workspace.database.read() as conn:
        records = store.all(conn, chosen.id)
    if not records:
        click.echo("no version yet: `wildloop train` makes one")
        return
    click.echo("  version        labels  made (UTC)        accuracy                macro-F1  held out by")
    for record in records:
        star = "*" if record.version == chosen.current_model else " "
        made = "-" if record.created_at is None else f"{record.created_at:%Y-%m-%d %H:%M}"
        f1 = record.metrics.get("macro_f1")
        click.echo(
            f"{star} {record.version:13}  {record.labels:6}  {made:16}  {accuracy(record):22}  "
            f"{'-' if f1 is None else f'{f1:.3f}':8}  {record.metrics.get('held_out_by') or '-'}"
        )


@click.command()
@click.argument("version")
def activate(version: str) -> None:
    """Go back, or forward, to a model version: its queue is made anew and pushed.

    A version of another embedder takes the project back to that embedder.
    """
    from pipeline.steps.labelling.refresh import activate as activate_version
    from pipeline.store import models as store
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    with workspace.database.read() as conn:
        project = store.get(conn, version).project_id
    report = activate_version(workspace, project, version)
    click.echo(f"{version} is current in project {project}")
    tell_queue(report)
