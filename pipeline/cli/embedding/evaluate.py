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
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write evaluation.csv and a map of the crops for each embedder, map-EMBEDDER.png, to this folder.",
)
def evaluate(dataset: Path, specs: tuple[str, ...], out: Path | None) -> None:
    """Tell how well each embedder keeps the species of a dataset apart.

    On held-out locations, the crops of test.json are asked about and those of train.json answer. On
    held-out species, a third of the species is judged among itself. Neighbours of a crop's own sequence
    never count. Probes are means over three draws of labels.
    """
    from pipeline.settings import Settings
    from pipeline.steps import evaluate as step

    data_dir = Settings.from_environ().data_dir
    click.echo(step.evaluate(dataset, specs, data_dir=data_dir, out=out, progress=True))
