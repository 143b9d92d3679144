"""`wildloop project species`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.render.labelling import species_change, species_list
from pipeline.steps.labelling import species as step

COMMANDS = {
    "list": LazyCommand("pipeline.cli.species:list_", "List what annotators can choose."),
    "add": LazyCommand("pipeline.cli.species:add", "Offer further species."),
    "rename": LazyCommand("pipeline.cli.species:rename", "Give a species another name."),
    "merge": LazyCommand("pipeline.cli.species:merge", "Make one species of several."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def species() -> None:
    """List or change what annotators can choose, while they label. No label is lost."""


@click.command("list")
@project_option
@json_option
def list_(project: int | None, as_json: bool) -> None:
    """List what annotators can choose, and labels of species that they cannot.

    A species is proposed if annotators typed its name: take it up with `add`, or join a slip of the pen with
    `merge`.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    found = step.list_species(workspace, workspace.label_studio(), chosen.id)
    emit(found, species_list(found), as_json=as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@project_option
@json_option
def add(names: tuple[str, ...], project: int | None, as_json: bool) -> None:
    """Offer further species, after the present ones.

    A name that was merged into another species is separated from it again, with the labels given under it.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.add_species(workspace, workspace.label_studio(), chosen.id, names)
    emit(report, species_change(report), as_json=as_json)


@click.command()
@click.argument("old")
@click.argument("new")
@project_option
@json_option
def rename(old: str, new: str, project: int | None, as_json: bool) -> None:
    """Give species OLD the name NEW; its labels follow, its key and place stay."""
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.rename_species(workspace, workspace.label_studio(), chosen.id, old, new)
    emit(report, species_change(report), as_json=as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--into", required=True, metavar="SPECIES", help="The species that the others become part of.")
@project_option
@json_option
def merge(names: tuple[str, ...], into: str, project: int | None, as_json: bool) -> None:
    """Make one species of several; their labels follow, and only --into is offered afterwards.

    NAME can also be a species that labels of a source have and the project does not offer.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.merge_species(workspace, workspace.label_studio(), chosen.id, names, into)
    emit(report, species_change(report), as_json=as_json)
