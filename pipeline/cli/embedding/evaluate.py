"""`wildloop embedding evaluate`"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="A folder that `wildloop dataset make` wrote.",
)
@click.option(
    "--embedder",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="As for `wildloop embed`; give it once for each embedder.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Where an embedder is a checkpoint, such as one that was trained here, compare it with the "
    "descriptor, with its network untrained, and with its backbone under torchvision's published weights, "
    "where these are on this machine or can be fetched.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write evaluation.csv to this folder, and of each embedder a map of the crops, map-EMBEDDER.png, "
    "and vectors-EMBEDDER.npz, whose labelling `wildloop simulate` replays.",
)
def evaluate(dataset: Path, specs: tuple[str, ...], baselines: bool, out: Path | None) -> None:
    """Tell how well each embedder keeps the species of a dataset apart.

    On held-out locations, the crops of test.json are asked about and those of train.json answer. On
    held-out species, species that no embedder was trained on, or else a third of them, are judged among
    themselves; a star marks embedders that were trained on some of these. Neighbours of a crop's own
    sequence never count. In brackets stand 95% intervals, by a bootstrap of locations, or of sequences
    where there is one location. Probes are means over three draws of 10, 100 and 1,000 labels.
    """
    from pipeline.settings import Settings
    from pipeline.steps.embedding import evaluate as step
    from pipeline.steps.embedding.evaluation_report import lines

    result = step.evaluate(
        dataset,
        specs,
        data_dir=Settings.from_environ().data_dir,
        out=out,
        against_baselines=baselines,
        progress=True,
    )
    for line in lines(result):
        click.echo(line)
