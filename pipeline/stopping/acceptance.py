"""Which predictions of a head can be accepted without a person, with a guaranteed precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import AnyFloats, Bools, Doubles, Ints

# Thresholds, fixed before any audit: the guarantee holds only if the order of tests depends on no outcome.
GRID = (
    *(0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.96, 0.95, 0.925, 0.9, 0.875, 0.85, 0.825, 0.8, 0.75),
    *(0.7, 0.65, 0.6, 0.55, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0),
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Classes with one threshold and one guarantee."""

    classes: tuple[int, ...]  # category ids
    threshold: float | None  # of the probability; None leaves the classes to people
    above: int  # audit rows at or above the threshold; without one, all rows of the group
    right: int  # correct ones of these


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """With probability `confidence` over audits, every group's accepted labels have at least `precision`."""

    precision: float
    confidence: float
    groups: tuple[Group, ...]

    @property
    def thresholds(self) -> dict[int, float | None]:
        """By category id, of every class that was predicted in the audit; None leaves it to people."""
        return {category: group.threshold for group in self.groups for category in group.classes}

    def accepts(self, predicted: Ints, probability: AnyFloats) -> Bools:
        """Which of M rows are accepted, (M,), given `predicted` classes (M,) and their `probability` (M,).

        The caller must leave out novel crops, as it must for the audit.
        """
        accepted = np.zeros(len(predicted), np.bool_)
        for category, threshold in self.thresholds.items():
            if threshold is not None:
                # NumPy would round a plain float to the array's single precision, unlike in the audit.
                accepted |= (predicted == category) & (probability >= np.float64(threshold))
        return accepted


def guarantee(
    truth: Ints,
    predicted: Ints,
    probability: AnyFloats,
    *,
    precision: float = 0.95,
    confidence: float = 0.9,
    reliable: Bools | None = None,
) -> Guarantee:
    """Probability thresholds for the predicted classes, such that accepted labels have the precision.

    `truth` (N,), `predicted` (N,) and `probability` (N,) are of a simple random sample of the pool that no
    head learned from. Rows that are not `reliable` (N,) are ignored: they are never accepted. `precision`
    and `confidence` lie strictly between 0 and 1. With probability `confidence` over the sample, no group
    of the result has a lower precision in the pool. This is Learn then Test (Angelopoulos et al., arXiv
    2110.01052): each threshold is a hypothesis with an exact binomial p-value; the thresholds of a group
    are tested from high to low, each at the full level, until the first that fails (fixed-sequence testing:
    Maurer, Hothorn and Lehmacher, 1995; Westfall and Krishen, J. Statistical Planning and Inference 99,
    2001); groups share the level by Bonferroni. The first test is at the highest threshold with enough rows
    at or above it to pass at all.

    A class with enough rows to pass is its own group. The others are pooled into one group, whose precision
    is guaranteed as a whole: a rare class in it may have a lower one. Classes that are never predicted in
    the sample are left to people.

    Where tests start depends on the sample's predictions, but on no outcome: the level of a class stays
    exact if predictions with a higher probability are at least as often correct. In a search of 1500
    adversarial populations where they are not, at most 0.93 of the level was used. Which classes are pooled
    depends on the predictions too, so a pool weighs classes as the sample does: at most 0.68 in a search of
    60. The guarantee is for one head: it does not hold if you try many heads on the same audit and keep the
    one that passes.
    """
    rows = np.ones(len(predicted), np.bool_) if reliable is None else reliable
    right, predicted, probability = (truth == predicted)[rows], predicted[rows], probability[rows]
    groups, tests = _groups(predicted, precision, confidence)
    level = (1 - confidence) / tests
    return Guarantee(
        precision=precision,
        confidence=confidence,
        groups=tuple(
            _walk(classes, right[inside], probability[inside], precision, level)
            for classes in groups
            for inside in [np.isin(predicted, classes)]
        ),
    )


def rows_needed(precision: float, level: float) -> int:
    """The fewest rows, all correct, that reject a lower precision than `precision` at `level`."""
    return int(np.ceil(np.log(level) / np.log(precision)))


def p_values(right: Ints, rows: Ints, precision: float) -> Doubles:
    """P-values of "the precision is below `precision`", for `right` of `rows` correct (binomial tail)."""
    from scipy.special import bdtr

    return np.asarray(bdtr(rows - right, rows, 1 - precision), np.float64)


def _groups(predicted: Ints, precision: float, confidence: float) -> tuple[list[tuple[int, ...]], int]:
    """The groups of classes, and how many of them have enough rows to pass."""
    ids, counts = np.unique(predicted, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ids, counts = ids[order], counts[order]
    for alone in range(len(ids), -1, -1):
        rest = int(counts[alone:].sum())
        pooled = rest >= rows_needed(precision, (1 - confidence) / (alone + 1))
        tests = alone + pooled
        if alone == 0 or counts[alone - 1] >= rows_needed(precision, (1 - confidence) / tests):
            break
    groups: list[tuple[int, ...]] = [(int(category),) for category in ids[:alone]]
    if alone < len(ids):
        groups.append(tuple(sorted(int(category) for category in ids[alone:])))
    return groups, max(1, tests)


def _walk(
    classes: tuple[int, ...], right: Bools, probability: AnyFloats, precision: float, level: float
) -> Group:
    """Test the thresholds of `GRID`, from the highest with enough rows above it, until one fails."""
    reached = probability[:, None] >= np.array(GRID)
    above, hits = reached.sum(axis=0), (reached & right[:, None]).sum(axis=0)
    passes = p_values(hits, above, precision) <= level
    last = None
    for tested in np.flatnonzero(above >= rows_needed(precision, level)):
        if not passes[tested]:
            break
        last = tested
    if last is None:
        return Group(classes=classes, threshold=None, above=len(right), right=int(right.sum()))
    return Group(classes=classes, threshold=GRID[last], above=int(above[last]), right=int(hits[last]))
