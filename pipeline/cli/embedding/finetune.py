"""`wildloop embedding finetune`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.embedding.options import training_options
from pipeline.cli.embedding.use import switch
from pipeline.cli.output import emit, json_option, note, plain
from pipeline.cli.store import opened
from pipeline.render.embedding import finetuning_report


@click.command()
@click.option("--name", required=True, help="Name of the new embedder.")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Maximum number of epochs, as for `wildloop embedding train`.",
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Peak learning rate. [default: 0.0003]")
@training_options
@project_option
@json_option
def finetune(
    name: str,
    project: int | None,
    epochs: int,
    rate: float | None,
    seed: int,
    licence: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Train a project's embedder further, on its labels and the pretraining pool, and use it if it is better.

    A quarter of the project's locations, always the same, and the audit are held out; both embedders are
    compared there. If the new one is better in 90% of bootstrap samples of locations, and no less accurate,
    the project switches to it, as with `wildloop embedding use`. To revert, run `wildloop embedding use` with
    the previous embedder, or `wildloop activate` with a previous version.
    """
    from pipeline.steps.embedding import finetune as step  # imports torch

    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.finetune(
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
    note(finetuning_report(report, chosen.id), as_json=as_json)
    change = switch(workspace, chosen, name, as_json=as_json) if report.is_better else None
    if as_json:
        emit({**plain(report), "is_better": report.is_better, "change": change}, "", as_json=True)
