"""`wildloop embedding finetune`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option


@click.command()
@click.option("--name", required=True, help="What to call the new embedder.")
@project_option
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="At most, as for `wildloop embedding train`.",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="The highest learning rate. [default: 0.0003]"
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of all that is drawn."
)
@click.option("--licence", help="A note that is kept with the weights. [default: that none is stated]")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that decode; with 0 this one does. [default: one for each core]",
)
def finetune(
    name: str,
    project: int | None,
    epochs: int,
    rate: float | None,
    seed: int,
    licence: str | None,
    workers: int | None,
) -> None:
    """Train a project's embedder on, on its labels and the pretraining pool; use it where it does better.

    A quarter of the project's places, always the same, and the audit are never learned from: there the
    answers with either embedder are compared. Only where the new one is better in 90% of bootstrap draws of
    places, and no less accurate, the project goes over to it, as by `wildloop embedding use`. Back goes
    `wildloop embedding use` with the former, or `wildloop activate` with a former version.
    """
    from pipeline.cli.embedding.use import go_over
    from pipeline.steps.finetune import finetune as train_on
    from pipeline.wiring import open_house

    house = open_house()
    chosen = chosen_project(house, project)
    found = train_on(
        house.database,
        house.settings.data_dir,
        chosen,
        name,
        epochs=epochs,
        rate=rate,
        seed=seed,
        licence=licence,
        workers=workers,
        progress=True,
    )
    told, judged = found.training.description, found.comparison
    click.echo(
        f"{name} {'was trained before' if found.training.known else 'trained'}: "
        f"{told['data']['learned']:,} crops, {told['target']['labels']} of them labelled in the project"
    )
    click.echo(f"judged on {judged.crops} labelled crops of {judged.clusters} places that it never saw:")
    click.echo(f"  accuracy {judged.old_accuracy:.3f} -> {judged.new_accuracy:.3f}")
    click.echo(f"  macro-F1 {judged.old_macro_f1:.3f} -> {judged.new_macro_f1:.3f}")
    click.echo(f"  of bootstrap draws of the places, {judged.surer:.0%} find the new macro-F1 higher")
    if found.is_better:
        go_over(house, chosen, name)
    else:
        click.echo(f"that is not surely better: the project stays with {chosen.embedder}")
        click.echo(f"`wildloop embedding use {name}` would change it all the same")
