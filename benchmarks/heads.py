"""Heads side by side on random labels: ours, its two parts, and what a user would otherwise pick.

    python benchmarks/heads.py [--pools fish,plankton] [--seeds 3] [--labels 20,50,...] [--processes 2]

All read the same embeddings, of equal length, and choose what they choose by the same folds of whole
groups. Then, where a pool has bursts, whether the crops of a burst had better answer together.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neural_network import MLPClassifier

from benchmarks.strategies import opened, prepare
from pipeline import heads
from pipeline.arrays import Floats, Ints
from pipeline.heads import calibration, discriminant, ensemble, logistic
from pipeline.heads import folds as grouping
from pipeline.heads.linear import normalised, softmax
from pipeline.heads.logistic import Affine
from pipeline.render.text import table
from pipeline.simulation.curve import judge
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.split import Split, split

LABELS = (20, 50, 100, 300, 1000, 2500, 5000)
BURSTS = (100, 300, 1000)  # labels at which bursts are asked together
PENALTIES = tuple(10.0**power for power in range(-4, 2))  # C of scikit-learn's logistic regression
LEAST = 1e-7  # a probability below counts as this in the log loss
PROTOTYPES = "nearest mean"  # says no probabilities; all others do


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """What a head is fitted on."""

    x: Floats  # (N, D), rows of length sqrt(D)
    y: Ints  # (N,) 0..C-1, each with a row
    sequences: list[str]
    locations: list[str]
    seed: int

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1

    def folds(self) -> grouping.Folds:
        found = grouping.grouped(self.sequences, self.locations, np.random.default_rng(self.seed))
        assert found is not None
        return found


Answer = Callable[[Floats], npt.NDArray[np.floating]]  # scores (N, C) of embeddings (N, D)


def ours(some: Labelled) -> Answer:
    return _blend(some).probabilities


def _blend(some: Labelled) -> heads.LinearHead:
    examples = heads.Examples(
        embeddings=some.x, labels=some.y.tolist(), sequences=some.sequences, locations=some.locations
    )
    return heads.fit(examples, embedder="benchmark", seed=some.seed).head


def part(
    path: Callable[..., Iterator[Affine]],
    settings: Sequence[float],
    temper: Callable[[Floats, Ints], float],
    some: Labelled,
) -> Answer:
    """One part of the blend alone: its setting and its temperature by the folds' log loss."""
    folds, classes = some.folds(), some.classes
    held_out = np.full((len(settings), len(some.y), classes), -np.inf, np.float32)
    for fold in range(folds.count):
        out = folds.of == fold
        known, inner = np.unique(some.y[~out], return_inverse=True)
        for number, affine in enumerate(path(some.x[~out], inner, len(known), settings)):
            held_out[number][np.ix_(out, known)] = affine(some.x[out])
    usable = np.isfinite(held_out[0, np.arange(len(some.y)), some.y])
    truth = some.y[usable]
    tempered = []
    for setting, logits in zip(settings, held_out[:, usable], strict=True):
        degrees = temper(logits, truth)
        tempered.append((calibration.log_loss(logits / np.float32(degrees), truth), degrees, setting))
    _, degrees, setting = min(tempered)
    affine = next(path(some.x, some.y, classes, [setting]))
    return lambda x: softmax(affine(x) / np.float32(degrees))


def sklearn_logistic(some: Labelled) -> Answer:
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": PENALTIES},
        scoring=_likelihood,
        cv=PredefinedSplit(some.folds().of),
    )
    answer: Answer = search.fit(some.x, some.y).predict_proba
    return answer


def _likelihood(model: LogisticRegression, x: Floats, y: Ints) -> float:
    """Mean log-probability of the rows whose class the model knows: a fold may lack rare ones."""
    known = np.isin(y, model.classes_)
    if not known.any():
        return 0.0
    column = np.searchsorted(model.classes_, y[known])
    return float(np.mean(model.predict_log_proba(x[known])[np.arange(len(column)), column]))


def lda(some: Labelled) -> Answer:
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    answer: Answer = model.fit(some.x, some.y).predict_proba
    return answer


def nearest_mean(some: Labelled) -> Answer:
    centres = NearestCentroid().fit(some.x, some.y).centroids_
    return lambda x: x @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)


def network(some: Labelled) -> Answer:
    """Early stopping wants two labels of each class, and a tenth that has room for them all: else none."""
    stops = np.bincount(some.y).min() > 1 and len(some.y) // 10 >= some.classes
    model = MLPClassifier((256,), early_stopping=bool(stops), max_iter=300, random_state=some.seed)
    answer: Answer = model.fit(some.x, some.y).predict_proba
    return answer


def neighbours(some: Labelled) -> Answer:
    model = KNeighborsClassifier(min(5, len(some.y)), weights="distance")
    answer: Answer = model.fit(some.x, some.y).predict_proba
    return answer


