"""Intervals: exact where a table says what is exact, honest where only a simulation can tell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom

from pipeline.statistics import (
    clopper_pearson,
    clustered_share,
    effective_size,
    mean_of_shares,
    most_in_population,
)

DRAWS = 600


@pytest.mark.parametrize(
    ("successes", "size", "low", "high"),
    [
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),  # by hand: what 10 failures leave possible
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (1, 1, 0.025, 1.0),
        (8, 10, 0.4439, 0.9748),  # R's binom.test, as the next
        (5, 20, 0.0866, 0.4910),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_exact_interval_is_that_of_hand_and_table(
    successes: int, size: int, low: float, high: float
) -> None:
    assert clopper_pearson(successes, size) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 400), st.data(), st.floats(0.5, 0.999))
def test_the_exact_interval_is_that_of_scipy(size: int, data: st.DataObject, confidence: float) -> None:
    successes = data.draw(st.integers(0, size))
    exact = binomtest(successes, size).proportion_ci(confidence, method="exact")
    assert clopper_pearson(successes, size, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_sizes_between_whole_numbers_give_limits_between_theirs() -> None:
    lows, highs = zip(*[clopper_pearson(0.8 * size, size) for size in (10, 10.5, 11)], strict=True)
    assert lows[0] < lows[1] < lows[2]
    assert highs[0] > highs[1] > highs[2]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=60))
def test_bursts_never_make_a_sample_larger_than_it_is(rows: list[tuple[bool, int]]) -> None:
    correct = np.array([right for right, _ in rows])
    sequences = [str(burst) for _, burst in rows]
    low, high, size = clustered_share(correct, sequences)
    assert 0 < size <= effective_size(correct, sequences) + 1e-9 <= len(rows) + 1e-9
    assert 0 <= low <= correct.mean() <= high <= 1


def test_a_burst_that_is_all_alike_counts_once() -> None:
    alike = np.repeat([True, True, True, False, True, True, False, True], 5)
    low, high, size = clustered_share(alike, [str(row // 5) for row in range(40)])
    assert size <= 8
    assert high - low > np.subtract(*clopper_pearson(30, 40)[::-1])


def test_nothing_seen_is_nothing_known() -> None:
    assert clustered_share(np.zeros(0, np.bool_), []) == (0.0, 1.0, 0.0)


def covered(share: float, draw: npt.NDArray[np.bool_], sequences: list[str]) -> bool:
    low, high, _ = clustered_share(draw, sequences)
    return low <= share <= high


@pytest.mark.parametrize(("size", "share"), [(30, 0.9), (100, 0.5), (300, 0.97)])
def test_independent_rows_are_covered(size: int, share: float) -> None:
    rng = np.random.default_rng(1)
    apart = [str(row) for row in range(size)]
    hits = [covered(share, rng.random(size) < share, apart) for _ in range(DRAWS)]
    assert np.mean(hits) >= 0.94


@pytest.mark.parametrize(
    ("bursts", "size", "share", "alike"), [(20, 5, 0.9, 0.5), (50, 3, 0.9, 0.6), (100, 5, 0.95, 0.7)]
)
def test_samples_of_whole_bursts_are_covered(bursts: int, size: int, share: float, alike: float) -> None:
    rng = np.random.default_rng(2)
    spread = (1 - alike) / alike
    sequences = np.repeat(np.arange(bursts), size).astype(str).tolist()
    hits = []
    for _ in range(DRAWS):
        own = rng.beta(share * spread, (1 - share) * spread, bursts)
        hits.append(covered(share, rng.random(bursts * size) < np.repeat(own, size), sequences))
    assert np.mean(hits) >= 0.93


def test_a_simple_random_sample_of_a_pool_of_bursts_is_covered() -> None:
    rng = np.random.default_rng(3)
    burst = np.repeat(np.arange(2000), rng.geometric(0.2, 2000))
    right = rng.random(len(burst)) < rng.beta(1.8, 0.2, 2000)[burst]
    hits = []
    for _ in range(DRAWS):
        rows = rng.choice(len(burst), 200, replace=False)
        hits.append(covered(right.mean(), right[rows], burst[rows].astype(str).tolist()))
    assert np.mean(hits) >= 0.94


@pytest.mark.parametrize(
    ("labels", "shares", "recalls"),
    [
        (150, 1 / np.arange(1, 13), np.linspace(0.97, 0.6, 12)),
        (300, 1 / np.arange(1, 13) ** 2, np.full(12, 0.9)),
        (60, 1 / np.arange(1, 41) ** 1.5, np.full(40, 0.9)),
        (400, np.ones(100), np.full(100, 0.9)),
        (60, np.ones(30), np.full(30, 0.5)),
    ],
)
def test_mean_recalls_are_covered_however_rare_the_classes(
    labels: int, shares: npt.NDArray[np.float64], recalls: npt.NDArray[np.float64]
) -> None:
    rng = np.random.default_rng(4)
    hits = []
    for _ in range(DRAWS):
        sizes = rng.multinomial(labels, shares / shares.sum())
        seen = sizes > 0
        found, size = rng.binomial(sizes[seen], recalls[seen]), sizes[seen]
        limits = [clopper_pearson(x, n) for x, n in zip(found.tolist(), size.tolist(), strict=True)]
        low, high = mean_of_shares((found / size).tolist(), *zip(*limits, strict=True))
        hits.append(low <= recalls[seen].mean() <= high)
    assert np.mean(hits) >= 0.92  # 0.933 in the last case, over 0.96 in the others


def test_equally_known_shares_halve_their_doubt_fourfold() -> None:
    low, high = mean_of_shares([0.5] * 4, [0.4] * 4, [0.6] * 4)
    assert (low, high) == pytest.approx((0.45, 0.55))


@pytest.mark.parametrize(
    ("found", "drawn", "population", "most"),
    [
        (0, 164, 41_000, 738),  # 1.8%: 1 - 0.05 ** (1 / 164) in an endless population
        (0, 41_000, 41_000, 0),
        (7, 20, 20, 7),  # all were looked at
        (0, 1, 20, 19),  # one draw says little
        (3, 3, 20, 20),
        (0, 90, 100, 1),  # by hand: one is missed with 0.1, two with 0.1 * 9 / 99
    ],
)
def test_the_most_members_of_a_population(found: int, drawn: int, population: int, most: int) -> None:
    assert most_in_population(found, drawn, population) == pytest.approx(most, rel=0.01)


@given(st.integers(1, 60), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_the_most_members_are_the_largest_number_that_a_test_does_not_reject(
    population: int, data: st.DataObject, confidence: float
) -> None:
    drawn = data.draw(st.integers(1, population))
    found = data.draw(st.integers(0, drawn))
    possible = range(found, population - (drawn - found) + 1)
    kept = [n for n in possible if hypergeom.cdf(found, population, n, drawn) >= 1 - confidence - 1e-9]
    assert most_in_population(found, drawn, population, confidence) == max(kept, default=found)


def test_in_a_large_population_the_limit_is_that_of_clopper_and_pearson() -> None:
    for found, drawn in ((0, 50), (2, 300), (40, 400)):
        _, high = clopper_pearson(found, drawn, confidence=0.9)  # its upper side has 95%
        assert most_in_population(found, drawn, 1_000_000) / 1_000_000 == pytest.approx(high, rel=1e-3)


@pytest.mark.parametrize("members", [0, 1, 30, 300])
def test_the_limit_holds_for_as_many_samples_as_it_says_however_members_cluster(members: int) -> None:
    """A survey of 3,000 in sequences of three, all of which show an animal or none."""
    rng = np.random.default_rng(members)
    shows = np.zeros(3_000, bool)
    shows[:members] = True  # they follow one another
    limits = [
        most_in_population(int(rng.choice(shows, 200, replace=False).sum()), 200, 3_000) for _ in range(DRAWS)
    ]
    held = np.mean([limit >= members for limit in limits])
    assert held >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / DRAWS)
    assert np.mean(limits) < members + 200  # and says something
