"""Which of a head's answers may stand without a person, at a precision that is promised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.heads.logistic import Ints

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

# Fixed before any audit, for the promise holds only where the order of the tests looks at no outcome.
GRID = (
    *(0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.96, 0.95, 0.925, 0.9, 0.875, 0.85, 0.825, 0.8, 0.75),
    *(0.7, 0.65, 0.6, 0.55, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0),
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Classes that are promised together; of `above` audit rows at or over the threshold `right` were right.

    Without a threshold (None) people decide, and the counts are of all the group's rows.
    """

    classes: tuple[int, ...]
    threshold: float | None
    above: int
    right: int


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """At `confidence` over audits, every group's accepted labels are right at `precision` or more."""

    precision: float
    confidence: float
    groups: tuple[Group, ...]

    @property
    def thresholds(self) -> dict[int, float | None]:
        """By category id, of every class that the audit saw predicted; None leaves it to people."""
        return {one: group.threshold for group in self.groups for one in group.classes}

    def accepts(self, said: Ints, probability: Floats) -> Bools:
        """Which of M rows may stand, (M,): likeliest classes `said` (M,) and their `probability` (M,).

        The caller leaves out novel crops, as it did for the audit.
        """
        accepted = np.zeros(len(said), np.bool_)
        for one, threshold in self.thresholds.items():
            if threshold is not None:
                # NumPy would round a plain float to the array's single precision, which the audit did not.
                accepted |= (said == one) & (probability >= np.float64(threshold))
        return accepted


def guarantee(
    truth: Ints,
    said: Ints,
    probability: Floats,
    *,
    precision: float = 0.95,
    confidence: float = 0.9,
    reliable: Bools | None = None,
) -> Guarantee:
    """Thresholds for the likeliest classes such that every group's accepted labels keep the precision.

    `truth` (N,), `said` (N,) and `probability` (N,) are of a simple random sample of the pool that no
    head learned from; rows that are not `reliable` (N,) count for nothing, for they are never accepted.
    `precision` and `confidence` lie strictly between 0 and 1. With probability `confidence` over the
    sample, no group of the result has a lower precision in the pool. This is Learn then Test
    (Angelopoulos et al., arXiv 2110.01052): each threshold is a hypothesis with an exact binomial
    p-value; thresholds of a group are tested from high to low, each at the full level, until the first
    that fails (fixed-sequence testing: Maurer, Hothorn and Lehmacher, 1995; Westfall and Krishen, J.
    Statistical Planning and Inference 99, 2001); groups share the level by Bonferroni. The first test
    is at the highest threshold that enough rows reach to pass at all.

    A class with enough rows to pass is a group of its own. The others are pooled into one group, whose
    precision is promised as a whole: a rare class in it may do worse than the promise. Classes that the
    sample never saw predicted stay with people. Where tests start depends on the sample's predictions,
    though on no outcome: a class's level stays exact where answers given with more probability are not
    less often right, and in a search of 1500 hostile populations where they are, at most 0.93 of it was
    used. Which classes are pooled depends on them too, so that a pool weighs classes as the sample does:
    0.68 at most in a search of 60. The promise is of one head: who tries many heads on the same audit
    and keeps the one that passes has no promise.
    """
    rows = np.ones(len(said), np.bool_) if reliable is None else reliable
    right, said, probability = (truth == said)[rows], said[rows], probability[rows]
    groups, tests = _groups(said, precision, confidence)
    level = (1 - confidence) / tests
    return Guarantee(
        precision=precision,
        confidence=confidence,
        groups=tuple(
            _walk(classes, right[inside], probability[inside], precision, level)
            for classes in groups
            for inside in [np.isin(said, classes)]
        ),
    )


def rows_needed(precision: float, level: float) -> int:
    """The fewest rows, all right, that refute a precision below the asked at `level`."""
    return int(np.ceil(np.log(level) / np.log(precision)))


def p_values(right: Ints, rows: Ints, precision: float) -> npt.NDArray[np.float64]:
    """Of "the precision is below the asked" given `right` of `rows` audit rows, by the binomial tail."""
    from scipy.special import bdtr

    return np.asarray(bdtr(rows - right, rows, 1 - precision), np.float64)


def _groups(said: Ints, precision: float, confidence: float) -> tuple[list[tuple[int, ...]], int]:
    """The groups of classes, and how many of them have rows enough to pass."""
    ids, counts = np.unique(said, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ids, counts = ids[order], counts[order]
    for alone in range(len(ids), -1, -1):
        rest = int(counts[alone:].sum())
        pooled = rest >= rows_needed(precision, (1 - confidence) / (alone + 1))
        tests = alone + pooled
        if alone == 0 or counts[alone - 1] >= rows_needed(precision, (1 - confidence) / tests):
            break
    groups: list[tuple[int, ...]] = [(int(one),) for one in ids[:alone]]
    if alone < len(ids):
        groups.append(tuple(sorted(int(one) for one in ids[alone:])))
    return groups, max(1, tests)


def _walk(
    classes: tuple[int, ...], right: Bools, probability: Floats, precision: float, level: float
) -> Group:
    """Test the thresholds of `GRID` from the highest that enough rows reach until one fails."""
    reached = probability[:, None] >= np.array(GRID)
    above, hits = reached.sum(axis=0), (reached & right[:, None]).sum(axis=0)
    passes = p_values(hits, above, precision) <= level
    last = None
    for one in np.flatnonzero(above >= rows_needed(precision, level)):
        if not passes[one]:
            break
        last = one
    if last is None:
        return Group(classes=classes, threshold=None, above=len(right), right=int(right.sum()))
    return Group(classes=classes, threshold=GRID[last], above=int(above[last]), right=int(hits[last]))
