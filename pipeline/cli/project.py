"""`wildloop project`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.follow_up import follow_option, follow_up
from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.cli.output import emit, json_option
from pipeline.cli.screen_options import changed, options_flags
from pipeline.cli.store import opened, opened_or_created
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.species import read_species
from pipeline.render.labelling import proposal_report, unoffered
from pipeline.render.project import renewal, screen_options
from pipeline.render.text import count, lines
from pipeline.steps.labelling.options import change_options
from pipeline.steps.labelling.project import (
    create_project,
    forget_project,
    known_project,
    project_embedder,
)
from pipeline.steps.labelling.propose import propose_species
from pipeline.steps.labelling.renew import renew_project
from pipeline.store import choices

COMMANDS = {
    "create": LazyCommand("pipeline.cli.project:create", "Create a labelling project, or update one."),
    "species": LazyCommand("pipeline.cli.species:species", "List or change what annotators can choose."),
    "options": LazyCommand("pipeline.cli.project:options", "Show or change what annotators are asked."),
    "renew": LazyCommand("pipeline.cli.project:renew", "Go on in a new project with the present screens."),
    "forget": LazyCommand("pipeline.cli.project:forget", "Forget a project deleted in Label Studio."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def project() -> None:
    """Set up Label Studio projects."""


@click.command()
@click.option("--title", required=True, help="Title of the project in Label Studio.")
@click.option(
    "--species",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Text file with one species per line; # starts a comment. Or CSV with the columns common_name, "
    'scientific_name, rank, parent, taxon_id, or some of them. "empty" and "unsure" are always offered.',
)
@click.option(
    "--species-from",
    metavar="SOURCE",
    help="Propose the species that an import named, such as speciesnet, coco:ena24, coco (every import from "
    "such files) or all, and write them to the FILE of --species [default: species.csv], which you can edit.",
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
@options_flags
@follow_option
@json_option
def create(
    title: str,
    species: Path | None,
    species_from: str | None,
    project_id: int | None,
    embedder: str | None,
    no_backend: bool,
    follow: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Create a labelling project in Label Studio, or update an existing one.

    The backend must be running (`wildloop label-studio` or `wildloop serve`): Label Studio calls it before
    it connects. Crops that were imported before become the project's queue. A second run with the same
    options changes nothing; a longer species list adds the new species.

    Labels of imports under another name of a choice, such as its scientific name, count as the choice.
    """
    if species is None and species_from is None:
        raise click.UsageError("Missing option '--species FILE', or '--species-from SOURCE'.")
    path = species or Path("species.csv")
    listed = read_species(path) if species_from is None else None
    workspace = opened_or_created()
    if species_from is not None:
        proposal = propose_species(workspace, species_from)
        proposal.write(path)
        click.echo(proposal_report(proposal, path), err=True)
    listed = listed or read_species(path)
    for remark in listed.notes:
        click.echo(remark, err=True)
    client = workspace.label_studio()
    existing = known_project(workspace, client, title, project_id)
    present = ScreenOptions.from_json(None if existing is None else existing.options)
    record, changes = create_project(
        workspace,
        client,
        title=title,
        species=listed,
        embedder_id=project_embedder(workspace, client, title, project_id, embedder),
        project_id=project_id,
        connect_backend=not no_backend,
        options=changed(present, **asked),
    )
    url = f"{client.url}/projects/{record.id}/data"
    done = lines(*changes) or f"project {record.id} ({record.title}) is up to date; nothing changed"
    with workspace.database.read() as conn:
        missing = choices.unoffered(conn, record.id)
    emit(
        {"project": record, "changes": changes, "unoffered": missing, "url": url},
        lines(done, unoffered(missing), url),
        as_json=as_json,
    )
    if follow:
        follow_up(workspace, trigger="project", project=record.id, as_json=as_json)


@click.command()
@project_option
@options_flags
@json_option
def options(project: int | None, as_json: bool, **asked: Any) -> None:
    """Show what annotators are asked in a project, or change it while they label.

    Without options it shows the present ones. What is asked beside the species changes at once, also in
    tasks that are open; boxes and all others in tasks from now on. What annotations have stays asked.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    present = ScreenOptions.from_json(chosen.options)
    wanted = changed(present, **asked)
    if any(value is not None for value in asked.values()):
        change_options(workspace, workspace.label_studio(), chosen.id, wanted)
    emit({"project": chosen.id, "options": wanted.to_json()}, screen_options(wanted), as_json=as_json)


@click.command()
@project_option
@click.option("--title", help="Title of the new project. [default: that of the present one]")
@click.option("--no-backend", is_flag=True, help="Do not connect the ML backend to the new project.")
@options_flags
@follow_option
@json_option
def renew(
    project: int | None, title: str | None, no_backend: bool, follow: bool, as_json: bool, **asked: Any
) -> None:
    """Make a new Label Studio project that goes on with the labels of a present one.

    For projects of earlier releases, whose screens Label Studio cannot change while they have annotations.
    The new one has the same species, taxa, embedder, audit sample and labels. The present one is synced
    before and afterwards, so late answers count, but nothing is asked or trained in it any more.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    client = workspace.label_studio()
    report = renew_project(
        workspace,
        client,
        chosen.id,
        title=title,
        options=changed(ScreenOptions.from_json(chosen.options), **asked),
        connect_backend=not no_backend,
    )
    url = f"{client.url}/projects/{report.new.id}/data"
    emit({"renewal": report, "url": url}, lines(renewal(report), url), as_json=as_json)
    if follow:
        follow_up(workspace, trigger="project", project=report.new.id, as_json=as_json)


@click.command()
@click.argument("project_id", type=int, metavar="ID")
@json_option
def forget(project_id: int, as_json: bool) -> None:
    """Forget a project that was deleted in Label Studio.

    No command and no worker asks for it any more. Nothing is lost: its labels stay, and are exported.
    `wildloop project create --project ID` with its title and species takes it up again.
    """
    labels = forget_project(opened(), project_id)
    emit(
        {"project": project_id, "labels": labels},
        f"project {project_id} is forgotten; its {count(labels, 'labels')} stay",
        as_json=as_json,
    )
