"""A whole round on a synthetic pool: fit, score, choose, compare. Seconds and memory of each step.

    python benchmarks/round.py [--rows 1000000] [--dimension 512] [--labels 1000] [--classes 50] [--queue 400]
    python benchmarks/round.py --rows 250000 500000 1000000   # how does it grow with the pool?
    python benchmarks/round.py --rival                        # compared with scikit-activeml, at 100,000 rows

The pool is a memory map of float16 in a temporary folder, as in a project. Memory is the maximum of the
process's own during a step, without pages of the map. On a busy machine, CPU seconds are more meaningful than
seconds of the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import heads
from pipeline.acquisition import Round, coverage
from pipeline.acquisition.measures import rarity_weighted_gini
from pipeline.acquisition.novelty import NoveltyDetector
from pipeline.arrays import BLOCK, Doubles, Embeddings, Ints

RIVAL_ROWS = 100_000
RIVAL_QUEUE = 100
SLOW = "skactiveml-typiclust"  # takes minutes: only with --slow
TOO_LARGE = "skactiveml-badge"  # its gradients alone are rows x classes x dimension float64: 20 GB


def synthetic(
    path: Path, rows: int, dimension: int, classes: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.intp]]:
    """Gaussian classes with a long tail, in sequences of three."""
    rng = np.random.default_rng(0)
    centres = 0.35 * rng.standard_normal((classes, dimension), np.float32)
    share = 1 / np.arange(1, classes + 1)
    y = np.repeat(rng.choice(classes, rows // 3 + 1, p=share / share.sum()), 3)[:rows]
    pool = np.memmap(path, np.float16, "w+", shape=(rows, dimension))
    for start in range(0, rows, BLOCK):
        part = y[start : start + BLOCK]
        pool[start : start + BLOCK] = centres[part] + rng.standard_normal((len(part), dimension), np.float32)
    pool.flush()
    return np.memmap(path, np.float16, "r", shape=(rows, dimension)), y


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the time and memory of a step."""
    highest, done = [own_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            highest[0] = max(highest[0], own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, worked = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        wall, processor = time.perf_counter() - began, time.process_time() - worked
        done.set()
        watcher.join()
    print(f"  {what:38} {wall:8.2f} s {processor:8.2f} CPU s {highest[0]:6.2f} GiB own", flush=True)


def own_memory() -> float:
    """The anonymous memory of the process in GiB, without pages of mapped files."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 2**20


def fit(pool: Embeddings, y: Ints, labelled: Ints) -> heads.Fitted:
    """A head on sequences of three, at a hundred locations."""
    return heads.fit(
        heads.Examples(
            embeddings=pool[labelled],
            labels=y[labelled].tolist(),
            sequences=(labelled // 3).astype(str).tolist(),
            locations=(labelled // (len(pool) // 100)).astype(str).tolist(),
        ),
        embedder="synthetic",
    )


def worth(pool: Embeddings, head: heads.LinearHead, waiting: Ints, labels: Ints) -> Doubles:
    """What the label of each waiting row may teach, a block at a time, as `steps.learning.queue` does."""
    value: Doubles = np.empty(len(waiting))
    for start in range(0, len(waiting), BLOCK):
        part = slice(start, start + BLOCK)
        value[part] = rarity_weighted_gini(head.probabilities(pool[waiting[part]]), labels)
    return value


def choose(
    pool: Embeddings, value: Doubles, waiting: Ints, labelled: Ints, k: int, rng: np.random.Generator
) -> Ints:
    """The next `k` rows, as `pipeline.steps.learning.queue` chooses them."""
    return coverage.choose(pool, waiting, labelled, value, lambda positions: waiting[positions] // 3, k, rng)


def measure(pool: Embeddings, y: Ints, labels: int, k: int) -> None:
    """Print the steps of a round with `labels` labels and a queue of `k`."""
    rng = np.random.default_rng(1)
    everyone = np.arange(len(pool))
    print(f"{len(pool):,} x {pool.shape[1]}, {labels:,} labels, a queue of {k}")
    with timed("before any label: choose"):
        choose(pool, np.ones(len(pool)), everyone, everyone[:0], k, rng)
    labelled = np.sort(rng.choice(len(pool), labels, replace=False))
    waiting = np.setdiff1d(everyone, labelled)
    began, worked = time.perf_counter(), time.process_time()
    with timed("fit, calibrate, evaluate"):
        fitted = fit(pool, y, labelled)
    with timed("score the pool"):
        known = np.searchsorted(fitted.head.classes, y[labelled])
        value = worth(pool, fitted.head, waiting, known)
    with timed("choose: shortlist, greedy"):
        queue = choose(pool, value, waiting, labelled, k, rng)
    with timed("novelty of the queue"):
        novel = NoveltyDetector(pool[labelled], labelled // 3).is_novel(pool[queue])
    wall, processor = time.perf_counter() - began, time.process_time() - worked
    print(f"  {'a round':38} {wall:8.2f} s {processor:8.2f} CPU s")
    species = len(np.unique(y[queue]))
    print(f"  {novel.sum()} of {len(queue)} novel, {species} species in the queue\n", flush=True)


def beside_rivals(pool: Embeddings, y: Ints, labels: int, slow: bool) -> None:
    """Print seconds of selection by Wildloop and by scikit-activeml, with the same head."""
    from benchmarks.rivals import RIVALS

    rng = np.random.default_rng(1)
    labelled = np.sort(rng.choice(len(pool), labels, replace=False))
    waiting = np.setdiff1d(np.arange(len(pool)), labelled)
    head = fit(pool, y, labelled).head
    known = np.searchsorted(head.classes, y[labelled])

    state = Round(
        embeddings=pool,
        candidates=waiting,
        labelled=labelled,
        labels=known,
        sequences=waiting // 3,
        predict_proba=head.probabilities,
    )
    print(f"{len(pool):,} x {pool.shape[1]}, {labels:,} labels: {RIVAL_QUEUE} chosen by a fitted head")
    began = time.process_time()
    with timed("Wildloop"):
        choose(pool, worth(pool, head, waiting, known), waiting, labelled, RIVAL_QUEUE, rng)
    least = time.process_time() - began
    for name in RIVALS:
        if name == TOO_LARGE or (name == SLOW and not slow):
            why = "out of memory, its gradients alone are 20 GB" if name == TOO_LARGE else "minutes; --slow"
            print(f"  {name:38} not run: {why}")
            continue
        began = time.process_time()
        with timed(name):
            RIVALS[name](state, RIVAL_QUEUE, rng)
        print(f"  {'':38} {(time.process_time() - began) / least:.2f} times Wildloop's", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--classes", type=int, default=50)
    parser.add_argument("--queue", type=int, default=400, help="at 1,000 labels, a project queues 400 crops")
    parser.add_argument("--rival", action="store_true", help="compare with scikit-activeml at 100,000 rows")
    parser.add_argument("--slow", action="store_true", help="include TypiClust, which takes minutes")
    arguments = parser.parse_args()
    for rows in [RIVAL_ROWS] if arguments.rival else arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            pool, y = synthetic(Path(folder) / "pool", rows, arguments.dimension, arguments.classes)
            if arguments.rival:
                beside_rivals(pool, y, arguments.labels, arguments.slow)
            else:
                measure(pool, y, arguments.labels, arguments.queue)


if __name__ == "__main__":
    main()
