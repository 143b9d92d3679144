"""Measures against tables worked by hand, and orders that hold whatever the pool looks like."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.acquisition import (
    entropy,
    least_confidence,
    margin,
    margin_with_diversity,
    typical_cover,
)

# Probabilities, and by hand: the top one, top minus second, and the entropy in nats.
TABLE = [
    ([1.0, 0.0, 0.0], 1.0, 1.0, 0.0),
    ([0.5, 0.5, 0.0], 0.5, 0.0, math.log(2)),
    ([0.5, 0.25, 0.25], 0.5, 0.25, 1.5 * math.log(2)),
    ([0.25, 0.5, 0.25], 0.5, 0.25, 1.5 * math.log(2)),
    ([0.2, 0.3, 0.5], 0.5, 0.2, -(0.2 * math.log(0.2) + 0.3 * math.log(0.3) + 0.5 * math.log(0.5))),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def beliefs(rows: int, classes: int = 4, seed: int = 0) -> npt.NDArray[np.float32]:
    return rng(seed).dirichlet(np.ones(classes), rows).astype(np.float32)


def crops(rows: int, dimension: int = 8, seed: int = 0) -> npt.NDArray[np.float16]:
    return rng(seed).normal(size=(rows, dimension)).astype(np.float16)


@pytest.mark.parametrize(("row", "top", "gap", "nats"), TABLE)
def test_measures_agree_with_a_table_worked_by_hand(
    row: list[float], top: float, gap: float, nats: float
) -> None:
    one = np.array([row], np.float32)
    assert least_confidence(one)[0] == pytest.approx(top)
    assert margin(one)[0] == pytest.approx(gap)
    assert entropy(one)[0] == pytest.approx(nats, abs=1e-6)


def test_the_margin_of_a_single_class_is_its_probability() -> None:
    assert margin(np.array([[0.75], [0.5]], np.float32)).tolist() == [0.75, 0.5]


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 99))
def test_measures_do_not_care_which_class_stands_where(rows: int, classes: int, seed: int) -> None:
    belief = beliefs(rows, classes, seed)
    turned = belief[:, rng(seed).permutation(classes)]
    for measure in (least_confidence, margin, entropy):
        np.testing.assert_allclose(measure(belief), measure(turned), atol=1e-6)


def test_doubt_comes_first() -> None:
    belief = np.array([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3], [0.55, 0.45]], np.float32)
    order = margin_with_diversity(belief, crops(4), ["a", "b", "c", "d"], 4, rng())
    assert order.tolist() == [1, 3, 2, 0]


def test_a_second_crop_of_a_sequence_waits_for_the_first_of_every_other() -> None:
    belief = np.array([[0.51, 0.49], [0.52, 0.48], [0.53, 0.47], [0.9, 0.1], [0.95, 0.05]], np.float32)
    order = margin_with_diversity(belief, crops(5), ["burst", "burst", "burst", "x", "y"], 5, rng())
    assert order.tolist() == [0, 3, 4, 1, 2]


def test_near_duplicates_lie_a_round_apart() -> None:
    """Ten copies of each of four crops, no sequences: each round asks after every crop once."""
    embeddings = np.repeat(np.eye(4, dtype=np.float16), 10, axis=0)
    belief = beliefs(40)
    order = margin_with_diversity(belief, embeddings, range(40), 4, rng(), reach=10)
    assert sorted(order // 10) == [0, 1, 2, 3]
    assert order[0] == margin(belief).argmin()


def test_without_reach_diversity_leaves_the_margins_alone() -> None:
    belief = beliefs(50)
    order = margin_with_diversity(belief, crops(50), range(50), 10, rng(), reach=1)
    assert order.tolist() == np.argsort(margin(belief))[:10].tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(1, 70), st.integers(0, 999))
def test_margin_order_does_not_depend_on_the_order_of_the_pool(rows: int, k: int, seed: int) -> None:
    belief, embeddings = beliefs(rows, seed=seed), crops(rows, seed=seed)
    sequences = rng(seed).integers(0, rows, rows)
    turn = rng(seed + 1).permutation(rows)
    straight = margin_with_diversity(belief, embeddings, sequences, k, rng())
    turned = margin_with_diversity(belief[turn], embeddings[turn], sequences[turn], k, rng())
    if len(np.unique(margin(belief))) == rows:
        assert turn[turned].tolist() == straight.tolist()
    assert len(straight) == len(set(straight.tolist())) == min(k, rows)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(-6, 6), st.integers(0, 999))
def test_the_length_of_embeddings_does_not_matter(rows: int, k: int, power: int, seed: int) -> None:
    belief = beliefs(rows, seed=seed)
    embeddings = crops(rows, seed=seed).astype(np.float32)
    scaled = embeddings * np.float32(2.0**power)  # a power of two: no rounding
    sequences = range(rows)
    for one, other in (
        (
            margin_with_diversity(belief, embeddings, sequences, k, rng()),
            margin_with_diversity(belief, scaled, sequences, k, rng()),
        ),
        (typical_cover(embeddings, k, rng()), typical_cover(scaled, k, rng())),
    ):
        assert one.tolist() == other.tolist()


def test_the_cover_meets_every_group_before_it_meets_one_twice() -> None:
    centres = 10 * np.eye(6, 16)
    group = np.repeat(np.arange(6), [200, 100, 50, 20, 10, 5])
    embeddings = (centres[group] + rng().normal(scale=0.5, size=(len(group), 16))).astype(np.float16)
    order = typical_cover(embeddings, 6, rng())
    assert sorted(group[order]) == [0, 1, 2, 3, 4, 5]


def test_the_cover_takes_a_typical_crop_not_an_outlier() -> None:
    embeddings = rng().normal(loc=5, scale=0.1, size=(100, 8))
    embeddings[7] = [5, 5, 5, 5, 5, 5, 5, 9]
    assert typical_cover(embeddings, 1, rng())[0] != 7


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 99))
def test_copies_of_a_crop_come_after_every_distinct_one(distinct: int, copies: int, seed: int) -> None:
    embeddings = np.tile(crops(distinct, seed=seed), (copies, 1))
    order = typical_cover(embeddings, len(embeddings), rng(seed))
    assert sorted(order[:distinct] % distinct) == list(range(distinct))


@pytest.mark.parametrize("rows", [0, 1, 2, 99, 100, 101])
@pytest.mark.parametrize("kind", ["different", "identical", "zero"])
def test_degenerate_pools_give_an_order_of_distinct_rows(rows: int, kind: str) -> None:
    embeddings: npt.NDArray[Any] = crops(rows)
    if kind != "different":
        embeddings = np.full_like(embeddings, 0 if kind == "zero" else 1)
    expected = min(rows, 100)
    assert len(set(typical_cover(embeddings, 100, rng()).tolist())) == expected
    for belief in (beliefs(rows), np.ones((rows, 1), np.float32), np.full((rows, 3), 1 / 3, np.float32)):
        order = margin_with_diversity(belief, embeddings, ["one"] * rows, 100, rng())
        assert len(set(order.tolist())) == expected


def test_only_the_rows_asked_for_are_ordered() -> None:
    rows = np.array([3, 5, 8, 13, 21])
    assert sorted(typical_cover(crops(30), 10, rng(), rows=rows)) == rows.tolist()


def test_the_same_seed_gives_the_same_order() -> None:
    embeddings = crops(500)
    assert typical_cover(embeddings, 50, rng(3)).tolist() == typical_cover(embeddings, 50, rng(3)).tolist()
