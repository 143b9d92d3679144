"""`wildloop embedding use`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option

if TYPE_CHECKING:
    from pipeline.records import ProjectRecord
    from pipeline.workspace import Workspace


@click.command()
@click.argument("spec")
@project_option
def use(spec: str, project: int | None) -> None:
    """Let a project work with the vectors of another embedder: SPEC is as for `wildloop embed`.

    Crops that lack its vector are embedded first; a killed run goes on where it ended. Until all are there
    and a version has learned the labels in the new vectors, the former embedder and version answer. The
    former vectors and versions stay, so going back is quick.
    """
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    go_over(workspace, chosen_project(workspace, project), spec)


def go_over(workspace: Workspace, chosen: ProjectRecord, spec: str) -> None:
    """Make the project work with the embedder that `spec` names, say what came of it, and push its queue."""
    from pipeline.cli.common import tell_queue
    from pipeline.cli.embed import tell_broken
    from pipeline.cli.figures import accuracy, figures
    from pipeline.embedders import load
    from pipeline.steps.embedding.use import use_embedder
    from pipeline.steps.labelling.refresh import push_queue

    name = f"project {chosen.id} ({chosen.title})"
    embedder = load(spec, data_dir=workspace.data_dir)
    change = use_embedder(workspace, embedder, chosen.id, progress=True)
    if change is None:
        click.echo(f"{name} works with {embedder.id} already; nothing changed")
        return
    click.echo(f"{change.embedded} crops embedded by {change.embedder}")
    tell_broken(change.broken)
    if change.broken:
        click.echo(f"{len(change.broken)} crops cannot be read; they are left out until `wildloop embed` can")
    click.echo(f"{name} works with {change.embedder}, no longer with {change.former}")
    if change.record is None:
        click.echo("it has no task yet: `wildloop publish` comes next")
        return
    click.echo(f"{change.record.version} is current")
    for line in figures(change.record):
        click.echo(line)
    former = change.former_record
    if former is not None and not change.record.metrics.get("embedder_learned"):
        click.echo(
            f"{former.version}, which it leaves, had the accuracy {accuracy(former)}; "
            f"`wildloop activate {former.version}` goes back"
        )
    tell_queue(push_queue(workspace, change.record))
