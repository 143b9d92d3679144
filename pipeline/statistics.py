"""Confidence intervals and classification metrics. Each figure that Wildloop states has one method:

- accuracy of a head on labels held out by cross-validation: `wilson` at the effective size
- accuracy, precision and recall from an audit: `clustered_share`, which is exact
- macro recall from an audit: `mean_of_shares`
- retrieval metrics of embedders: `bootstrap_means`
- whether one embedder is better than another: bootstrap draws of `resampled`
- metrics of a simulation: `mean_interval` over its seeds
- what more labels bring: bootstrap draws of `resampled` (`stopping.forecast`)
- the precision of accepted predictions: exact binomial tests (`stopping.acceptance`)
- animals missed in photographs called empty: `most_in_population`, an exact hypergeometric test

Rows of one sequence or location tend to be right or wrong together, so intervals of shares and the bootstrap
treat them as one cluster. The exact tests need no clusters, because an audit is a simple random sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.arrays import Bools, Doubles, Ints, numbered

Z_95 = 1.959964  # standard normal quantile of a two-sided 95% interval
DRAWS = 1000  # of a bootstrap
_ROUNDING = 1e-9  # of a probability


def effective_size(correct: Bools, sequences: Sequence[str]) -> float:
    """How many independent rows `correct` (N,) is worth, given the sequence of each row.

    N over the design effect: the variance of a mean of whole sequences (ratio estimator) over that of
    N independent rows (Korn and Graubard, Survey Methodology 24, 1998). Between the number of
    sequences and N; the number of sequences if all rows are right or all are wrong.
    """
    count = len(correct)
    names, clusters = numbered(sequences)
    groups = len(names)
    share = correct.mean()
    if groups < 2 or share in (0.0, 1.0):
        return float(groups)
    sums = np.bincount(clusters, weights=correct - share)
    variance = groups / (groups - 1) * float(np.sum(sums**2)) / count**2
    independent = share * (1 - share) / count
    return float(np.clip(count * independent / variance, groups, count)) if variance > 0 else float(count)


def wilson(share: float, size: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval (JASA 22, 1927) for `share` of `size` trials; size need not be whole."""
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def clopper_pearson(successes: float, size: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval (Clopper and Pearson, Biometrika 26, 1934) for a share of `size` trials.

    Neither number need be whole; `successes` lies between 0 and `size`. 0 of 0 gives (0, 1).
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    failures = size - successes
    low = betaincinv(successes, failures + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures > 0 else 1.0
    return float(low), float(high)


def most_in_population(found: int, drawn: int, population: int, confidence: float = 0.95) -> int:
    """The most members of a population of `population` that have a property, `found` of `drawn` having it.

    The exact one-sided limit for a sample drawn at random without replacement: the largest number under
    which a sample has as few as `found` with a probability of 1 - `confidence` (hypergeometric test;
    Buonaccorsi, American Statistician 41, 1987). In a large population it is Clopper and Pearson's limit;
    once all are drawn it is `found`. How members cluster does not matter to a random sample of them.
    """
    low, high = found, population - (drawn - found)  # what the sample shows leaves nothing else possible
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(found, drawn, middle, population) >= 1 - confidence - _ROUNDING:
            low = middle
        else:
            high = middle - 1
    return low


def _at_most(found: int, drawn: int, having: int, population: int) -> float:
    """The probability that `found` or fewer of `drawn` are among the `having` of a population."""
    from scipy.special import gammaln

    def logarithm(total: int, part: Ints) -> Doubles:
        chosen: Doubles = gammaln(total + 1) - gammaln(part + 1) - gammaln(total - part + 1)
        return chosen

    numbers = np.arange(max(0, drawn - (population - having)), min(found, having) + 1)
    ways = logarithm(having, numbers) + logarithm(population - having, drawn - numbers)
    return float(np.exp(ways - logarithm(population, np.array(drawn))).sum())


def clustered_share(
    correct: Bools, sequences: Sequence[str], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Limits of the share of `correct` (N,), and the size that they are based on: (low, high, size).

    Clopper and Pearson's interval at the size that N rows are worth when rows of one sequence agree
    (Korn and Graubard, Survey Methodology 24, 1998), which is never more than N. A simple random sample
    needs no such reduction, however clustered its population is: the reduction errs on the safe side, and
    protects a sample that contains whole sequences. No rows give (0, 1, 0).
    """
    if not len(correct):
        return 0.0, 1.0, 0.0
    from scipy.special import stdtrit

    tail = (1 - confidence) / 2
    groups = len(set(sequences))
    size = effective_size(correct, sequences)
    if 1 < groups < len(correct):
        size *= float(stdtrit(len(correct) - 1, tail) / stdtrit(groups - 1, tail)) ** 2
    low, high = clopper_pearson(float(correct.mean()) * size, size, confidence)
    return low, high, size


def mean_of_shares(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> tuple[float, float]:
    """Limits of the mean of K >= 1 independent shares, given their `values`, `lows` and `highs` (K,).

    MOVER, the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008):
    distances from a value to its limits add up as variances do, for each side separately, so a share from
    few trials widens the interval. But no distance counts less than half its interval: a share of 1 from
    one trial leaves MOVER no room above, and the mean of many such shares is biased (without this rule,
    coverage is 0.89 instead of 0.95 for 100 classes of about 4 trials each; with it, 0.99).
    """
    halves = np.subtract(highs, lows) / 2
    below = np.linalg.norm(np.maximum(np.subtract(values, lows), halves)) / len(values)
    above = np.linalg.norm(np.maximum(np.subtract(highs, values), halves)) / len(values)
    middle = float(np.mean(values))
    return max(0.0, middle - float(below)), min(1.0, middle + float(above))


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval for the mean of at least two independent `values`."""
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    mean = float(np.mean(values))
    return mean - half, mean + half


def resampled(count: int, draws: int, rng: np.random.Generator) -> Iterator[Ints]:
    """The cluster bootstrap: how often (count,) each of `count` clusters is drawn, draw by draw.

    Clusters are drawn with replacement, as many as there are (Field and Welsh, JRSS B 69, 2007).
    """
    for _ in range(draws):
        yield np.bincount(rng.integers(count, size=count), minlength=count)


def bootstrap_means(
    values: Doubles, clusters: Ints, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[Doubles, Doubles] | None:
    """Limits (low, high), each (K,), of the means of `values` (Q, K) over Q rows.

    Percentiles of the means over draws of whole clusters; `clusters` (Q,) are the numbers of these. None
    with fewer than two clusters, which show no spread.
    """
    _, numbers = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(numbers)
    if len(sizes) < 2:
        return None
    sums = np.stack([np.bincount(numbers, weights=column) for column in values.T], axis=1)
    rng = np.random.default_rng(seed)
    means = np.array([times @ sums / (times @ sizes) for times in resampled(len(sizes), draws, rng)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def f1_scores(labels: Ints, predictions: Ints, hits: Ints) -> Doubles:
    """The F1 of each class (C,) from its numbers of labels, predictions and correct predictions (C,).

    0 for a class without labels and predictions. Macro-F1 is the mean over the classes that count.
    """
    scores: Doubles = 2 * hits / np.maximum(1, labels + predictions)
    return scores
