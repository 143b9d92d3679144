"""`wildloop embedding finetune`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.embedding.options import training_options


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
@training_options
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

    A quarter of the project's places, always the same, is never learned from, nor is the audit: there the
    answers with either embedder are compared. Only where the new one is better in 90% of bootstrap draws of
    places, and no less accurate, the project goes over to it, as by `wildloop embedding use`. Back goes
    `wildloop embedding use` with the former, or `wildloop activate` with a former version.
    """
    from pipeline.cli.embedding.use import go_over
    from pipeline.steps.embedding.finetune import finetune as train_on
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    found = train_on(
        workspace,
        chosen.id,
        name,
        epochs=epochs,
        rate=rate,
        seed=seed,
        licence=licence,
        workers=workers,
        progress=True,
    )
    told = found.training.description
    click.echo(
        f"{name} {'was trained before' if found.training.existed else 'trained'}: "
        f"{told['data']['crops']:,} crops, {told['target']['labels']:,} of them labelled in the project"
    )
    if found.judged is None:
        click.echo(f"project {chosen.id} works with {found.former} already; nothing changed")
        return
    figures = found.judged.comparison
    click.echo(
        f"judged on {figures.crops:,} labelled crops of {figures.clusters} {found.judged.by}s, "
        f"none of which it has seen, against {found.former}:"
    )
    click.echo(f"  accuracy {figures.old_accuracy:.3f} -> {figures.new_accuracy:.3f}")
    click.echo(f"  macro-F1 {figures.old_macro_f1:.3f} -> {figures.new_macro_f1:.3f}")
    click.echo(
        f"  in {figures.surer:.0%} of bootstrap draws of {found.judged.by}s the new macro-F1 is higher"
    )
    if found.is_better:
        go_over(workspace, chosen, name)
    else:
        click.echo(f"that is not surely better: the project stays with {found.former}")
        click.echo(f"`wildloop embedding use {name}` would change it all the same")
