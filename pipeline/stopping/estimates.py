"""How good a head is on its whole pool, estimated from an audit sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Bools, Ints
from pipeline.statistics import clustered_share, mean_of_shares


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share of the pool, its confidence limits, and the number of independent rows it is based on."""

    value: float
    low: float
    high: float
    size: float


@dataclass(frozen=True, kw_only=True)
class ClassEstimates:
    """One class."""

    name: str
    labels: int  # audit rows that are of the class
    predictions: int  # audit rows that are predicted to be
    precision: Estimate | None  # None without predictions
    recall: Estimate | None  # None without labels


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """The results of an audit of `rows` rows; `classes`, by category id, are those labelled or predicted."""

    rows: int
    confidence: float
    accuracy: Estimate | None
    macro_recall: Estimate | None
    classes: Mapping[int, ClassEstimates]

    def as_metrics(self) -> dict[str, Any]:
        """Ready for JSON, with classes by name as in the metrics of held-out rows."""
        metrics = asdict(self)
        classes = metrics["classes"].values()
        for each in classes:
            each["said"] = each.pop("predictions")  # the key in stored model versions
        metrics["classes"] = {each.pop("name"): each for each in classes}
        return metrics


def estimate(
    truth: Ints, predicted: Ints, sequences: Sequence[str], names: Mapping[int, str], confidence: float = 0.95
) -> Estimates:
    """Estimates for the pool from a simple random sample of it that no head learned from.

    `truth` (N,) and `predicted` (N,) are category ids, which `names` names; `sequences` (N,) is the sequence
    of each row. The interval of each share is `statistics.clustered_share`. Macro recall is the mean over
    the classes in `truth`, so it excludes classes that the sample missed; its interval is
    `statistics.mean_of_shares` of theirs.
    """
    right = truth == predicted

    def share(rows: Bools) -> Estimate | None:
        if not rows.any():
            return None
        low, high, size = clustered_share(
            right[rows], [sequences[row] for row in np.flatnonzero(rows)], confidence
        )
        return Estimate(value=float(right[rows].mean()), low=low, high=high, size=size)

    classes = {
        int(category): ClassEstimates(
            name=names.get(int(category), str(category)),
            labels=int((truth == category).sum()),
            predictions=int((predicted == category).sum()),
            precision=share(predicted == category),
            recall=share(truth == category),
        )
        for category in np.union1d(truth, predicted)
    }
    return Estimates(
        rows=len(truth),
        confidence=confidence,
        accuracy=share(np.ones(len(truth), np.bool_)),
        macro_recall=_mean([each.recall for each in classes.values() if each.recall]),
        classes=classes,
    )


def _mean(shares: list[Estimate]) -> Estimate | None:
    if not shares:
        return None
    values = [share.value for share in shares]
    low, high = mean_of_shares(values, [share.low for share in shares], [share.high for share in shares])
    return Estimate(
        value=float(np.mean(values)), low=low, high=high, size=sum(share.size for share in shares)
    )
