"""`wildloop simulate`"""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.common import chosen_project, project_option


@click.command()
@click.argument("pool", type=click.Path(path_type=Path), metavar="[POOL.npz]", required=False)
@click.option(
    "--strategies",
    default="default,random,margin",
    show_default=True,
    metavar="NAMES",
    help="Names with commas between: default (with the audit's share), coverage (the same without), random, "
    "least-confidence, margin, entropy, power-margin, k-center, badge, typiclust, cluster-margin, "
    "drop-query, falcun.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many times, each with a test part and chances of its own.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Labels that a strategy may ask for.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The folder for curves.csv, curves.png and report.html.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="How many to run side by side; the results are the same. [default: one for each processor]",
)
@project_option
def simulate(
    pool: Path | None,
    strategies: str,
    seeds: int,
    budget: int,
    out: Path,
    processes: int | None,
    project: int | None,
) -> None:
    """Replay the labelling of crops whose species are known, and compare the strategies.

    POOL.npz holds E (N, D), label (N) and, where they are known, group (N; sequences) and location (N).
    Without it the labelled crops of the project are replayed. A third of the crops, by whole locations,
    tests each head; the rest waits to be asked for.
    """
    from pipeline.simulation import npz_file
    from pipeline.steps.operations import simulate as step
    from pipeline.steps.operations.simulation_report import lines

    if pool is not None and project is not None:
        raise click.UsageError("POOL.npz and --project name two pools: choose one")
    compared = step.chosen([name for name in map(str.strip, strategies.split(",")) if name])
    if pool is not None:
        crops = npz_file.read(pool)
    else:
        from pipeline.workspace import open_workspace

        workspace = open_workspace()
        crops = step.stored_pool(workspace, chosen_project(workspace, project).id)
    result = step.simulate(
        crops,
        compared,
        seeds=seeds,
        budget=budget,
        out=out,
        processes=processes or os.cpu_count() or 1,
        progress=True,
    )
    for line in lines(result):
        click.echo(line)
