"""Replaying the labelling of crops whose species are known, to compare query strategies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.labelled_pool import labelled_pool as pool_of_arrays
from pipeline.steps.operations import simulate as step
from pipeline.steps.operations.simulate import SimulationResult
from pipeline.workspace import Workspace
from wildloop._default_project import chosen

__all__ = ["LabelledPool", "SimulationResult", "labelled_arrays", "labelled_pool", "simulate"]


def labelled_pool(workspace: Workspace, *, project: int | None = None) -> LabelledPool:
    """Every labelled crop of the project that is embedded. Raises ModelError if there is none."""
    return step.stored_pool(workspace, chosen(workspace, project))


def labelled_arrays(
    embeddings: npt.NDArray[np.floating],
    species: npt.NDArray[np.generic],
    *,
    sequences: npt.NDArray[np.generic] | None = None,
    locations: npt.NDArray[np.generic] | None = None,
) -> LabelledPool:
    """A labelled pool from arrays: embeddings (N, D) and the species, sequence and location of each, (N,)."""
    return pool_of_arrays("arrays", embeddings, species, sequences=sequences, locations=locations)


def simulate(
    pool: LabelledPool,
    out: str | Path,
    *,
    strategies: Sequence[str] = ("default", "random", "margin"),
    seeds: int = 5,
    budget: int = 1000,
    processes: int = 1,
    progress: bool = False,
) -> SimulationResult:
    """Compare query strategies and ways to ask on the pool; write a table, pictures and a page to `out`.

    `budget` is the number of labels of each strategy, and of key presses of each way to ask; each seed has
    its own train/test split. Raises
    SourceError if the pool cannot be split, and SettingsError for an unknown strategy.
    """
    return step.simulate(
        pool,
        step.chosen(strategies),
        seeds=seeds,
        budget=budget,
        out=Path(out),
        processes=processes,
        progress=progress,
    )
