"""`wildloop dataset`: labelled crops as data for training elsewhere."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def dataset() -> None:
    """Labelled crops as data for training elsewhere."""


@dataset.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), metavar="OUT")
@click.option(
    "--role",
    type=click.Choice(["pretraining", "target", "both"]),
    default="pretraining",
    show_default=True,
    help="The pool of photographs to take crops from.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.9,
    show_default=True,
    help="Boxes above this confidence are taken; those that people drew always are.",
)
@click.option("--weak", is_flag=True, help="Take the labels of machines that came with the photographs, too.")
@click.option(
    "--test-fraction",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the crops in test.json, as nearly as whole locations allow; at least one location.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the split.")
def make(out: Path, role: str, confidence: float, weak: bool, test_fraction: float, seed: int) -> None:
    """Make a classification dataset in OUT: a folder of crops for each class, train.json and test.json.

    Both files are COCO Camera Traps files. No location is in both: what is tested was never seen. Crops
    are labelled by people or by the source of their photographs. A second run copies only what is new.
    """
    from pipeline.records import Role
    from pipeline.steps.datasets.dataset import Selection
    from pipeline.steps.datasets.dataset import make as make_dataset
    from pipeline.steps.datasets.dataset_report import lines
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    selection = Selection(
        roles=tuple(Role) if role == "both" else (Role(role),),
        confidence=confidence,
        weak=weak,
        test_fraction=test_fraction,
        seed=seed,
    )
    report = make_dataset(workspace, out, selection, progress=True)
    for line in lines(report):
        click.echo(line)
