"""`wildloop board`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.grouping.boards import SIZES
from pipeline.render.labelling import requested_boards


@click.command()
@click.option(
    "--like",
    metavar="DETECTION|FILE",
    help="Crops that resemble a detection, given by its id, or a picture file that shows one animal.",
)
@click.option(
    "--species",
    metavar="NAME",
    help="Crops predicted as this species; with --like, the species that the board suggests.",
)
@click.option("--suggest", is_flag=True, help="Crops and labels that stand out: up to five boards.")
@click.option(
    "--size",
    type=click.Choice([str(size) for size in SIZES]),
    default=str(SIZES[0]),
    show_default=True,
    help="The most crops on a board.",
)
@project_option
@json_option
def board(
    like: str | None, species: str | None, suggest: bool, size: str, project: int | None, as_json: bool
) -> None:
    """Ask people about crops that are alike, before the queue.

    The way to find a rare species at the start: give a crop or a picture of it. Whoever gets the board
    strikes out what is something else, and names the rest at one go. Crops of the audit and those that
    another open group asks about are left out.
    """
    if suggest == (like is not None or species is not None):
        raise click.UsageError("give --like, --species or both, or else --suggest")
    from pipeline.steps.embedding.example import read_example
    from pipeline.steps.labelling.requested_boards import board_like, board_of, boards_suggested

    workspace = opened()
    chosen = chosen_project(workspace, project)
    client, most = workspace.label_studio(), int(size)
    if suggest:
        made = boards_suggested(workspace, client, chosen, size=most)
    elif like is not None:
        example = read_example(workspace, chosen, like)
        made = [
            board_like(
                workspace, client, chosen, example.vector, name=example.name, species=species, size=most
            )
        ]
    else:
        made = [board_of(workspace, client, chosen, str(species), size=most)]
    emit({"boards": made}, requested_boards(made), as_json=as_json)
