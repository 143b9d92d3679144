"""What a study says of each strategy, in the words of the terminal and of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.simulation.curve import Curve
from pipeline.simulation.estimate import Estimate, estimate, reached
from pipeline.simulation.study import Study

BASELINE = "random"
FIGURES = {"macro_f1": "Macro-F1", "accuracy": "Accuracy", "rare_recall": "Recall of rare species"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One strategy; estimates over seeds."""

    strategy: str
    area: Estimate  # mean macro-F1 over the labels
    gain: Estimate | None  # area less the baseline's on the same split; None of itself or without it
    end: Estimate  # macro-F1 after the last round
    to_target: str  # labels
    to_see_all: str  # labels


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The strategies side by side."""

    reference: str  # the strategy whose end is the target, split by split
    target: Estimate  # macro-F1
    baseline: bool  # whether `random` is among the strategies
    rows: tuple[Row, ...]

    def header(self) -> tuple[str, ...]:
        """The titles of the columns of `cells`; `|` parts their lines."""
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
        """The rows in words."""
        for row in self.rows:
            gain = ((row.gain.text(3, sign=True) if row.gain else "-"),) if self.baseline else ()
            yield (row.strategy, row.area.text(3), *gain, row.end.text(3), row.to_target, row.to_see_all)


def summary(study: Study) -> Summary:
    """The target is what `random` reaches at the end, or without it the strategy that ends best."""
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
            gain = estimate([a - b for a, b in zip(areas[name], areas[BASELINE], strict=True)], least=-1)
        targets = zip(curves, ends[reference], strict=True)
        rows.append(
            Row(
                strategy=name,
                area=estimate(areas[name]),
                gain=gain,
                end=estimate(ends[name]),
                to_target=reached([curve.labels_to_reach(end) for curve, end in targets], most=budget),
                to_see_all=reached([curve.labels_to_see_all for curve in curves], most=budget),
            )
        )
    return Summary(reference=reference, target=estimate(ends[reference]), baseline=baseline, rows=tuple(rows))


def milestones(study: Study) -> list[int]:
    """50, 100, 300, 1000, 3000, ... as far as there are labels."""
    first, last = (bound(curve.labels[at] for curve in study.curves) for bound, at in ((min, 0), (max, -1)))
    steps = [50, *(one * 10**power for power in range(2, 9) for one in (1, 3))]
    return [labels for labels in steps if first <= labels <= last]


def at_milestones(study: Study, figure: str) -> Iterator[tuple[str, ...]]:
    """Of each strategy its name, and `figure` at each of the milestones."""
    for name in study.strategies:
        curves = study.of(name)
        yield (name, *(reached([one.at(n, figure) for one in curves], digits=3) for n in milestones(study)))


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in lines of text, the first column to the left; `|` in the header parts its lines."""
    above = [title.partition("|")[::2] for title in header]
    table = [*map(list, zip(*above, strict=True)), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        first, *others = (f"{cell:{'>' if n else '<'}{widths[n]}}" for n, cell in enumerate(row))
        yield "  ".join([first, *others]).rstrip()


def _end(curve: Curve) -> float:
    return curve.points[-1].figures.macro_f1
