"""Several strategies, and several ways to ask, replayed on the same splits in parallel processes."""

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
from pipeline.simulation.asking import ASKINGS, SINGLES
from pipeline.simulation.curve import Curve
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.replay import DEFAULT, Schedule, replay
from pipeline.simulation.split import Split, split


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """The replays of several strategies, of which one is asked in several ways."""

    pool: LabelledPool
    splits: tuple[Split, ...]  # one for each seed
    strategies: tuple[str, ...]
    schedule: Schedule
    curves: tuple[Curve, ...]  # of singles, by strategy, then by seed
    grouped: tuple[Curve, ...]  # of `asked`, by the other ways to ask, then by seed

    @property
    def asked(self) -> str:
        """The strategy whose crops are asked in several ways: a project's own, or else the first."""
        return _asked(self.strategies)

    def of(self, strategy: str) -> list[Curve]:
        """The curves of one strategy, by seed."""
        return [curve for curve in self.curves if curve.strategy == strategy]

    def of_asking(self, name: str) -> list[Curve]:
        """The curves of one way to ask, by seed."""
        return [curve for curve in [*self.of(self.asked), *self.grouped] if curve.asking == name]


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

    One of them is also asked in each of `ASKINGS`. The curves do not depend on the number of processes.
    Raises SourceError if the pool cannot be split, and ModelError if the system kills a process.
    """
    splits = tuple(split(pool, seed) for seed in range(seeds))
    asked = _asked(tuple(strategies))
    alone = [(name, SINGLES) for name in strategies]
    together = [(asked, asking) for asking in ASKINGS if asking is not SINGLES]
    jobs = [(*job, part) for part in splits for job in [*alone, *together]]
    curves: dict[tuple[str, str, int], Curve] = {}
    with (
        tqdm(total=len(jobs), desc="simulate", unit="replay", disable=None if progress else True) as bar,
        # A forked process would inherit locks of libraries that run threads here.
        ProcessPoolExecutor(
            min(processes, len(jobs)), mp_context=get_context("spawn"), initializer=_prepare
        ) as workers,
    ):
        running = [
            workers.submit(replay, pool, part, name, strategies[name], schedule, asking)
            for name, asking, part in jobs
        ]
        try:
            for done in as_completed(running):
                curve = done.result()
                curves[curve.strategy, curve.asking, curve.seed] = curve
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
        curves=tuple(curves[name, asking.name, part.seed] for name, asking in alone for part in splits),
        grouped=tuple(curves[name, asking.name, part.seed] for name, asking in together for part in splits),
    )


def _asked(strategies: tuple[str, ...]) -> str:
    return DEFAULT if DEFAULT in strategies else strategies[0]


def _prepare() -> None:
    """Prepare a worker: one thread, so that no sum depends on their number; no traceback at Ctrl-C."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    # For libraries that are not loaded yet.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
