"""Which labels are expected to be wrong, and how many of them are: Wildloop's review, and confident learning.

    python benchmarks/label_review.py [--pools fish,plankton,digits] [--labels 20,50,...] [--seeds 6]
        [--chosen random,coverage] [--processes 2]

Some right labels are changed: none, 2, 5 or 10%, to any other species among the labels (`any`), or all to the
one whose mean embedding is nearest (`look-alike`). Both methods read the same held-out probabilities.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from benchmarks.strategies import FIRST, opened, prepare
from pipeline import heads
from pipeline.acquisition import Round
from pipeline.acquisition.coverage import facility_location
from pipeline.arrays import Bools, Floats, Ints, unit
from pipeline.label_errors import error_probabilities, expected_errors
from pipeline.render.text import table
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.split import Split, split
from pipeline.steps.learning.schedule import new_labels_wanted

LABELS = (20, 50, 100, 160, 300, 700, 2000)
ANY, ALIKE = "any", "look-alike"
FLIPS = ((0.0, ANY), (0.02, ANY), (0.05, ANY), (0.1, ANY), (0.05, ALIKE))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Both methods on one set of labels."""

    labels: int
    flips: tuple[float, str]
    wrong: int  # labels that were changed
    listed: int
    expected: float  # wrong labels among the listed, by their probabilities
    found: int  # wrong labels among the listed
    rival_listed: int
    rival_found: int
    seconds: float  # CPU, for the list alone, without the head


def measure(pool: LabelledPool, test_split: Split, chosen: str, labels: int) -> list[Measured]:
    """Every kind of flips on one choice of labels."""
    rows = chosen_rows(pool, test_split, chosen, labels)
    return [_measured(pool, rows, flips, test_split.seed) for flips in FLIPS]


def chosen_rows(pool: LabelledPool, test_split: Split, chosen: str, labels: int) -> Ints:
    """The rows to label: drawn at random, or chosen round by round as a project chooses them."""
    rng = np.random.default_rng(test_split.seed)
    if chosen == "random":
        return rng.permutation(test_split.open)[:labels]
    rows: Ints = np.zeros(0, np.intp)
    head = None
    while len(rows) < labels:
        candidates = np.setdiff1d(test_split.open, rows)
        state = Round(
            embeddings=pool.embeddings,
            candidates=candidates,
            labelled=rows,
            labels=np.zeros(0, np.intp)
            if head is None
            else np.searchsorted(head.classes, pool.species[rows]),
            sequences=pool.sequences[candidates],
            probabilities=None if head is None else head.probabilities(pool.embeddings[candidates]),
            predict_proba=None if head is None else head.probabilities,
        )
        wanted = new_labels_wanted(len(rows), FIRST) if len(rows) else FIRST
        wanted = min(wanted, labels - len(rows))
        rows = np.concatenate([rows, facility_location(state, wanted, rng)])
        head = fitted(pool, rows, pool.species[rows], test_split.seed).head
    return rows


def fitted(pool: LabelledPool, rows: Ints, given: Ints, seed: int) -> heads.Fitted:
    examples = heads.Examples(
        embeddings=pool.embeddings[rows],
        labels=given.tolist(),
        sequences=pool.sequences[rows].astype(str).tolist(),
        locations=pool.locations[rows].astype(str).tolist(),
    )
    return heads.fit(examples, embedder="benchmark", seed=seed)


def flipped(pool: LabelledPool, rows: Ints, flips: tuple[float, str], seed: int) -> Ints:
    """The species of the rows, some of them changed."""
    share, to = flips
    truth = pool.species[rows]
    given, present = truth.copy(), np.unique(truth)
    rng = np.random.default_rng([seed, len(rows), round(100 * share)])
    vectors = unit(pool.embeddings[rows])
    means = np.stack([vectors[truth == species].mean(axis=0) for species in present])
    for row in rng.choice(len(rows), round(share * len(rows)), replace=False):
        others = present[present != truth[row]]
        if to == ANY:
            given[row] = rng.choice(others)
        else:
            own = means[np.searchsorted(present, truth[row])]
            given[row] = others[np.linalg.norm(means[present != truth[row]] - own, axis=1).argmin()]
    return given


