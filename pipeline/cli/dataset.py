"""`wildloop dataset`"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.records import Role
from pipeline.render.datasets import dataset_report
from pipeline.steps.datasets import dataset as step

COMMANDS = {
    "make": LazyCommand("pipeline.cli.dataset:make", "Copy labelled crops to a folder, split by location.")
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def dataset() -> None:
    """Labelled crops as data for training elsewhere."""


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), metavar="OUT")
@click.option(
    "--role",
    type=click.Choice(["pretraining", "target", "both"]),
    default="pretraining",
    show_default=True,
    help="Pool to take crops from.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.9,
    show_default=True,
    help="Take boxes above this confidence. Boxes that people drew are always taken.",
)
@click.option(
    "--weak", is_flag=True, help="Include weak labels: those that a machine gave before the import."
)
@click.option(
    "--test-fraction",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of crops in test.json, as close as whole locations allow; at least one location.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the split."
)
@json_option
def make(
    out: Path, role: str, confidence: float, weak: bool, test_fraction: float, seed: int, as_json: bool
) -> None:
    """Make a classification dataset in OUT: a folder of crops for each class, train.json and test.json.

    Both files are COCO Camera Traps files, and no location is in both. Crops are those labelled by people
    or by the source of their photographs. A second run copies only new crops.
    """
    selection = step.Selection(
        roles=tuple(Role) if role == "both" else (Role(role),),
        confidence=confidence,
        weak=weak,
        test_fraction=test_fraction,
        seed=seed,
    )
    report = step.make(opened(), out, selection, progress=True)
    crops = {name: {split: report.crops[name, split] for split in step.SPLITS} for name in report.classes}
    emit({**plain(report), "crops": crops}, dataset_report(report), as_json=as_json)
