"""Several strategies replayed on the same splits, in parallel processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

from tqdm import tqdm

from pipeline.acquisition.round import Strategy
from pipeline.errors import ModelError
from pipeline.simulation.curve import Curve
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.replay import Schedule, replay
from pipeline.simulation.split import Split, split


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """The replays of several strategies."""

    pool: LabelledPool
    splits: tuple[Split, ...]  # one for each seed
    strategies: tuple[str, ...]
    schedule: Schedule
    curves: tuple[Curve, ...]  # by strategy, then by seed

    def of(self, strategy: str) -> list[Curve]:
        """The curves of one strategy, by seed."""
        return [curve for curve in self.curves if curve.strategy == strategy]


def study(
    pool: LabelledPool,
    strategies: Mapping[str, Strategy],
    *,
    seeds: int,
    schedule: Schedule,
    processes: int,
    progress: bool = False,
) -> Study:
    """Replay each of `strategies`, which must be picklable, on the splits of seeds 0 to `seeds` - 1.

    The curves do not depend on the number of processes. Raises SourceError if the pool cannot be split, and
    ModelError if the system kills a process.
    """
    splits = tuple(split(pool, seed) for seed in range(seeds))
    jobs = [(name, part) for part in splits for name in strategies]
    curves: dict[tuple[str, int], Curve] = {}
    with (
        tqdm(total=len(jobs), desc="simulate", unit="replay", disable=None if progress else True) as bar,
        # A forked process would inherit locks of libraries that run threads here.
        ProcessPoolExecutor(
            min(processes, len(jobs)), mp_context=get_context("spawn"), initializer=_prepare
        ) as workers,
    ):
        running = [
            workers.submit(replay, pool, part, name, strategies[name], schedule) for name, part in jobs
        ]
        try:
            for done in as_completed(running):
                curve = done.result()
                curves[curve.strategy, curve.seed] = curve
                bar.update()
        except BrokenProcessPool as exc:
            raise ModelError(
                "the system killed a process of the simulation, probably because memory ran out",
                remedy="use fewer --processes",
            ) from exc
        finally:
            workers.shutdown(wait=False, cancel_futures=True)
    return Study(
        pool=pool,
        splits=splits,
        strategies=tuple(strategies),
        schedule=schedule,
        curves=tuple(curves[name, part.seed] for name in strategies for part in splits),
    )


def _prepare() -> None:
    """Prepare a worker: one thread, so that no sum depends on their number; no traceback at Ctrl-C."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    # For libraries that are not loaded yet.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
