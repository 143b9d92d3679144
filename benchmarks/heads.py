"""Heads compared on random labels: Wildloop's, its two parts, and what you might use otherwise.

    python benchmarks/heads.py [--pools fish,plankton] [--seeds 3] [--labels 20,50,...] [--processes 2]

All read the same embeddings, scaled to equal length, and choose hyperparameters by the same folds of whole
groups. If a pool has sequences, the last table is about pooling predictions over a sequence.
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
POOLED_LABELS = (100, 300, 1000)  # at which predictions are pooled over sequences
PENALTIES = tuple(10.0**power for power in range(-4, 2))  # C of scikit-learn's logistic regression
LEAST = 1e-7  # lower probabilities count as this in the log loss
PROTOTYPES = "nearest mean"  # without probabilities, unlike all others


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Labelled crops to fit a head on."""

    x: Floats  # (N, D), rows of length sqrt(D)
    y: Ints  # (N,) 0..C-1, each at least once
    sequences: list[str]
    locations: list[str]
    seed: int

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1

    def folds(self) -> grouping.Folds:
        folds = grouping.grouped(self.sequences, self.locations, np.random.default_rng(self.seed))
        assert folds is not None
        return folds


Classifier = Callable[[Floats], npt.NDArray[np.floating]]  # scores (N, C) of embeddings (N, D)


def wildloop(crops: Labelled) -> Classifier:
    return _ensemble(crops).probabilities


def _ensemble(crops: Labelled) -> heads.LinearHead:
    examples = heads.Examples(
        embeddings=crops.x, labels=crops.y.tolist(), sequences=crops.sequences, locations=crops.locations
    )
    return heads.fit(examples, embedder="benchmark", seed=crops.seed).head


def part(
    path: Callable[..., Iterator[Affine]],
    settings: Sequence[float],
    temper: Callable[[Floats, Ints], float],
    crops: Labelled,
) -> Classifier:
    """One part of the ensemble alone, with its setting and temperature by the log loss of the folds."""
    folds, classes = crops.folds(), crops.classes
    held_out = np.full((len(settings), len(crops.y), classes), -np.inf, np.float32)
    for fold in range(folds.count):
        out = folds.of == fold
        known, inner = np.unique(crops.y[~out], return_inverse=True)
        for number, affine in enumerate(path(crops.x[~out], inner, len(known), settings)):
            held_out[number][np.ix_(out, known)] = affine(crops.x[out])
    usable = np.isfinite(held_out[0, np.arange(len(crops.y)), crops.y])
    truth = crops.y[usable]
    tempered = []
    for setting, logits in zip(settings, held_out[:, usable], strict=True):
        temperature = temper(logits, truth)
        loss = calibration.log_loss(logits / np.float32(temperature), truth)
        tempered.append((loss, temperature, setting))
    _, temperature, setting = min(tempered)
    affine = next(path(crops.x, crops.y, classes, [setting]))
    return lambda x: softmax(affine(x) / np.float32(temperature))


def sklearn_logistic(crops: Labelled) -> Classifier:
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": PENALTIES},
        scoring=_likelihood,
        cv=PredefinedSplit(crops.folds().of),
    )
    classifier: Classifier = search.fit(crops.x, crops.y).predict_proba
    return classifier


def _likelihood(model: LogisticRegression, x: Floats, y: Ints) -> float:
    """Mean log-probability of the rows whose class the model was trained on: a fold may lack rare ones."""
    known = np.isin(y, model.classes_)
    if not known.any():
        return 0.0
    column = np.searchsorted(model.classes_, y[known])
    return float(np.mean(model.predict_log_proba(x[known])[np.arange(len(column)), column]))


def lda(crops: Labelled) -> Classifier:
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    classifier: Classifier = model.fit(crops.x, crops.y).predict_proba
    return classifier


def nearest_mean(crops: Labelled) -> Classifier:
    centres = NearestCentroid().fit(crops.x, crops.y).centroids_
    return lambda x: x @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)


def network(crops: Labelled) -> Classifier:
    """Early stopping only if each class has two labels and a tenth of the labels can hold all classes."""
    stops = np.bincount(crops.y).min() > 1 and len(crops.y) // 10 >= crops.classes
    model = MLPClassifier((256,), early_stopping=bool(stops), max_iter=300, random_state=crops.seed)
    classifier: Classifier = model.fit(crops.x, crops.y).predict_proba
    return classifier


def neighbours(crops: Labelled) -> Classifier:
    model = KNeighborsClassifier(min(5, len(crops.y)), weights="distance")
    classifier: Classifier = model.fit(crops.x, crops.y).predict_proba
    return classifier


