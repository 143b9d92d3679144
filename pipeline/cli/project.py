"""`wildloop project`"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.follow_up import follow_option, follow_up
from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened_or_created
from pipeline.label_studio.species import read_species
from pipeline.render.text import lines
from pipeline.steps.labelling.project import create_project, project_embedder

COMMANDS = {
    "create": LazyCommand("pipeline.cli.project:create", "Create a labelling project, or update one.")
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def project() -> None:
    """Set up Label Studio projects."""


@click.command()
@click.option("--title", required=True, help="Title of the project in Label Studio.")
@click.option(
    "--species",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help='Text file with one species per line; # starts a comment. "empty" and "unsure" are always offered.',
)
@click.option(
    "--project",
    "project_id",
    type=int,
    metavar="ID",
    help="Update this project, whatever its title, and give it the new title.",
)
@click.option(
    "--embedder",
    metavar="SPEC",
    help="Embedder whose vectors order the queue: see `wildloop embed --help`. [default: the one that has "
    "embedded crops, WILDLOOP_EMBEDDER, else auto. An existing project keeps its embedder, which `wildloop "
    "embedding use` changes.]",
)
@click.option(
    "--no-backend",
    is_flag=True,
    help="Do not connect the ML backend. Labels then arrive through `wildloop sync`, and only queued tasks "
    "have predictions.",
)
@follow_option
@json_option
def create(
    title: str,
    species: Path,
    project_id: int | None,
    embedder: str | None,
    no_backend: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Create a labelling project in Label Studio, or update an existing one.

    The backend must be running (`wildloop label-studio` or `wildloop serve`): Label Studio calls it before
    it connects. Crops that were imported before become the project's queue. A second run with the same
    options changes nothing; a longer species list adds the new species.
    """
    listed = read_species(species)
    for remark in listed.notes:
        click.echo(remark, err=True)
    workspace = opened_or_created()
    client = workspace.label_studio()
    record, changes = create_project(
        workspace,
        client,
        title=title,
        species=listed.names,
        embedder_id=project_embedder(workspace, client, title, project_id, embedder),
        project_id=project_id,
        connect_backend=not no_backend,
    )
    url = f"{client.url}/projects/{record.id}/data"
    done = lines(*changes) or f"project {record.id} ({record.title}) is up to date; nothing changed"
    emit({"project": record, "changes": changes, "url": url}, lines(done, url), as_json=as_json)
    if follow:
        follow_up(workspace, trigger="project", project=record.id, as_json=as_json)
