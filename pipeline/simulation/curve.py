"""The learning curve of one strategy on one split, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Ints
from pipeline.statistics import f1_scores

COLUMNS = (
    "strategy",
    "asking",
    "seed",
    "labels",
    "presses",
    "accuracy",
    "macro_f1",
    "rare_recall",
    "classes_seen",
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Metrics of a head on the test part; each from 0 to 1."""

    accuracy: float  # of all crops; those of species that no open crop shows cannot be right
    macro_f1: float  # mean F1 of the judged species
    rare_recall: float  # mean recall of the rare ones among them


@dataclass(frozen=True, kw_only=True)
class Point:
    """The state after one round."""

    labels: int
    presses: int  # keys pressed for these labels
    figures: Figures
    classes_seen: int  # species labelled so far


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One strategy on one split."""

    strategy: str
    asking: str  # what came together on a screen
    seed: int
    points: tuple[Point, ...]  # at least one, by ascending labels
    open_species: int  # the number of species among the open crops
    to_label_all: int  # key presses until every open crop is labelled, with the last head
    wrong: int  # labels

    @property
    def labels(self) -> list[int]:
        return [point.labels for point in self.points]

    @property
    def presses(self) -> list[int]:
        return [point.presses for point in self.points]

    def values(self, name: str) -> list[float]:
        """A metric, or `classes_seen`, after each round."""
        if name == "classes_seen":
            return [float(point.classes_seen) for point in self.points]
        return [float(getattr(point.figures, name)) for point in self.points]

    def at(self, labels: int, name: str = "macro_f1") -> float | None:
        """A metric at this number of labels, by linear interpolation between rounds; None outside of them."""
        if not self.labels[0] <= labels <= self.labels[-1]:
            return None
        return float(np.interp(labels, self.labels, self.values(name)))

    def at_presses(self, presses: int) -> float:
        """Macro-F1 at this number of key presses, by linear interpolation, or that of the nearest round."""
        return float(np.interp(presses, self.presses, self.values("macro_f1")))

    @property
    def area(self) -> float:
        """Mean macro-F1 over the labels from the first round to the last (trapezoids)."""
        labels, values = np.array(self.labels, np.float64), np.array(self.values("macro_f1"))
        if len(labels) == 1:
            return float(values[0])
        return float(np.sum(np.diff(labels) * (values[1:] + values[:-1]) / 2) / (labels[-1] - labels[0]))

    def first_with(self, macro_f1: float) -> Point | None:
        """The first round with at least this macro-F1."""
        return next((point for point in self.points if point.figures.macro_f1 >= macro_f1), None)

    def labels_to_reach(self, macro_f1: float) -> int | None:
        """Labels at the first round with at least this macro-F1."""
        point = self.first_with(macro_f1)
        return None if point is None else point.labels

    @property
    def labels_to_see_all(self) -> int | None:
        """Labels at the first round with a label of every species of the open crops."""
        seen = (point.labels for point in self.points if point.classes_seen == self.open_species)
        return next(seen, None)


def judge(truth: Ints, predicted: Ints, judged: Ints, rare: Ints) -> Figures:
    """The metrics of `predicted` species (T,) against the `truth` (T,); `judged` and `rare` are species."""
    classes = int(max(truth.max(), predicted.max())) + 1
    labels = np.bincount(truth, minlength=classes)
    predictions = np.bincount(predicted, minlength=classes)
    hits = np.bincount(truth[truth == predicted], minlength=classes)
    return Figures(
        accuracy=float(np.mean(truth == predicted)),
        macro_f1=float(np.mean(f1_scores(labels, predictions, hits)[judged])),
        rare_recall=float(np.mean(hits[rare] / labels[rare])),
    )


def table(curves: Iterable[Curve]) -> Iterator[tuple[str | int | float, ...]]:
    """A row of `COLUMNS` for each round of each curve."""
    for curve in curves:
        for point in curve.points:
            figures = point.figures
            yield (
                curve.strategy,
                curve.asking,
                curve.seed,
                point.labels,
                point.presses,
                round(figures.accuracy, 6),
                round(figures.macro_f1, 6),
                round(figures.rare_recall, 6),
                point.classes_seen,
            )
