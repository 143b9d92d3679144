"""How often labels that several crops got at once are wrong, from crops asked about again alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.arrays import Bools
from pipeline.statistics import clustered_share


@dataclass(frozen=True, kw_only=True)
class WrongShare:
    """The wrong ones among labels that were made in one way."""

    labels: int
    checked: int  # of these, labels whose crop was asked about again alone, and answered
    wrong: int  # of the checked, labels other than that answer
    value: float | None  # share of wrong ones among the checked; None: none is checked yet
    low: float  # limits of the share among all labels
    high: float


def wrong_share(labels: int, wrong: Bools, tasks: Sequence[str], confidence: float = 0.95) -> WrongShare:
    """The share of wrong labels among `labels`, from a random sample: which are `wrong` (N,), of which task.

    The interval is `statistics.clustered_share`, with the sequence or board as the cluster: one slip confirms
    a whole board.
    """
    low, high, _ = clustered_share(wrong, tasks, confidence)
    return WrongShare(
        labels=labels,
        checked=len(wrong),
        wrong=int(wrong.sum()),
        value=float(wrong.mean()) if len(wrong) else None,
        low=low,
        high=high,
    )
