"""Query strategies compared: macro-F1 on held-out groups against labels, of Wildloop's and others.

    python benchmarks/strategies.py [--pools fish,plankton,digits,plankton-tail,digits-tail] [--seeds 5]
        [--strategies NAMES] [--budget 1000] [--processes 2] [--out curves.csv]

Every strategy gets the same splits, features and head (`heads.fit`), in the rounds of a project. A pool is a
name, or a file with `E`, `label` and perhaps `group` and `location`.
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
PREDECESSOR = ("least-confidence", "k-center")
COMPARED = (*OURS, "random", *PREDECESSOR, *RIVALS)
FIRST = 20  # labels before the first head, and at least between heads
REPORTED = (50, 100, 125, 200, 300, 500, 700, 1000)
TAIL = 0.01  # share of the rarest class that a pool with a tail keeps,
FEWEST = 6  # or this many crops


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One strategy on one split: its curve, or why it has none."""

    strategy: str
    seed: int
    curve: Curve | None
    failure: str
    selecting: float  # CPU seconds in the strategy, over all rounds
    whole: float  # CPU seconds of the replay, with its heads and their tests


class TooSlow(Exception):
    """A strategy exceeded its time limit."""


class Timed:
    """A strategy that counts its CPU seconds, and raises TooSlow beyond `limit`."""

    def __init__(self, strategy: Strategy, limit: float) -> None:
        self.strategy, self.limit, self.seconds = strategy, limit, 0.0

    def __call__(self, state: Round, k: int, rng: np.random.Generator) -> Ints:
        began = time.process_time()
        rows = self.strategy(state, k, rng)
        self.seconds += time.process_time() - began
        if self.seconds > self.limit:
            labels = len(state.labelled) + k
            raise TooSlow(f"stopped after {self.seconds:.0f} s of selection, at {labels} labels")
        return rows


def play(pool: LabelledPool, test_split: Split, name: str, budget: int, limit: float) -> Replayed:
    timed = Timed({**STRATEGIES, **RIVALS}[name], limit)
    schedule = Schedule(first=FIRST, wanted=partial(new_labels_wanted, retrain_every=FIRST), budget=budget)
    curve, failure, began = None, "", time.process_time()
    try:
        curve = replay(pool, test_split, name, timed, schedule)
    except Exception as exc:  # noqa: BLE001  any error of a rival is a result
        failure = f"{type(exc).__name__}: {exc}"
    return Replayed(
        strategy=name,
        seed=test_split.seed,
        curve=curve,
        failure=failure,
        selecting=timed.seconds,
        whole=time.process_time() - began,
    )


def ceiling(pool: LabelledPool, test_split: Split) -> float:
    """Macro-F1 of a head that is trained on all open crops."""
    head = heads.fit(
        heads.Examples(
            embeddings=pool.embeddings[test_split.open],
            labels=pool.species[test_split.open].tolist(),
            sequences=pool.sequences[test_split.open].astype(str).tolist(),
            locations=pool.locations[test_split.open].astype(str).tolist(),
        ),
        embedder="benchmark",
        seed=test_split.seed,
    ).head
    predicted = head.predict(pool.embeddings[test_split.test])
    return judge(pool.species[test_split.test], predicted, test_split.judged, test_split.rare).macro_f1


def opened(name: str) -> LabelledPool:
    """The pool with this name, or in this file."""
    base = name.removesuffix("-tail")
    if base == "digits":
        from sklearn.datasets import load_digits

        data, target = load_digits(return_X_y=True)
        pool = labelled_pool("digits", data.astype(np.float32), target)
    elif base in POOLS:
        path = FOLDER / f"{base}_dev.npz"
        if not path.exists():
            raise SystemExit(f"{name}: {path} does not exist; give your own file by --pools PATH.npz")
        pool = npz_file.read(path)
    else:
        pool = npz_file.read(Path(name))
    return pool if base == name else with_tail(name, pool)


