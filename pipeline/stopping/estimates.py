"""How good a head is over its whole pool, estimated from an audit sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.heads.logistic import Ints
from pipeline.stopping.intervals import clustered, mean_of_shares


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share of the pool, its confidence limits, and how many independent rows it stands on."""

    value: float
    low: float
    high: float
    size: float


@dataclass(frozen=True, kw_only=True)
class ClassEstimates:
    """One class: rows of the audit that are it and that the machine said are it; None without such rows."""

    name: str
    labels: int
    said: int
    precision: Estimate | None
    recall: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """What an audit of `rows` rows says; `classes` by category id, those that people or machine named."""

    rows: int
    confidence: float
    accuracy: Estimate | None
    macro_recall: Estimate | None
    classes: Mapping[int, ClassEstimates]

    def as_figures(self) -> dict[str, Any]:
        """Ready for JSON; classes by name, as in the figures of held-out rows."""
        figures = asdict(self)
        figures["classes"] = {one.pop("name"): one for one in figures["classes"].values()}
        return figures


def estimate(
    truth: Ints, said: Ints, sequences: Sequence[str], names: Mapping[int, str], confidence: float = 0.95
) -> Estimates:
    """Estimates for the pool from a simple random sample of it that no head learned from.

    `truth` (N,) and `said` (N,) are category ids, which `names` names; `sequences` (N,) says which rows
    are one burst. The interval of each share is Clopper and Pearson's at the effective size. Macro recall
    is the mean over the classes that `truth` holds, so it says nothing of classes that the sample missed;
    its interval comes of theirs by MOVER.
    """
    right = truth == said

    def share(rows: npt.NDArray[np.bool_]) -> Estimate | None:
        if not rows.any():
            return None
        bursts = [sequences[row] for row in np.flatnonzero(rows)]
        low, high, size = clustered(right[rows], bursts, confidence)
        return Estimate(value=float(right[rows].mean()), low=low, high=high, size=size)

    classes = {
        int(one): ClassEstimates(
            name=names.get(int(one), str(one)),
            labels=int((truth == one).sum()),
            said=int((said == one).sum()),
            precision=share(said == one),
            recall=share(truth == one),
        )
        for one in np.union1d(truth, said)
    }
    return Estimates(
        rows=len(truth),
        confidence=confidence,
        accuracy=share(np.ones(len(truth), np.bool_)),
        macro_recall=_mean([one.recall for one in classes.values() if one.recall]),
        classes=classes,
    )


def _mean(shares: list[Estimate]) -> Estimate | None:
    if not shares:
        return None
    values = [one.value for one in shares]
    low, high = mean_of_shares(values, [one.low for one in shares], [one.high for one in shares])
    return Estimate(value=float(np.mean(values)), low=low, high=high, size=sum(one.size for one in shares))
