"""Estimates from an audit: the shares that anyone can count, and None where there is nothing to count."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics import clopper_pearson
from pipeline.stopping import estimate

NAMES = {1: "fox", 2: "hare", 3: "lynx"}
TRUTH = np.array([1, 1, 1, 1, 2, 2, 3])
SAID = np.array([1, 1, 1, 2, 2, 2, 1])
APART = [f"burst {row}" for row in range(7)]


def test_shares_are_counted_by_hand() -> None:
    found = estimate(TRUTH, SAID, APART, NAMES)
    assert found.rows == 7
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(5 / 7)
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx(clopper_pearson(5, 7))
    assert found.macro_recall is not None
    assert found.macro_recall.value == pytest.approx((3 / 4 + 1 + 0) / 3)
    fox, hare, lynx = (found.classes[one] for one in (1, 2, 3))
    assert (fox.name, fox.labels, fox.predictions) == ("fox", 4, 4)
    assert fox.precision is not None
    assert fox.precision.value == pytest.approx(3 / 4)
    assert hare.precision is not None
    assert hare.precision.value == pytest.approx(2 / 3)
    assert lynx.recall is not None
    assert (lynx.recall.value, lynx.recall.low) == (0.0, 0.0)
    assert lynx.recall.high == pytest.approx(0.975)
    assert lynx.precision is None


def test_a_class_with_few_labels_widens_the_macro_recall() -> None:
    truth = np.repeat([1, 2], [200, 200])
    many = estimate(truth, truth, [str(row) for row in range(400)], NAMES).macro_recall
    truth = np.repeat([1, 2], [398, 2])
    few = estimate(truth, truth, [str(row) for row in range(400)], NAMES).macro_recall
    assert many is not None
    assert few is not None
    assert many.low > 0.97
    assert few.low < 0.6


def test_an_empty_audit_says_nothing() -> None:
    nothing = np.zeros(0, np.intp)
    found = estimate(nothing, nothing, [], NAMES)
    assert (found.rows, found.accuracy, found.macro_recall, dict(found.classes)) == (0, None, None, {})


@pytest.mark.parametrize("said", [1, 2])
def test_one_row_says_little(said: int) -> None:
    found = estimate(np.array([1]), np.array([said]), ["a"], NAMES)
    assert found.accuracy is not None
    assert found.accuracy.high - found.accuracy.low == pytest.approx(0.975)


def test_bursts_widen_the_intervals() -> None:
    truth = np.ones(60, np.intp)
    said = np.where(np.arange(60) // 6 % 3 == 0, 2, 1)
    alone = estimate(truth, said, [str(row) for row in range(60)], NAMES).accuracy
    burst = estimate(truth, said, [str(row // 6) for row in range(60)], NAMES).accuracy
    assert alone is not None
    assert burst is not None
    assert burst.value == alone.value
    assert burst.size <= 10 < alone.size
    assert burst.low < alone.low


def test_the_figures_survive_json() -> None:
    figures = estimate(TRUTH, SAID, APART, NAMES).as_metrics()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["classes"]["lynx"]["precision"] is None
    assert figures["accuracy"]["value"] == pytest.approx(5 / 7)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 5)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple[int, int, int]], random: object) -> None:
    turned = rows.copy()
    random.shuffle(turned)  # type: ignore[attr-defined]
    one, other = (
        estimate(
            np.array([row[0] for row in some]),
            np.array([row[1] for row in some]),
            [str(row[2]) for row in some],
            NAMES,
        )
        for some in (rows, turned)
    )
    assert one.accuracy is not None
    assert other.accuracy is not None
    assert one.accuracy.low == pytest.approx(other.accuracy.low)
    assert one.classes.keys() == other.classes.keys()
    for figure in (one.accuracy, one.macro_recall):
        assert figure is not None
        assert 0 <= figure.low <= figure.value + 1e-12
        assert figure.value - 1e-12 <= figure.high <= 1


def test_the_macro_recall_of_the_pool_is_covered() -> None:
    rng = np.random.default_rng(5)
    recalls = np.linspace(0.95, 0.5, 8)
    shares = 1 / np.arange(1, 9)
    names = {one: str(one) for one in range(8)}
    hits = []
    for _ in range(500):
        truth = rng.choice(8, 80, p=shares / shares.sum())
        said = np.where(rng.random(80) < recalls[truth], truth, (truth + 1) % 8)
        found = estimate(truth, said, [str(row) for row in range(80)], names).macro_recall
        assert found is not None
        hits.append(found.low <= recalls[np.unique(truth)].mean() <= found.high)
    assert np.mean(hits) >= 0.94