def confident_learning(held_out: Floats, labels: Ints) -> Ints:
    """The rows that cleanlab calls wrong, of those that the head calls something else."""
    from cleanlab.filter import find_label_issues

    comparable = np.flatnonzero(held_out[np.arange(len(labels)), labels] > 0)
    classes, inner = np.unique(labels[comparable], return_inverse=True)
    if len(classes) < 2:
        return comparable[:0]
    probabilities = held_out[np.ix_(comparable, classes)]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    rows = comparable[find_label_issues(inner, probabilities, filter_by="prune_by_class", n_jobs=1)]
    found: Ints = rows[held_out[rows].argmax(axis=1) != labels[rows]]
    return found


def _measured(pool: LabelledPool, rows: Ints, flips: tuple[float, str], seed: int) -> Measured:
    given = flipped(pool, rows, flips, seed)
    wrong: Bools = given != pool.species[rows]
    fit = fitted(pool, rows, given, seed)
    listed: list[int] = []
    rival: Ints = np.zeros(0, np.intp)
    expected, seconds = 0.0, 0.0
    if fit.held_out is not None and fit.folds is not None:
        columns = np.searchsorted(fit.head.classes, given)
        began = time.process_time()
        probabilities = error_probabilities(fit.held_out, columns, fit.folds)
        listed = expected_errors(probabilities)
        seconds = time.process_time() - began
        expected = float(probabilities[listed].sum())
        rival = confident_learning(fit.held_out, columns)
    return Measured(
        labels=len(rows),
        flips=flips,
        wrong=int(wrong.sum()),
        listed=len(listed),
        expected=expected,
        found=int(wrong[listed].sum()),
        rival_listed=len(rival),
        rival_found=int(wrong[rival].sum()),
        seconds=seconds,
    )


def tables(found: Sequence[Measured]) -> Iterator[str]:
    """One row for each number of labels and kind of flips: means over the seeds."""
    header = [
        "labels",
        "changed",
        "wrong",
        "listed",
        "expected\nwrong",
        "truly\nwrong",
        "precision",
        "recall",
        "confident learning\nlists",
        "precision",
        "recall",
        "CPU s",
    ]
    rows = []
    for labels, flips in sorted({(each.labels, each.flips) for each in found}):
        runs = [each for each in found if (each.labels, each.flips) == (labels, flips)]
        wrong, listed, hits = (
            sum(getattr(run, name) for run in runs) for name in ("wrong", "listed", "found")
        )
        rival, rival_hits = sum(run.rival_listed for run in runs), sum(run.rival_found for run in runs)
        rows.append(
            [
                str(labels),
                f"{flips[0]:.0%} {flips[1]}" if flips[0] else "none",
                *(
                    f"{total / len(runs):.1f}"
                    for total in (wrong, listed, sum(run.expected for run in runs), hits)
                ),
                _share(hits, listed),
                _share(hits, wrong),
                f"{rival / len(runs):.1f}",
                _share(rival_hits, rival),
                _share(rival_hits, wrong),
                f"{np.mean([run.seconds for run in runs]):.3f}",
            ]
        )
    yield table(header, rows, "rl" + "r" * 10)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default="fish,plankton,digits", help="names or paths, separated by commas")
    parser.add_argument("--labels", default=",".join(map(str, LABELS)))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--chosen", default="random,coverage", help="how labels are chosen")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    context = get_context("spawn")  # a forked process would inherit locks of libraries that run threads
    with ProcessPoolExecutor(arguments.processes, mp_context=context, initializer=prepare) as workers:
        for pool in map(opened, arguments.pools.split(",")):
            splits = [split(pool, seed) for seed in range(arguments.seeds)]
            most = min(len(test_split.open) for test_split in splits)
            labels = sorted({min(int(n), most) for n in arguments.labels.split(",")}, reverse=True)
            for chosen in arguments.chosen.split(","):
                runs = [
                    workers.submit(measure, pool, test_split, chosen, n)
                    for n in labels
                    for test_split in splits
                ]
                print(f"\n{pool.source}, labels chosen by {chosen}; means of {len(splits)} seeds", flush=True)
                print("\n".join(tables([each for run in runs for each in run.result()])), flush=True)


if __name__ == "__main__":
    main()
