"""How far annotators agree: Krippendorff's alpha, and each of them beside the consensus of the others.

Alpha is 1 if all agree, 0 if they agree as often as chance would have it (Krippendorff, Content Analysis,
2004, chapter 11; nominal values). The package `krippendorff` computes the same, but is under the GPL, unlike
Wildloop, and the interval needs the terms of every crop anyway.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Ints
from pipeline.statistics import DRAWS, resampled, wilson

Labels = Mapping[str, Mapping[str, int]]  # of each crop: the category that each annotator gave it


@dataclass(frozen=True, kw_only=True)
class Alpha:
    """Krippendorff's alpha of some crops, with its interval at 95%."""

    crops: int  # that at least two annotators named
    alpha: float | None  # None: there are no such crops, or all answers are the same
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """How often an annotator says what the others say."""

    crops: int  # that others named, too, and not equally often in two ways
    share: float | None
    low: float | None  # Wilson's interval at 95%
    high: float | None


def alpha(counts: Ints, *, seed: int = 0) -> Alpha:
    """Alpha of `counts` (U, C): how many annotators gave each crop each category.

    Crops with fewer than two answers do not count. The interval holds percentiles of the bootstrap over
    crops; with few crops that all agree it is as narrow as they look.
    """
    counts = counts[counts.sum(axis=1) > 1]
    value = _alphas(counts, np.ones((1, len(counts)), np.intp))[0] if len(counts) else np.nan
    if np.isnan(value):
        return Alpha(crops=len(counts), alpha=None, low=None, high=None)
    times = np.stack(list(resampled(len(counts), DRAWS, np.random.default_rng(seed))))
    draws = _alphas(counts, times)
    low, high = np.nanquantile(draws, [0.025, 0.975]) if np.isfinite(draws).any() else (value, value)
    return Alpha(crops=len(counts), alpha=float(value), low=float(low), high=float(high))


def alpha_by_category(labels: Labels) -> tuple[Alpha, dict[int, Alpha]]:
    """Alpha of all crops, and of each category against the rest.

    The crops of a category are those that at least one annotator gave it.
    """
    several = [given for given in labels.values() if len(given) > 1]
    classes = sorted({category for given in several for category in given.values()})
    column = {category: place for place, category in enumerate(classes)}
    counts = np.zeros((len(several), len(classes)), np.intp)
    for row, given in enumerate(several):
        for category in given.values():
            counts[row, column[category]] += 1
    sums = counts.sum(axis=1)
    by_category = {}
    for category, place in column.items():
        own = counts[:, place]
        against = alpha(np.stack([own, sums - own], axis=1))
        by_category[category] = Alpha(
            crops=int((own > 0).sum()), alpha=against.alpha, low=against.low, high=against.high
        )
    return alpha(counts), by_category


def beside_consensus(labels: Labels) -> dict[str, Consensus]:
    """Each annotator beside the category that most of the others gave; a tie among these does not count."""
    hits: dict[str, int] = defaultdict(int)
    crops: dict[str, int] = defaultdict(int)
    for given in labels.values():
        for annotator, category in given.items():
            others = Counter(theirs for other, theirs in given.items() if other != annotator).most_common(2)
            if not others or (len(others) == 2 and others[0][1] == others[1][1]):
                crops[annotator] += 0
                continue
            crops[annotator] += 1
            hits[annotator] += category == others[0][0]
    return {annotator: share(hits[annotator], number) for annotator, number in crops.items()}


def share(hits: int, crops: int) -> Consensus:
    """The share of `crops` that are `hits`."""
    if not crops:
        return Consensus(crops=0, share=None, low=None, high=None)
    low, high = wilson(hits / crops, crops)
    return Consensus(crops=crops, share=hits / crops, low=low, high=high)


def pairs_that_agree(pairs: Sequence[tuple[int, int]]) -> Consensus:
    """How often both answers of a pair are the same: of one annotator who answered twice."""
    return share(sum(first == second for first, second in pairs), len(pairs))


def _alphas(counts: Ints, times: Ints) -> Doubles:
    """Alpha (B,) of crops that count as often as each row of `times` (B, U) says; NaN if all are the same.

    Observed disagreement of a crop with m answers, of which n are of each category, is
    (m^2 - sum n^2) / (m - 1); expected is that of all answers together.
    """
    answers = counts.sum(axis=1)
    observed = times @ ((answers**2 - (counts**2).sum(axis=1)) / (answers - 1))
    of_category = (times @ counts).astype(np.float64)
    total = of_category.sum(axis=1)
    expected = (total**2 - (of_category**2).sum(axis=1)) / (total - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Doubles = 1 - observed / expected
    return np.where(expected > 0, found, np.nan)