MODELS: dict[str, Callable[[Labelled], Classifier]] = {
    "Wildloop (heads.fit)": wildloop,
    "its logistic alone": partial(part, logistic.path, ensemble.PENALTIES, calibration.temperature),
    "its discriminant alone": partial(part, discriminant.path, ensemble.SHRINKAGES, calibration.scale),
    "logistic, C by CV": sklearn_logistic,
    "LDA, auto shrinkage": lda,
    PROTOTYPES: nearest_mean,
    "MLP, 256 hidden": network,
    "5 neighbours": neighbours,
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One model on a number of labels of one split."""

    labels: int
    model: str
    macro_f1: float
    accuracy: float
    log_loss: float  # of the test crops whose class is among the labels
    seconds: float  # CPU, for fitting and choosing hyperparameters


def measure(pool: LabelledPool, test_split: Split, labels: int) -> list[Measured]:
    """Every model on the same labels, drawn at random."""
    crops, classes = drawn(pool, test_split, labels)
    test, truth = normalised(pool.embeddings[test_split.test]), pool.species[test_split.test]
    known = np.isin(truth, classes)
    column = np.searchsorted(classes, truth[known])
    found = []
    for name, fit in MODELS.items():
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about rare classes and iterations
            classifier = fit(crops)
        seconds = time.process_time() - began
        scores = classifier(test)
        figures = judge(truth, classes[scores.argmax(axis=1)], test_split.judged, test_split.rare)
        loss = np.nan
        if name != PROTOTYPES:
            loss = -float(np.mean(np.log(np.maximum(scores[known, column], LEAST))))
        found.append(
            Measured(
                labels=len(crops.y),
                model=name,
                macro_f1=figures.macro_f1,
                accuracy=figures.accuracy,
                log_loss=loss,
                seconds=seconds,
            )
        )
    return found


def drawn(pool: LabelledPool, test_split: Split, labels: int) -> tuple[Labelled, Ints]:
    """`labels` open crops, of which smaller numbers are subsets, and the species of the numbers in `y`."""
    rows = np.random.default_rng(test_split.seed).permutation(test_split.open)[:labels]
    classes, y = np.unique(pool.species[rows], return_inverse=True)
    crops = Labelled(
        x=normalised(pool.embeddings[rows]),
        y=y,
        sequences=pool.sequences[rows].astype(str).tolist(),
        locations=pool.locations[rows].astype(str).tolist(),
        seed=test_split.seed,
    )
    return crops, classes


def pooled_predictions(pool: LabelledPool, test_split: Split, labels: int) -> list[list[float]]:
    """Macro-F1, accuracy and accuracy in sequences of several crops: by crop, and pooled by sequence."""
    crops, classes = drawn(pool, test_split, labels)
    truth = pool.species[test_split.test]
    probabilities = wildloop(crops)(normalised(pool.embeddings[test_split.test]))
    log = np.log(np.maximum(probabilities, LEAST))
    sequence, size = np.unique(pool.sequences[test_split.test], return_inverse=True, return_counts=True)[1:]
    pooled = np.zeros((len(size), log.shape[1]))
    np.add.at(pooled, sequence, log)
    several = size[sequence] > 1
    found = []
    for scores in (log, pooled[sequence]):
        predicted = classes[scores.argmax(axis=1)]
        figures = judge(truth, predicted, test_split.judged, test_split.rare)
        found.append([figures.macro_f1, figures.accuracy, float(np.mean((predicted == truth)[several]))])
    return found


def tables(pool: LabelledPool, splits: Sequence[Split], found: Sequence[Measured]) -> Iterator[str]:
    """A table for each metric, with a row for each model and a column for each number of labels."""
    yield (
        f"{pool.source}: {len(pool)} crops of {len(pool.names)} species, tested by {splits[0].by}; "
        f"means of {len(splits)} seeds"
    )
    labels = sorted({measured.labels for measured in found})
    for figure, words, form in (
        ("macro_f1", "macro-F1", ".3f"),
        ("accuracy", "accuracy", ".3f"),
        ("log_loss", "log loss", ".3f"),
        ("seconds", "fit, CPU s", ".2f"),
    ):
        rows = []
        for name in MODELS:
            cells = [
                np.mean([getattr(each, figure) for each in found if (each.model, each.labels) == (name, n)])
                for n in labels
            ]
            rows.append([name, *("-" if np.isnan(cell) else f"{cell:{form}}" for cell in cells)])
        yield ""
        yield table([words, *map(str, labels)], rows, "l" + "r" * len(labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pools", default="fish,plankton", help="names or paths, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", default=",".join(map(str, LABELS)))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    context = get_context("spawn")  # a forked process would inherit locks of libraries that run threads
    with ProcessPoolExecutor(arguments.processes, mp_context=context, initializer=prepare) as workers:
        for pool in map(opened, arguments.pools.split(",")):
            splits = [split(pool, seed) for seed in range(arguments.seeds)]
            most = min(len(test_split.open) for test_split in splits)
            labels = sorted({min(int(n), most) for n in arguments.labels.split(",")}, reverse=True)
            runs = [workers.submit(measure, pool, test_split, n) for n in labels for test_split in splits]
            print(
                "\n".join(tables(pool, splits, [each for run in runs for each in run.result()])), flush=True
            )
            if pool.sequence_count < len(pool):
                rows = []
                for n in (n for n in POOLED_LABELS if n <= most):
                    seeds = [workers.submit(pooled_predictions, pool, test_split, n) for test_split in splits]
                    both = np.mean([run.result() for run in seeds], axis=0).T
                    rows.append([str(n), *(f"{alone:.3f} -> {together:.3f}" for alone, together in both)])
                print("\nPredictions by crop -> pooled by sequence (mean log-probability)")
                header = ["labels", "macro-F1", "accuracy", "accuracy,\nsequences of several"]
                print(table(header, rows, "lrrr"), flush=True)
            print()


if __name__ == "__main__":
    main()
