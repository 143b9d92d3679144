"""A simulation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.simulation.summary import aligned
from pipeline.steps.operations.simulate import SimulationResult


def lines(result: SimulationResult) -> Iterator[str]:
    """The pool, the table of strategies, and the files written."""
    pool, splits = result.study.pool, result.study.splits
    spread = f"means over {len(splits)} seeds [95 % interval]" if len(splits) > 1 else "one seed: no interval"
    yield (
        f"{pool.source}: {len(pool)} crops of {len(pool.names)} species, tested by {splits[0].by}; {spread}"
    )
    yield ""
    yield from aligned(result.summary.header(), list(result.summary.cells()))
    yield ""
    yield from map(str, result.files)
