"""Which of two sets of answers is better, by hand, against scikit-learn, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipeline.arrays import Ints
from pipeline.evaluation.comparison import compare


def ints(*values: int) -> Ints:
    return np.array(values, np.intp)


def noisy(truth: Ints, rng: np.random.Generator, wrong: float = 0.3) -> Ints:
    """The truth, but for a share of answers that are drawn."""
    return np.where(rng.random(len(truth)) < wrong, rng.integers(0, 4, len(truth)), truth).astype(np.intp)


def test_figures_by_hand() -> None:
    truth = ints(0, 0, 0, 1, 1, 2)
    old = ints(0, 0, 1, 1, 0, 3)  # F1 of 0: 4 / 6, of 1: 2 / 4, of 2: 0; no crop shows 3
    found = compare(truth, old, truth, ints(5, 5, 5, 9, 9, 9))
    assert (found.crops, found.clusters) == (6, 2)
    assert (found.old_accuracy, found.new_accuracy) == (0.5, 1.0)
    assert found.old_macro_f1 == pytest.approx((4 / 6 + 2 / 4 + 0) / 3)
    assert found.new_macro_f1 == 1


@pytest.mark.parametrize("seed", range(10))
def test_macro_f1_is_scikit_learns_over_the_classes_that_the_crops_show(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, old, new = (rng.integers(0, most, 50).astype(np.intp) for most in (5, 7, 4))
    found = compare(truth, old, new, rng.integers(0, 6, 50).astype(np.intp), draws=1)
    there = np.unique(truth)
    for answers, figure in ((old, found.old_macro_f1), (new, found.new_macro_f1)):
        assert figure == pytest.approx(f1_score(truth, answers, labels=there, average="macro"))


def test_answers_that_are_right_everywhere_are_surely_better_than_wrong_ones() -> None:
    truth = np.arange(60) % 3
    found = compare(truth, (truth + 1) % 3, truth, np.arange(60) // 10)
    assert found.surer == 1
    assert compare(truth, truth, (truth + 1) % 3, np.arange(60) // 10).surer == 0


def test_equal_answers_are_not_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200).astype(np.intp)
    answers = noisy(truth, rng)
    assert compare(truth, answers, answers, np.arange(200) // 10).surer == 0


def test_of_two_equally_noisy_answers_neither_is_surely_better() -> None:
    sure = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 4, 200).astype(np.intp)
        sure.append(
            compare(truth, noisy(truth, rng), noisy(truth, rng), np.arange(200) // 10, draws=100).surer
        )
    assert 0.3 < np.mean(sure) < 0.7
    assert np.mean(np.array(sure) >= 0.9) < 0.3


def test_the_same_seed_draws_the_same() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 200).astype(np.intp)
    old, new, clusters = noisy(truth, rng), noisy(truth, rng), np.arange(200) // 20
    found = compare(truth, old, new, clusters, seed=3)
    assert compare(truth, old, new, clusters, seed=3) == found
    assert compare(truth, old, new, clusters, seed=4) != found


def test_whole_clusters_are_drawn() -> None:
    """One of five places decides, so the new answers win where it is drawn, however many crops it has."""
    truth, clusters = np.arange(100) % 2, np.arange(100) // 20
    old = np.where(clusters == 0, 1 - truth, truth)  # wrong at place 0 alone
    assert compare(truth, old, truth, clusters).surer == pytest.approx(1 - (4 / 5) ** 5, abs=0.05)
    assert compare(truth, old, truth, np.zeros(100, np.intp)).surer == 1  # a single place is always drawn


def test_numbers_of_clusters_mean_nothing() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 100).astype(np.intp)
    old, new, clusters = noisy(truth, rng), noisy(truth, rng), np.arange(100) // 10
    assert compare(truth, old, new, clusters) == compare(truth, old, new, 1000 * clusters + 7)
