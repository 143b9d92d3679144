"""Forecasts: a known curve is found again, flat ones stop, steep ones go on, and nothing raises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pipeline.stopping import Forecast, forecast

LABELS = np.array([50, 100, 150, 200, 300, 400, 600, 800])
Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def steep(labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.02 + 4 * labels**-0.5


def flat(labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.full(len(labels), 0.1)


def audit(curve: Curve, seed: int, crops: int = 300, alike: float = 0.9) -> npt.NDArray[np.bool_]:
    """Versions that err at the rate of the curve, mostly on the same hard crops."""
    rng = np.random.default_rng(seed)
    ease = np.sqrt(alike) * rng.normal(size=crops)
    ease = ease + np.sqrt(1 - alike) * rng.normal(size=(len(LABELS), crops))
    return np.asarray(ease > norm.ppf(curve(LABELS.astype(np.float64)))[:, None])


def forecasts(curve: Curve, target: float, draws: int = 60, crops: int = 300) -> list[Forecast]:
    found = [
        forecast(LABELS, audit(curve, seed, crops), [str(crop) for crop in range(crops)], target=target)
        for seed in range(draws)
    ]
    return [one for one in found if one is not None]


def end(value: float | None) -> float:
    return np.inf if value is None else value


def test_the_labels_that_a_known_curve_needs_lie_within_the_limits() -> None:
    true = (4 / 0.08) ** 2 - 800  # where the error is 0.1
    found = forecasts(steep, target=0.9)
    assert len(found) == 60
    held = [end(one.needed.low) <= true <= end(one.needed.high) for one in found]
    assert np.mean(held) >= 0.75
    assert 0.5 * true < np.median([end(one.needed.value) for one in found]) < 2 * true
    assert not any(one.stop for one in found)


def test_the_gain_of_a_known_curve_lies_within_the_limits() -> None:
    now, then = steep(np.array([800.0, 1200.0]))
    found = forecasts(steep, target=0.9)
    held = [end(one.gain.low) <= now - then <= end(one.gain.high) for one in found]
    assert np.mean(held) >= 0.75


def test_a_noiseless_curve_is_found_again() -> None:
    crops = 10_000
    correct = np.arange(crops) >= (crops * steep(LABELS.astype(np.float64)))[:, None]
    found = forecast(LABELS, correct, [str(crop) for crop in range(crops)], target=0.9)
    assert found is not None
    assert found.labels == 800
    assert found.needed.value == pytest.approx(1700, rel=0.02)
    assert found.gain.value == pytest.approx(4 * (800**-0.5 - 1200**-0.5), rel=0.01)


@pytest.mark.parametrize("crops", [50, 300])
def test_a_flat_curve_says_stop(crops: int) -> None:
    found = forecasts(flat, target=0.95, crops=crops)
    assert np.mean([one.stop for one in found]) >= 0.85
    assert np.mean([one.needed.high is None for one in found]) >= 0.9


def test_a_target_that_is_reached_needs_no_more_labels() -> None:
    found = forecasts(flat, target=0.8, draws=5)
    assert [one.needed.value for one in found] == [0.0] * 5


def test_bursts_widen_the_limits() -> None:
    correct = np.repeat(audit(steep, 1, crops=60), 5, axis=1)
    apart = forecast(LABELS, correct, [str(crop) for crop in range(300)], target=0.9)
    burst = forecast(LABELS, correct, [str(crop // 5) for crop in range(300)], target=0.9)
    assert apart is not None
    assert burst is not None
    assert burst.gain.value == apart.gain.value
    assert end(burst.gain.high) - end(burst.gain.low) > end(apart.gain.high) - end(apart.gain.low)


def test_too_little_gives_no_forecast() -> None:
    apart = [str(crop) for crop in range(30)]
    right = np.ones((3, 30), np.bool_)
    assert forecast(np.array([10, 20]), right[:2], apart, target=0.9) is None
    assert forecast(np.array([10, 10, 20]), right, apart, target=0.9) is None
    assert forecast(np.array([10, 20, 30]), right[:, :19], apart[:19], target=0.9) is None
    burst = ["one"] * 15 + apart[:15]
    assert forecast(np.array([10, 20, 30]), right, burst, target=0.9) is None  # 16 bursts tell too little
    assert forecast(np.array([], np.intp), np.zeros((0, 0), np.bool_), [], target=0.9) is None


def test_all_right_leaves_a_little_doubt_and_all_wrong_no_hope() -> None:
    apart = [str(crop) for crop in range(30)]
    right = np.ones((4, 30), np.bool_)
    best = forecast(np.array([10, 20, 30, 40]), right, apart, target=0.9)
    worst = forecast(np.array([10, 20, 30, 40]), ~right, apart, target=0.9)
    assert best is not None
    assert worst is not None
    assert (best.needed.value, best.gain.value) == (0.0, 0.0)
    assert end(best.gain.high) > 0
    assert worst.needed.value is None
    assert worst.gain.value == pytest.approx(0.0)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 10_000), min_size=3, max_size=8),
    st.integers(20, 40),
    st.integers(0, 99),
    st.floats(0.0, 1.0),
)
def test_whatever_versions_did_the_forecast_is_finite_and_ordered(
    labels: list[int], crops: int, seed: int, target: float
) -> None:
    rng = np.random.default_rng(seed)
    correct = rng.random((len(labels), crops)) < rng.random((len(labels), 1))
    sequences = [str(crop % 20) for crop in range(crops)]
    found = forecast(np.array(labels), correct, sequences, target=target)
    assert (found is None) == (len(set(labels)) < 3)
    if found is not None:
        assert 0 <= end(found.needed.low) <= end(found.needed.high)
        assert 0 <= end(found.gain.low) <= end(found.gain.high) <= 1
        turned = rng.permutation(len(labels))
        again = forecast(np.array(labels)[turned], correct[turned], sequences, target=target)
        assert again is not None
        assert again.gain.value == pytest.approx(found.gain.value, abs=1e-9)


def test_the_same_seed_gives_the_same_forecast() -> None:
    one, other = (forecasts(steep, target=0.9, draws=1) for _ in range(2))
    assert one == other
