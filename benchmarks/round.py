"""A whole round on a synthetic pool: fit, score, choose; seconds of each, and the peak of memory.

    python benchmarks/round.py [--rows 1000000] [--dimension 512] [--labels 1000] [--classes 50]

The pool is a memory map of float16 in a temporary folder, as in operation. Peak memory counts the
pages of the map that were read, so it is given beside the process's own (anonymous) memory. On a busy
machine the seconds of processors say more than those of the clock.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import heads
from pipeline.acquisition import REACH, margin, margin_with_diversity, typical_cover

BLOCK = 16_384
TOP_K = 400  # what 1,000 labels queue: twice a fifth of them


def synthetic(
    path: Path, rows: int, dimension: int, classes: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.intp]]:
    """Gaussian classes with a long tail, in bursts of about three."""
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
    began, worked = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - began, time.process_time() - worked
    memory = own_memory()
    print(f"{what:34} {wall:7.2f} s  {processor:7.2f} s of processors  {memory:5.2f} GiB own", flush=True)


def own_memory() -> float:
    """The process's anonymous memory, without pages of mapped files."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--classes", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool, y = synthetic(Path(folder) / "pool", arguments.rows, arguments.dimension, arguments.classes)
        rng = np.random.default_rng(1)
        sequences = np.arange(len(pool)) // 3
        with timed("cover before any label, k = 100"):
            typical_cover(pool, 100, rng)
        began = time.perf_counter()
        labelled = np.sort(rng.choice(len(pool), arguments.labels, replace=False))
        names = sequences[labelled].astype(str).tolist()
        examples = heads.Examples(
            embeddings=pool[labelled],
            labels=y[labelled].tolist(),
            sequences=names,
            locations=[str(row // (len(pool) // 100)) for row in labelled],
        )
        with timed(f"fit, calibrate, evaluate {arguments.labels}"):
            fitted = heads.fit(examples, embedder="synthetic")
        with timed("score the pool, keep margins"):
            doubt = np.empty(len(pool), np.float32)
            for start in range(0, len(pool), BLOCK):
                part = slice(start, start + BLOCK)
                doubt[part] = margin(fitted.head.probabilities(pool[part]))
        with timed(f"choose {TOP_K} with diversity"):
            near = np.argsort(doubt, kind="stable")[: 2 * int(REACH) * TOP_K]
            vectors = pool[near]
            picks = margin_with_diversity(
                fitted.head.probabilities(vectors), vectors, sequences[near], TOP_K, rng
            )
        print(f"{'the round without the cover':34} {time.perf_counter() - began:7.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(picks)} picked; held-out accuracy {fitted.metrics['accuracy']:.3f}; peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
