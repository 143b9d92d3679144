"""`wildloop embedding train`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.embedding.options import training_options
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.records import Role
from pipeline.render.embedding import training_report
from pipeline.render.text import lines
from pipeline.settings import Settings
from pipeline.steps.datasets import labelled_crops
from pipeline.steps.datasets.dataset import Selection


@click.command()
@click.option("--name", required=True, help="Name of the new embedder, for `--embedder NAME`.")
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Train on train.json of a folder that `wildloop dataset make` wrote. test.json is left for "
    "`wildloop embedding evaluate`.",
)
@click.option(
    "--role",
    type=click.Choice(["pretraining", "target"]),
    help="Train on the labelled crops of this pool instead.",
)
@click.option(
    "--hold-out-species",
    is_flag=True,
    help="Leave out the species that `wildloop embedding evaluate` holds out of the dataset.",
)
@click.option(
    "--backbone",
    default="mobilenet_v3_large",
    show_default=True,
    help="Classification network of torchvision, such as resnet18 or resnet50.",
)
@click.option(
    "--start",
    default="auto",
    show_default=True,
    metavar="WEIGHTS",
    help="Starting weights: published (torchvision's, from ImageNet), scratch, auto (published if available, "
    "else scratch), the name of a trained embedder, or checkpoint:FOLDER.",
)
@click.option(
    "--dimension", type=click.IntRange(2), default=256, show_default=True, help="Embedding dimension."
)
@click.option(
    "--side",
    type=click.IntRange(32),
    default=224,
    show_default=True,
    help="Side of the square input in pixels. Smaller is faster.",
)
@click.option(
    "--loss",
    type=click.Choice(["cross-entropy", "triplet", "supcon", "arcface"]),
    default="supcon",
    show_default=True,
    help="Softmax over the species, triplets with batch-hard mining, supervised contrastive, or an angular "
    "margin.",
)
@click.option(
    "--species-per-batch", type=click.IntRange(2), default=16, show_default=True, help="Species in a batch."
)
@click.option(
    "--crops-per-species",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help="Crops of each species in a batch, from different sequences if possible.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Maximum number of epochs. Training stops early if retrieval at held-out locations has not "
    "improved for six epochs, but not before half of them.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Peak learning rate. [default: 0.001 from scratch, else 0.0003]",
)
@training_options
@json_option
def train(
    dataset: Path | None,
    role: str | None,
    name: str,
    hold_out_species: bool,
    start: str,
    rate: float | None,
    licence: str | None,
    workers: int | None,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train an embedder on labelled crops: a torchvision network with a projection on top.

    A seventh of the crops, in whole locations, is held out, and the weights of the epoch that retrieves
    their species best are kept. If training is killed, the same command continues it. Beside the weights
    are log.csv, curves.png and a manifest of the training data.
    """
    from pipeline.embedder_training.recipe import Recipe
    from pipeline.steps.embedding.train import TrainingRequest, train_embedder  # imports torch

    settings = Settings.from_environ()
    data_dir = settings.data_dir
    if dataset is not None and role is None:
        root, sources = dataset, ["train.json"]
        crops = labelled_crops.of_folder(dataset, hold_out_species=hold_out_species)
    elif dataset is None and role is not None and not hold_out_species:
        root, sources = data_dir, [role]
        crops = labelled_crops.of_store(opened(settings), Selection(roles=(Role(role),)))
    else:
        raise click.UsageError("Give --dataset DIR, with or without --hold-out-species, or --role.")
    request = TrainingRequest(
        root=root,
        crops=crops,
        recipe=Recipe(**recipe),
        sources=sources,
        start=start,
        rate=rate,
        licence=licence,
    )
    report = train_embedder(data_dir, name, request, workers=workers, progress=True)
    after = f"Next: wildloop embedding evaluate --dataset DIR --embedder {name}"
    emit(report, lines(training_report(report), after), as_json=as_json)
