"""`wildloop project create`"""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def project() -> None:
    """Set up Label Studio projects."""


@project.command()
@click.option("--title", required=True, help="The project's name in Label Studio.")
@click.option(
    "--species",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help='A text file with one species a line; # begins a comment. "empty" and "unsure" are always offered.',
)
@click.option(
    "--project",
    "project_id",
    type=int,
    metavar="ID",
    help="Take this project whatever its name, and give it the title.",
)
@click.option(
    "--embedder",
    metavar="SPEC",
    help="Whose vectors order the queue: see `wildloop embed --help`. [default: WILDLOOP_EMBEDDER, else auto;"
    " a project that exists keeps its own, which `wildloop embedding use` changes]",
)
@click.option(
    "--no-backend",
    is_flag=True,
    help="Do not connect the ML backend: labels then arrive by `wildloop sync`, and only queued tasks have "
    "predictions.",
)
def create(title: str, species: Path, project_id: int | None, embedder: str | None, no_backend: bool) -> None:
    """Create a labelling project in Label Studio, or make an existing one right.

    The backend must be running (`wildloop serve`): Label Studio asks it before it connects. A second run
    changes nothing; with a longer species list it adds what is new.
    """
    from pipeline.embedders import load
    from pipeline.label_studio.species import read_species
    from pipeline.steps.labelling.project import create_project, known_project
    from pipeline.store import embeddings
    from pipeline.workspace import open_workspace

    listed = read_species(species)
    for note in listed.notes:
        click.echo(note, err=True)
    workspace = open_workspace()
    client = workspace.label_studio()
    known = known_project(workspace, client, title, project_id)
    if known is not None and embedder is None:
        embedder_id = known.embedder
    else:
        loaded = load(embedder or workspace.settings.embedder, data_dir=workspace.data_dir)
        with workspace.database.write() as conn:
            embeddings.register(conn, loaded)
        embedder_id = loaded.id
    record, changes = create_project(
        workspace,
        client,
        title=title,
        species=listed.names,
        embedder_id=embedder_id,
        project_id=project_id,
        connect_backend=not no_backend,
    )
    for change in changes:
        click.echo(change)
    if not changes:
        click.echo(f"project {record.id} ({record.title}) is right as it is; nothing changed")
    click.echo(f"{client.url}/projects/{record.id}/data")