MODELS: dict[str, Callable[[Labelled], Answer]] = {
    "ours (heads.fit)": ours,
    "our logistic alone": partial(part, logistic.path, ensemble.PENALTIES, calibration.temperature),
    "our discriminant alone": partial(part, discriminant.path, ensemble.SHRINKAGES, calibration.scale),
    "logistic, C by CV": sklearn_logistic,
    "LDA, auto shrinkage": lda,
    PROTOTYPES: nearest_mean,
    "MLP, 256 hidden": network,
    "5 neighbours": neighbours,
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One model on so many labels of one split."""

    labels: int
    model: str
    macro_f1: float
    accuracy: float
    log_loss: float  # of the test crops whose class is among the labels
    seconds: float  # of a processor, for the fit and its choices


def measure(pool: LabelledPool, one: Split, labels: int) -> list[Measured]:
    """Every model on the same labels, drawn at random."""
    some, classes = drawn(pool, one, labels)
    test, truth = normalised(pool.embeddings[one.test]), pool.species[one.test]
    known = np.isin(truth, classes)
    column = np.searchsorted(classes, truth[known])
    found = []
    for name, fit in MODELS.items():
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rare classes and of iterations
            answer = fit(some)
        seconds = time.process_time() - began
        scores = answer(test)
        figures = judge(truth, classes[scores.argmax(axis=1)], one.judged, one.rare)
        loss = np.nan
        if name != PROTOTYPES:
            loss = -float(np.mean(np.log(np.maximum(scores[known, column], LEAST))))
        found.append(
            Measured(
                labels=len(some.y),
                model=name,
                macro_f1=figures.macro_f1,
                accuracy=figures.accuracy,
                log_loss=loss,
                seconds=seconds,
            )
        )
    return found


def drawn(pool: LabelledPool, one: Split, labels: int) -> tuple[Labelled, Ints]:
    """So many open crops, fewer labels' among more, and the species that the numbers of `y` stand for."""
    rows = np.random.default_rng(one.seed).permutation(one.open)[:labels]
    classes, y = np.unique(pool.species[rows], return_inverse=True)
    some = Labelled(
        x=normalised(pool.embeddings[rows]),
        y=y,
        sequences=pool.sequences[rows].astype(str).tolist(),
        locations=pool.locations[rows].astype(str).tolist(),
        seed=one.seed,
    )
    return some, classes


def bursts(pool: LabelledPool, one: Split, labels: int) -> list[list[float]]:
    """Macro-F1, accuracy, and accuracy in bursts of several: each crop by itself, and its burst as one."""
    some, classes = drawn(pool, one, labels)
    truth = pool.species[one.test]
    answers = ours(some)(normalised(pool.embeddings[one.test]))
    log = np.log(np.maximum(answers, LEAST))
    burst, size = np.unique(pool.sequences[one.test], return_inverse=True, return_counts=True)[1:]
    pooled = np.zeros((len(size), log.shape[1]))
    np.add.at(pooled, burst, log)
    several = size[burst] > 1
    found = []
    for scores in (log, pooled[burst]):
        said = classes[scores.argmax(axis=1)]
        figures = judge(truth, said, one.judged, one.rare)
        found.append([figures.macro_f1, figures.accuracy, float(np.mean((said == truth)[several]))])
    return found


def told(pool: LabelledPool, splits: Sequence[Split], found: Sequence[Measured]) -> Iterator[str]:
    """A table for each figure: a row a model, a column for each number of labels."""
    yield (
        f"{pool.source}: {len(pool)} crops of {len(pool.names)} species, tested by {splits[0].by}; "
        f"means of {len(splits)} seeds"
    )
    labels = sorted({one.labels for one in found})
    for figure, words, form in (
        ("macro_f1", "macro-F1", ".3f"),
        ("accuracy", "accuracy", ".3f"),
        ("log_loss", "log loss", ".3f"),
        ("seconds", "fit, CPU s", ".2f"),
    ):
        rows = []
        for name in MODELS:
            cells = [
                np.mean([getattr(one, figure) for one in found if (one.model, one.labels) == (name, n)])
                for n in labels
            ]
            rows.append([name, *("-" if np.isnan(cell) else f"{cell:{form}}" for cell in cells)])
        yield ""
        yield table([words, *map(str, labels)], rows, "l" + "r" * len(labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default="fish,plankton", help="names or paths, with commas between")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", default=",".join(map(str, LABELS)))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    context = get_context("spawn")  # forked, a process would inherit locks of libraries that run threads
    with ProcessPoolExecutor(arguments.processes, mp_context=context, initializer=prepare) as workers:
        for pool in map(opened, arguments.pools.split(",")):
            splits = [split(pool, seed) for seed in range(arguments.seeds)]
            most = min(len(one.open) for one in splits)
            labels = sorted({min(int(n), most) for n in arguments.labels.split(",")}, reverse=True)
            runs = [workers.submit(measure, pool, one, n) for n in labels for one in splits]
            print("\n".join(told(pool, splits, [each for run in runs for each in run.result()])), flush=True)
            if pool.sequence_count < len(pool):
                rows = []
                for n in (n for n in BURSTS if n <= most):
                    seeds = [workers.submit(bursts, pool, one, n) for one in splits]
                    both = np.mean([run.result() for run in seeds], axis=0).T
                    rows.append([str(n), *(f"{alone:.3f} -> {together:.3f}" for alone, together in both)])
                print("\nEach crop by itself -> the crops of a burst as one (mean log-probability)")
                header = ["labels", "macro-F1", "accuracy", "accuracy,\nbursts of several"]
                print(table(header, rows, "lrrr"), flush=True)
            print()


if __name__ == "__main__":
    main()
