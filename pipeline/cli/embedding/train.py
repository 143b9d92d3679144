"""`wildloop embedding train`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.embedding.options import training_options

SHOWN = 5  # broken crops named one by one


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Learn from train.json of a folder that `wildloop dataset make` wrote; test.json is left for "
    "`wildloop embedding evaluate`.",
)
@click.option(
    "--role",
    type=click.Choice(["pretraining", "target"]),
    help="Or learn from the labelled crops of this pool.",
)
@click.option("--name", required=True, help="What to call it: `--embedder NAME` then means this embedder.")
@click.option(
    "--backbone",
    default="mobilenet_v3_large",
    show_default=True,
    help="A classification network of torchvision, such as resnet18 or resnet50.",
)
@click.option(
    "--start",
    default="auto",
    show_default=True,
    metavar="WEIGHTS",
    help="What to begin with: published (torchvision's, of ImageNet), scratch, auto (published where they "
    "can be had, else scratch), the name of a trained embedder, or checkpoint:FOLDER.",
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
    "--dimension", type=click.IntRange(2), default=256, show_default=True, help="Numbers in an embedding."
)
@click.option(
    "--side",
    type=click.IntRange(32),
    default=224,
    show_default=True,
    help="Pixels of the square that the network sees; fewer are quicker.",
)
@click.option(
    "--species-per-batch", type=click.IntRange(2), default=16, show_default=True, help="Species in a batch."
)
@click.option(
    "--crops-per-species",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help="Crops of each of them, of different sequences where there are such.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="At most: it ends where retrieval at held-out locations has not risen for six, but not before half.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="The highest learning rate. [default: 0.001 from scratch, else 0.0003]",
)
@click.option(
    "--hold-out-species",
    is_flag=True,
    help="Leave out the species that `wildloop embedding evaluate` holds out of the dataset.",
)
@training_options
def train(
    dataset: Path | None,
    role: str | None,
    name: str,
    hold_out_species: bool,
    start: str,
    rate: float | None,
    licence: str | None,
    workers: int | None,
    **recipe: Any,
) -> None:
    """Learn an embedder from labelled crops: a network of torchvision with a projection behind it.

    A seventh of the crops, whole locations of them, is held out, and the weights of the epoch are kept that
    tells their species apart best. A killed training goes on where it was when the same command is given
    again. Beside the weights lie log.csv, curves.png and a manifest of what they learned from.
    """
    from pipeline.records import Role
    from pipeline.settings import Settings
    from pipeline.steps.datasets import labelled_crops
    from pipeline.steps.datasets.dataset import Selection
    from pipeline.steps.embedding.train import TrainingRequest, train_embedder
    from pipeline.training.recipe import Recipe
    from pipeline.workspace import open_workspace

    settings = Settings.from_environ()
    data_dir = settings.data_dir
    if dataset is not None and role is None:
        root, sources = dataset, ["train.json"]
        crops = labelled_crops.of_folder(dataset, hold_out_species=hold_out_species)
    elif dataset is None and role is not None and not hold_out_species:
        root, sources, workspace = data_dir, [role], open_workspace(settings)
        crops = labelled_crops.of_store(workspace, Selection(roles=(Role(role),)))
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
    done = train_embedder(data_dir, name, request, workers=workers, progress=True)
    told = done.description
    data, metrics = told["data"], told["metrics"]
    click.echo(
        f"{name} {'knew these crops already' if done.existed else 'trained'}: {data['learned']:,} crops of "
        f"{len(told['classes'])} species, from {told['start']}"
    )
    click.echo(
        f"  held out by {data['held_out_by']}: recall@1 {metrics['recall_at_1']:.3f}, MAP@R "
        f"{metrics['map_at_r']:.3f}, in epoch {metrics['epoch']} of {metrics['epochs']}"
    )
    for file_name in sorted(done.broken)[:SHOWN]:
        click.echo(f"  {file_name}: {done.broken[file_name]}")
    if done.broken:
        click.echo(f"  {len(done.broken)} crops could not be read and taught nothing")
    click.echo(f"  {done.folder}")
    click.echo(f"Next: wildloop embedding evaluate --dataset DIR --embedder {name}")