def with_tail(name: str, pool: LabelledPool) -> LabelledPool:
    """The pool with fewer and fewer crops from class to class, in a random order of classes."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pool.names))
    ratio = TAIL ** (1 / (len(order) - 1))
    rows: list[int] = []
    for rank, species in enumerate(order):
        members = rng.permutation(np.flatnonzero(pool.species == species))
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
    """The replays of one pool."""

    pool: LabelledPool
    splits: Sequence[Split]
    ceilings: Sequence[float]
    played: Sequence[Replayed]

    @property
    def curves(self) -> dict[str, list[Curve]]:
        """By strategy, of those that succeeded on every split."""
        found: dict[str, list[Curve]] = {}
        for name in dict.fromkeys(replayed.strategy for replayed in self.played):
            curves = [each.curve for each in self.played if each.strategy == name and each.curve is not None]
            if len(curves) == len(self.splits):
                found[name] = curves
        return found

    @property
    def failures(self) -> dict[str, str]:
        return {replayed.strategy: replayed.failure for replayed in self.played if replayed.failure}

    def seconds(self, name: str) -> tuple[float, float]:
        """Mean CPU seconds of selection and of a whole replay."""
        seconds = [(each.selecting, each.whole) for each in self.played if each.strategy == name]
        selecting, whole = np.mean(seconds, axis=0)
        return float(selecting), float(whole)


def tables(result: Result) -> Iterator[str]:
    """The tables of one pool."""
    curves, pool = result.curves, result.pool
    opens = [len(test_split.open) for test_split in result.splits]
    yield (
        f"{pool.source}: {len(pool)} crops of {len(pool.names)} species, about {np.mean(opens):.0f} open, "
        f"tested by {result.splits[0].by}; macro-F1, means of {len(result.splits)} seeds; * the best rival"
    )
    yield from (f"  {name} has no row: {why}" for name, why in result.failures.items())
    if not curves:
        return
    budget = min(curve.labels[-1] for of_strategy in curves.values() for curve in of_strategy)
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
    for name, of_strategy in curves.items():
        seen = seen_all(of_strategy)
        rows.append(
            [
                name,
                *(("-", "-") if end is None else reached(of_strategy, end, budget)),
                *reached(of_strategy, whole, budget),
                f"{seen:.0f}" if np.isfinite(seen) else f"> {budget}",
                "-" if margin is None or not np.isfinite([seen, margin]).all() else f"{seen / margin:.2f}",
                *(f"{seconds:.1f}" for seconds in result.seconds(name)),
            ]
        )
    yield text.table(header, rows, "l" + "r" * (len(header) - 1))
    yield ""
    for name in OURS:
        if name in curves and rivals:
            yield shortfall(name, curves, rivals, budget)


def values(curves: Iterable[Curve], labels: int) -> list[float]:
    """Macro-F1 of each curve at a number of labels, interpolated between rounds."""
    return [float(np.interp(labels, curve.labels, curve.values("macro_f1"))) for curve in curves]


def reached(curves: Sequence[Curve], target: float, budget: int) -> tuple[str, str]:
    """The labels at which the mean curve first reaches `target`, and their share of the budget."""
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
    """Median over seeds of the labels until every open species was seen; infinite if most never did."""
    seen = [curve.labels_to_see_all for curve in curves]
    return float(np.median([np.inf if labels is None else labels for labels in seen]))


def shortfall(name: str, curves: Mapping[str, list[Curve]], rivals: Sequence[str], budget: int) -> str:
    """Where `name` is furthest below its best rival, at 50 labels or more."""
    least = min(50, budget)
    rounds = [least, *(n for n in curves[name][0].labels if least < n < budget), budget]

    def gap(case: tuple[int, str]) -> list[float]:
        labels, rival = case
        return [
            100 * (other - own)
            for own, other in zip(values(curves[name], labels), values(curves[rival], labels), strict=True)
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
    """Prepare a worker: one thread, so that CPU seconds measure the cost of a strategy."""
    threadpool_limits(limits=1)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default=",".join(POOLS), help="names or paths, separated by commas")
    parser.add_argument(
        "--strategies", default=",".join(COMPARED), help=f"among {', '.join({**STRATEGIES, **RIVALS})}"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--limit", type=float, default=1800, help="CPU seconds of selection until a strategy is stopped"
    )
    parser.add_argument("--out", type=Path, help="CSV file for every round")
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
    context = get_context("spawn")  # a forked process would inherit locks of libraries that run threads
    with ProcessPoolExecutor(arguments.processes, mp_context=context, initializer=prepare) as workers:
        for name, pool in pools.items():
            began = time.monotonic()
            tops = [workers.submit(ceiling, pool, test_split) for test_split in splits[name]]
            runs = [
                workers.submit(play, pool, test_split, strategy, arguments.budget, arguments.limit)
                for test_split in splits[name]
                for strategy in names
            ]
            result = Result(
                pool=pool,
                splits=splits[name],
                ceilings=[top.result() for top in tops],
                played=[run.result() for run in runs],
            )
            print("\n".join(tables(result)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
            written += [(name, *row) for of_strategy in result.curves.values() for row in table(of_strategy)]
    if arguments.out:
        with arguments.out.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("pool", *COLUMNS))
            rows.writerows(written)


if __name__ == "__main__":
    main()
