"""`wildloop simulate`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.render.operations import simulation_result
from pipeline.simulation import npz_file
from pipeline.steps.operations import simulate as step
from pipeline.steps.operations.simulate import SimulationResult


@click.command()
@click.argument("pool", type=click.Path(path_type=Path), metavar="[POOL.npz]", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for curves.csv, curves.png, presses.png and report.html.",
)
@click.option(
    "--strategies",
    default="default,random,margin",
    show_default=True,
    metavar="NAMES",
    help="Names with commas between them: default (coverage with audit crops), coverage (without), random, "
    "least-confidence, margin, entropy, power-margin, k-center, badge, typiclust, cluster-margin, "
    "drop-query, falcun.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Number of labels for each strategy, and of key presses for each way to ask.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Number of seeds; each has its own train/test split.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Number of parallel processes; it does not change the results. [default: one for each processor]",
)
@project_option
@json_option
def simulate(
    pool: Path | None,
    strategies: str,
    seeds: int,
    budget: int,
    out: Path,
    processes: int | None,
    project: int | None,
    as_json: bool,
) -> None:
    """Replay the labelling of crops whose species are known, and compare query strategies.

    POOL.npz holds E (N, D), label (N) and, if known, group (N; sequences) and location (N). Without it, the
    labelled crops of the project are replayed. A third of the crops, by whole locations, tests each head;
    the strategies choose from the rest.

    The crops of one strategy (default, or else the first) are also asked with their sequences, and on boards:
    a second table counts the key presses of a person who makes no slip.
    """
    if pool is not None and project is not None:
        raise click.UsageError("give POOL.npz or --project, not both")
    compared = step.chosen([name for name in map(str.strip, strategies.split(",")) if name])
    if pool is not None:
        crops = npz_file.read(pool)
    else:
        workspace = opened()
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
    emit(_outline(result), simulation_result(result), as_json=as_json)


def _outline(result: SimulationResult) -> dict[str, Any]:
    """The result without its arrays."""
    study = result.study
    return {
        "pool": study.pool.source,
        "crops": len(study.pool),
        "species": study.pool.names,
        "tested_by": study.splits[0].by,
        "seeds": len(study.splits),
        "budget": study.schedule.budget,
        **plain(result.summary),
        "asking": plain(result.asking),
        "files": result.files,
    }
