"""Query strategies side by side: macro-F1 on held-out groups against labels, ours and those of others.

    python benchmarks/strategies.py [--pools fish,plankton,digits,plankton-tail,digits-tail] [--seeds 5]
        [--strategies NAMES] [--budget 1000] [--processes 2] [--out curves.csv]

Every strategy gets the same splits, the same features and the same head (`heads.fit`), in the rounds in
which a project is trained. A pool is a name, or a file with `E`, `label` and maybe `group` and `location`.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.rivals import MARGIN, RIVALS
from pipeline import heads
from pipeline.acquisition import Round, Strategy
from pipeline.arrays import Ints
from pipeline.errors import WildloopError
from pipeline.render import text
from pipeline.simulation import npz_file
from pipeline.simulation.curve import COLUMNS, Curve, judge, table
from pipeline.simulation.labelled_pool import LabelledPool, labelled_pool
from pipeline.simulation.replay import Schedule, replay
from pipeline.simulation.split import Split, split
from pipeline.simulation.strategies import STRATEGIES
from pipeline.steps.learning.schedule import new_labels_wanted

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "embeddings"  # <name>_dev.npz
POOLS = ("fish", "plankton", "digits", "plankton-tail", "digits-tail")
OURS = ("default", "coverage")
ANCESTOR = ("least-confidence", "k-center")
COMPARED = (*OURS, "random", *ANCESTOR, *RIVALS)
FIRST = 20  # labels before the first head, and at least from one to the next
REPORTED = (50, 100, 125, 200, 300, 500, 700, 1000)
TAIL = 0.01  # of a pool with a tail: of its rarest class this share is kept,
FEWEST = 6  # or this many


@dataclass(frozen=True, kw_only=True)
class Played:
    """One strategy on one split: its curve, or why there is none."""

    strategy: str
    seed: int
    curve: Curve | None
    failure: str
    selecting: float  # seconds of a processor in the strategy, summed over the rounds
    whole: float  # the same of the replay: with its heads and their tests


class TooSlow(Exception):
    """A strategy had used up its seconds."""


class Timed:
    """A strategy that counts its seconds, and gives up beyond `limit`."""

    def __init__(self, strategy: Strategy, limit: float) -> None:
        self.strategy, self.limit, self.seconds = strategy, limit, 0.0

    def __call__(self, state: Round, k: int, rng: np.random.Generator) -> Ints:
        began = time.process_time()
        found = self.strategy(state, k, rng)
        self.seconds += time.process_time() - began
        if self.seconds > self.limit:
            known = len(state.labelled) + k
            raise TooSlow(f"gave up after {self.seconds:.0f} s of selection, at {known} labels")
        return found


def play(pool: LabelledPool, one: Split, name: str, budget: int, limit: float) -> Played:
    timed = Timed({**STRATEGIES, **RIVALS}[name], limit)
    schedule = Schedule(first=FIRST, wanted=partial(new_labels_wanted, retrain_every=FIRST), budget=budget)
    curve, failure, began = None, "", time.process_time()
    try:
        curve = replay(pool, one, name, timed, schedule)
    except Exception as exc:  # noqa: BLE001  whatever a rival raises is a result
        failure = f"{type(exc).__name__}: {exc}"
    return Played(
        strategy=name,
        seed=one.seed,
        curve=curve,
        failure=failure,
        selecting=timed.seconds,
        whole=time.process_time() - began,
    )


def ceiling(pool: LabelledPool, one: Split) -> float:
    """Macro-F1 of a head that learned every open crop."""
    head = heads.fit(
        heads.Examples(
            embeddings=pool.embeddings[one.open],
            labels=pool.species[one.open].tolist(),
            sequences=pool.sequences[one.open].astype(str).tolist(),
            locations=pool.locations[one.open].astype(str).tolist(),
        ),
        embedder="benchmark",
        seed=one.seed,
    ).head
    said = head.predict(pool.embeddings[one.test])
    return judge(pool.species[one.test], said, one.judged, one.rare).macro_f1


def opened(name: str) -> LabelledPool:
    """The pool of this name, or of this file."""
    base = name.removesuffix("-tail")
    if base == "digits":
        from sklearn.datasets import load_digits

        data, target = load_digits(return_X_y=True)
        pool = labelled_pool("digits", data.astype(np.float32), target)
    elif base in POOLS:
        path = FOLDER / f"{base}_dev.npz"
        if not path.exists():
            raise SystemExit(f"{name}: {path} is not there; name its file instead, as --pools PATH.npz")
        pool = npz_file.read(path)
    else:
        pool = npz_file.read(Path(name))
    return pool if base == name else with_tail(name, pool)


def with_tail(name: str, pool: LabelledPool) -> LabelledPool:
    """Of each class a smaller share of its crops than of the class before, in an order drawn once."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pool.names))
    ratio = TAIL ** (1 / (len(order) - 1))
    rows: list[int] = []
    for rank, one in enumerate(order):
        members = rng.permutation(np.flatnonzero(pool.species == one))
        rows += members[: max(FEWEST, int(len(members) * ratio**rank))].tolist()
    rows.sort()
    return labelled_pool(
        name,
        pool.embeddings[rows],
        np.array(pool.names)[pool.species[rows]],
        sequences=pool.sequences[rows],
        locations=pool.locations[rows],
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """A pool's curves by strategy, of those that came through on every split."""

    pool: LabelledPool
    splits: Sequence[Split]
    ceilings: Sequence[float]
    played: Sequence[Played]

    @property
    def curves(self) -> dict[str, list[Curve]]:
        found: dict[str, list[Curve]] = {}
        for name in dict.fromkeys(one.strategy for one in self.played):
            curves = [one.curve for one in self.played if one.strategy == name and one.curve is not None]
            if len(curves) == len(self.splits):
                found[name] = curves
        return found

    @property
    def failures(self) -> dict[str, str]:
        return {one.strategy: one.failure for one in self.played if one.failure}

    def seconds(self, name: str) -> tuple[float, float]:
        """Of selection, and of a whole replay."""
        mine = [(one.selecting, one.whole) for one in self.played if one.strategy == name]
        selecting, whole = np.mean(mine, axis=0)
        return float(selecting), float(whole)


def told(result: Result) -> Iterator[str]:
    """The tables of one pool."""
    curves, pool = result.curves, result.pool
    opens = [len(one.open) for one in result.splits]
    yield (
        f"{pool.source}: {len(pool)} crops of {len(pool.names)} species, some {np.mean(opens):.0f} open, "
        f"tested by {result.splits[0].by}; macro-F1, means of {len(result.splits)} seeds; * the best rival"
    )
    yield from (f"  {name} has no row: {why}" for name, why in result.failures.items())
    if not curves:
        return
    budget = min(one.labels[-1] for some in curves.values() for one in some)
    rivals = [name for name in curves if name not in OURS]
    shown = [labels for labels in REPORTED if labels <= budget]
    at = {name: {n: float(np.mean(values(curves[name], n))) for n in shown} for name in curves}

    def best(labels: int) -> str | None:
        return max(rivals, key=lambda name: at[name][labels], default=None)

    rows = [[name, *(f"{'*' * (name == best(n))}{at[name][n]:.3f}" for n in shown)] for name in curves]
    yield text.table(["labels", *map(str, shown)], rows, "l" + "r" * len(shown))
    yield ""
    whole = float(np.mean(result.ceilings))
    end = float(np.mean(values(curves["random"], budget))) if "random" in curves else None
    margin = next((seen_all(curves[name]) for name in (MARGIN, "margin") if name in curves), None)
    header = [
        "strategy",
        "" if end is None else f"labels to reach\n{end:.3f}, random's end",
        "of the\nbudget",
        f"labels to reach\n{whole:.3f}, whole pool's",
        "of the\nbudget",
        "labels until all\nspecies seen, median",
        "of\nmargin's",
        "selection,\nCPU s",
        "whole replay,\nCPU s",
    ]
    rows = []
    for name, some in curves.items():
        seen = seen_all(some)
        rows.append(
            [
                name,
                *(("-", "-") if end is None else reached(some, end, budget)),
                *reached(some, whole, budget),
                f"{seen:.0f}" if np.isfinite(seen) else f"> {budget}",
                "-" if margin is None or not np.isfinite([seen, margin]).all() else f"{seen / margin:.2f}",
                *(f"{one:.1f}" for one in result.seconds(name)),
            ]
        )
    yield text.table(header, rows, "l" + "r" * (len(header) - 1))
    yield ""
    for name in OURS:
        if name in curves and rivals:
            yield shortfall(name, curves, rivals, budget)


def values(curves: Iterable[Curve], labels: int) -> list[float]:
    """Macro-F1 of each curve, between its rounds."""
    return [float(np.interp(labels, one.labels, one.values("macro_f1"))) for one in curves]


def reached(curves: Sequence[Curve], target: float, budget: int) -> tuple[str, str]:
    """Labels, and as a share of the budget, where the mean curve first comes to `target`."""
    rounds = [n for n in curves[0].labels if n < budget] + [budget]
    mean = [float(np.mean(values(curves, n))) for n in rounds]
    if mean[0] >= target:
        return str(rounds[0]), f"{rounds[0] / budget:.2f}"
    for (n, low), (more, high) in pairwise(zip(rounds, mean, strict=True)):
        if high >= target:
            labels = n + (more - n) * (target - low) / (high - low)
            return f"{labels:.0f}", f"{labels / budget:.2f}"
    return "not reached", "-"


def seen_all(curves: Sequence[Curve]) -> float:
    """Median over seeds of the labels until every open species was seen; infinite where most never saw."""
    seen = [one.labels_to_see_all for one in curves]
    return float(np.median([np.inf if one is None else one for one in seen]))


def shortfall(name: str, curves: Mapping[str, list[Curve]], rivals: Sequence[str], budget: int) -> str:
    """Where `name` is furthest below its best rival, from 50 labels on."""
    least = min(50, budget)
    rounds = [least, *(n for n in curves[name][0].labels if least < n < budget), budget]

    def gap(case: tuple[int, str]) -> list[float]:
        labels, rival = case
        return [
            100 * (theirs - ours)
            for ours, theirs in zip(values(curves[name], labels), values(curves[rival], labels), strict=True)
        ]

    worst = max(((n, rival) for n in rounds for rival in rivals), key=lambda case: np.mean(gap(case)))
    points = gap(worst)
    spread = f" (standard error {np.std(points, ddof=1) / np.sqrt(len(points)):.1f})" if points[1:] else ""
    ahead = np.mean([max(np.mean(gap((n, rival))) for rival in rivals) <= 0 for n in rounds])
    return (
        f"{name}: at worst {np.mean(points):+.1f} points{spread} below {worst[1]}, at {worst[0]} labels, of "
        f"{least} to {budget}; at or above every rival at {ahead:.0%} of {len(rounds)} rounds"
    )


def prepare() -> None:
    """In a worker: one thread, so that seconds of a processor say what a strategy costs."""
    threadpool_limits(limits=1)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default=",".join(POOLS), help="names or paths, with commas between")
    parser.add_argument(
        "--strategies", default=",".join(COMPARED), help=f"of {', '.join({**STRATEGIES, **RIVALS})}"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1800, help="seconds of selection until one gives up")
    parser.add_argument("--out", type=Path, help="a CSV of every round")
    arguments = parser.parse_args()
    names = arguments.strategies.split(",")
    if unknown := set(names) - {*STRATEGIES, *RIVALS}:
        parser.error(f"there is no strategy {', '.join(sorted(unknown))}")
    try:
        pools = {name: opened(name) for name in arguments.pools.split(",")}
        splits = {
            name: [split(pool, seed) for seed in range(arguments.seeds)] for name, pool in pools.items()
        }
    except WildloopError as exc:
        raise SystemExit(str(exc)) from exc
    written: list[tuple[str | int | float, ...]] = []
    context = get_context("spawn")  # forked, a process would inherit locks of libraries that run threads
    with ProcessPoolExecutor(arguments.processes, mp_context=context, initializer=prepare) as workers:
        for name, pool in pools.items():
            began = time.monotonic()
            tops = [workers.submit(ceiling, pool, one) for one in splits[name]]
            runs = [
                workers.submit(play, pool, one, strategy, arguments.budget, arguments.limit)
                for one in splits[name]
                for strategy in names
            ]
            result = Result(
                pool=pool,
                splits=splits[name],
                ceilings=[one.result() for one in tops],
                played=[one.result() for one in runs],
            )
            print("\n".join(told(result)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
            written += [(name, *row) for some in result.curves.values() for row in table(some)]
    if arguments.out:
        with arguments.out.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("pool", *COLUMNS))
            rows.writerows(written)


if __name__ == "__main__":
    main()
