"""`wildloop embedding evaluate`"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.output import emit, json_option
from pipeline.render.embedding import evaluation_result
from pipeline.settings import Settings


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder that `wildloop dataset make` wrote.",
)
@click.option(
    "--embedder",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="Embedder to evaluate, as for `wildloop embed`. Can be given several times.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Compare each checkpoint with the descriptor, with the same architecture at random weights, and "
    "with its backbone at torchvision's published weights, if these can be loaded.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write evaluation.csv to this folder and, for each embedder, a map of the crops (map-EMBEDDER.png) "
    "and its vectors (vectors-EMBEDDER.npz), which `wildloop simulate` can replay.",
)
@json_option
def evaluate(dataset: Path, specs: tuple[str, ...], baselines: bool, out: Path | None, as_json: bool) -> None:
    """Measure how well each embedder separates the species of a dataset.

    Held-out locations: queries from test.json, gallery from train.json. Held-out species: species that no
    embedder was trained on, or else a third of all, among themselves; a star marks embedders that were
    trained on some of them. Neighbours from a crop's own sequence never count. In brackets: 95% intervals
    from a bootstrap of locations, or of sequences if there is one location. Probes are means over three
    draws of 10, 100 and 1,000 labels.
    """
    from pipeline.steps.embedding import evaluate as step

    result = step.evaluate(
        dataset,
        specs,
        data_dir=Settings.from_environ().data_dir,
        out=out,
        against_baselines=baselines,
        progress=True,
    )
    emit(result, evaluation_result(result), as_json=as_json)
