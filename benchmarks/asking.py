"""Ways to ask compared: key presses and labels to a macro-F1, and what a default costs.

    python benchmarks/asking.py [--pools fish,plankton] [--seeds 5] [--tables ways,boards,suggestions]
        [--budget 1000] [--processes 2]

- ways: singles, sequences, sequences and boards.
- boards: the least probability on a board, its size, and how many of the tasks are boards.
- suggestions: the least probability of a suggestion, if people keep a share of the wrong ones.

Every way to ask gets the same splits, strategy (`default`) and head, until labels and key presses both reach
the budget. A pool is a name, or a file with `E`, `label` and perhaps `group` and `location`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.strategies import FIRST, opened, prepare
from pipeline.render import text
from pipeline.simulation.asking import ASKINGS, SINGLES, Asking
from pipeline.simulation.curve import Curve
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.replay import DEFAULT, Schedule, replay
from pipeline.simulation.split import Split, split
from pipeline.simulation.strategies import STRATEGIES
from pipeline.steps.learning.schedule import new_labels_wanted

REPORTED = (200, 400, 700, 1000)  # key presses
BOARDS = ASKINGS[-1]
TABLES: Mapping[str, Sequence[Asking]] = {
    "ways": ASKINGS,
    "boards": [
        *(
            replace(BOARDS, name=f"boards of 24 from {least}, one in 10", board_from=least)
            for least in (0.7, 0.8, 0.9, 0.95)
        ),
        *(
            replace(BOARDS, name=f"boards of 24 from {BOARDS.board_from}, one in {every}", board_every=every)
            for every in (5, 20)
        ),
        replace(BOARDS, name=f"boards of 48 from {BOARDS.board_from}, one in 10", board=48),
    ],
    "suggestions": [
        replace(
            SINGLES,
            name=f"from {least}, {overlooked:.0%} of wrong ones kept",
            suggest_from=least,
            overlooked=overlooked,
        )
        for overlooked in (0.05, 0.1, 0.2)
        for least in (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1.1)
    ],
}


def play(pool: LabelledPool, test_split: Split, asking: Asking, budget: int) -> Curve:
    schedule = Schedule(first=FIRST, wanted=partial(new_labels_wanted, retrain_every=FIRST), budget=budget)
    return replay(pool, test_split, DEFAULT, STRATEGIES[DEFAULT], schedule, asking)


def rows(curves: Mapping[str, Sequence[Curve]], opens: Sequence[int]) -> Iterator[list[str]]:
    """A row for each way to ask: means over the seeds."""
    targets = [curve.at_presses(REPORTED[-1]) for curve in curves[SINGLES.name]]
    for name, found in curves.items():
        reached = [curve.first_with(target) for curve, target in zip(found, targets, strict=True)]
        points = [point for point in reached if point is not None]
        is_reached = len(points) == len(found)
        each = [curve.to_label_all / crops for curve, crops in zip(found, opens, strict=True)]
        yield [
            name,
            *(f"{np.mean([curve.at_presses(presses) for curve in found]):.3f}" for presses in REPORTED),
            f"{np.mean([point.presses for point in points]):.0f}" if is_reached else f"{len(points)} seeds",
            f"{np.mean([point.labels for point in points]):.0f}" if is_reached else "-",
            f"{np.mean([curve.presses[-1] / curve.labels[-1] for curve in found]):.2f}",
            f"{np.mean(each):.2f}",
            f"{np.mean([100 * curve.wrong / curve.labels[-1] for curve in found]):.1f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default="fish,plankton", help="names or paths, separated by commas")
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=REPORTED[-1])
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(
        arguments.processes, mp_context=get_context("spawn"), initializer=prepare
    ) as workers:
        for name in arguments.pools.split(","):
            pool = opened(name)
            splits = [split(pool, seed) for seed in range(arguments.seeds)]
            opens = [len(each.open) for each in splits]
            for title in arguments.tables.split(","):
                began = time.monotonic()
                compared = list(dict.fromkeys([SINGLES, *TABLES[title]]))
                runs = {
                    asking.name: [
                        workers.submit(play, pool, each, asking, arguments.budget) for each in splits
                    ]
                    for asking in compared
                }
                curves = {asked: [run.result() for run in found] for asked, found in runs.items()}
                header = [
                    f"{pool.source}: {title}\nmacro-F1 at key presses",
                    *map(str, REPORTED),
                    f"presses to\nsingles' at {REPORTED[-1]}",
                    "labels\nfor that",
                    "presses\na label",
                    "if all are\nlabelled",
                    "% wrong\nlabels",
                ]
                print(text.table(header, rows(curves, opens), "l" + "r" * (len(header) - 1)))
                seconds = time.monotonic() - began
                print(
                    f"({len(splits)} seeds, {np.mean(opens):.0f} open crops, {seconds:.0f} s)\n", flush=True
                )


if __name__ == "__main__":
    main()
