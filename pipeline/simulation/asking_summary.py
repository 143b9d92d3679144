"""What each way to ask costs in a study, as text for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.simulation.asking import ASKINGS, SINGLES
from pipeline.simulation.seed_mean import SeedMean, mean_over_seeds, reached
from pipeline.simulation.study import Study

UNBOUNDED = float("inf")


@dataclass(frozen=True, kw_only=True)
class AskingRow:
    """One way to ask, with means over seeds."""

    asking: str
    macro_f1: SeedMean  # at the budget of key presses, or where all is labelled before
    presses_to_target: str
    labels_to_target: str
    presses_to_label_all: SeedMean  # every open crop
    presses_for_each: SeedMean  # of these crops


@dataclass(frozen=True, kw_only=True)
class AskingSummary:
    """The ways to ask side by side: the same strategy, head and splits, and a person who makes no slip."""

    strategy: str
    presses: int  # the budget
    target: SeedMean  # macro-F1 of singles at the budget
    rows: tuple[AskingRow, ...]

    def header(self) -> tuple[str, ...]:
        """The titles of the columns of `cells`; `|` separates lines."""
        return (
            f"asked|({self.strategy})",
            f"macro-F1 at|{self.presses:,} key presses",
            f"key presses to reach|{self.target.mean:.2f}, singles' there",
            "labels|for that",
            "key presses until|all is labelled",
            "for|each crop",
        )

    def cells(self) -> Iterator[tuple[str, ...]]:
        """The rows as text."""
        for row in self.rows:
            yield (
                row.asking,
                row.macro_f1.text(3),
                row.presses_to_target,
                row.labels_to_target,
                row.presses_to_label_all.text(0),
                row.presses_for_each.text(2),
            )


def asking_summary(study: Study) -> AskingSummary:
    """Summarise the ways to ask. The target is the macro-F1 of singles at the budget, split by split."""
    budget = study.schedule.budget
    targets = [curve.at_presses(budget) for curve in study.of_asking(SINGLES.name)]
    opens = [len(part.open) for part in study.splits]
    rows = []
    for asking in ASKINGS:
        curves = study.of_asking(asking.name)
        points = [curve.first_with(target) for curve, target in zip(curves, targets, strict=True)]
        whole = [curve.to_label_all for curve in curves]
        each = [presses / crops for presses, crops in zip(whole, opens, strict=True)]
        rows.append(
            AskingRow(
                asking=asking.name,
                macro_f1=mean_over_seeds([curve.at_presses(budget) for curve in curves]),
                presses_to_target=reached(
                    [None if point is None else point.presses for point in points], most=UNBOUNDED
                ),
                labels_to_target=reached(
                    [None if point is None else point.labels for point in points], most=UNBOUNDED
                ),
                presses_to_label_all=mean_over_seeds(whole, most=UNBOUNDED),
                presses_for_each=mean_over_seeds(each, most=UNBOUNDED),
            )
        )
    return AskingSummary(
        strategy=study.asked, presses=budget, target=mean_over_seeds(targets), rows=tuple(rows)
    )
