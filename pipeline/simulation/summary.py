"""The result of each strategy in a study, as text for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.simulation.curve import Curve
from pipeline.simulation.seed_mean import SeedMean, mean_over_seeds, reached
from pipeline.simulation.study import Study

BASELINE = "random"
FIGURES = {"macro_f1": "Macro-F1", "accuracy": "Accuracy", "rare_recall": "Recall of rare species"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One strategy, with means over seeds."""

    strategy: str
    area: SeedMean  # mean macro-F1 over the labels
    gain: SeedMean | None  # area minus the baseline's on the same split; None for the baseline itself
    end: SeedMean  # macro-F1 after the last round
    to_target: str  # labels
    to_see_all: str  # labels


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The strategies side by side."""

    reference: str  # the strategy whose end is the target, split by split
    target: SeedMean  # macro-F1
    baseline: bool  # whether `random` is among the strategies
    rows: tuple[Row, ...]

    def header(self) -> tuple[str, ...]:
        """The titles of the columns of `cells`; `|` separates lines."""
        gain = ("over random|same splits",) if self.baseline else ()
        target = f"labels to reach|{self.target.mean:.2f}, {self.reference}'s end"
        return (
            "strategy",
            "area under|macro-F1",
            *gain,
            "macro-F1|at the end",
            target,
            "labels until|all species seen",
        )

    def cells(self) -> Iterator[tuple[str, ...]]:
        """The rows as text."""
        for row in self.rows:
            gain = ((row.gain.text(3, sign=True) if row.gain else "-"),) if self.baseline else ()
            yield (row.strategy, row.area.text(3), *gain, row.end.text(3), row.to_target, row.to_see_all)


def summary(study: Study) -> Summary:
    """Summarise a study. The target is the final macro-F1 of `random`, or else of the best strategy."""
    baseline = BASELINE in study.strategies
    ends = {name: [_end(curve) for curve in study.of(name)] for name in study.strategies}
    reference = BASELINE if baseline else max(ends, key=lambda name: np.mean(ends[name]))
    areas = {name: [curve.area for curve in study.of(name)] for name in study.strategies}
    budget = study.schedule.budget
    rows = []
    for name in study.strategies:
        curves = study.of(name)
        gain = None
        if baseline and name != BASELINE:
            gains = [area - other for area, other in zip(areas[name], areas[BASELINE], strict=True)]
            gain = mean_over_seeds(gains, least=-1)
        targets = zip(curves, ends[reference], strict=True)
        rows.append(
            Row(
                strategy=name,
                area=mean_over_seeds(areas[name]),
                gain=gain,
                end=mean_over_seeds(ends[name]),
                to_target=reached([curve.labels_to_reach(end) for curve, end in targets], most=budget),
                to_see_all=reached([curve.labels_to_see_all for curve in curves], most=budget),
            )
        )
    target = mean_over_seeds(ends[reference])
    return Summary(reference=reference, target=target, baseline=baseline, rows=tuple(rows))


def milestones(study: Study) -> list[int]:
    """The numbers of labels 50, 100, 300, 1000, 3000, ... that the curves cover."""
    first, last = (bound(curve.labels[at] for curve in study.curves) for bound, at in ((min, 0), (max, -1)))
    steps = [50, *(digit * 10**power for power in range(2, 9) for digit in (1, 3))]
    return [labels for labels in steps if first <= labels <= last]


def at_milestones(study: Study, figure: str) -> Iterator[tuple[str, ...]]:
    """For each strategy its name, and the metric `figure` at each of the milestones."""
    for name in study.strategies:
        curves = study.of(name)
        values = ([curve.at(labels, figure) for curve in curves] for labels in milestones(study))
        yield (name, *(reached(each, digits=3) for each in values))


def _end(curve: Curve) -> float:
    return curve.points[-1].figures.macro_f1
