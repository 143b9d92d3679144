"""Agreement of annotators, against published values and by counting."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.agreement import Labels, alpha, alpha_by_category, beside_consensus, pairs_that_agree

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), example C: four observers, twelve units.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def example() -> dict[str, dict[str, int]]:
    return {
        str(unit): {str(observer): value for observer, value in enumerate(values) if value is not None}
        for unit, values in enumerate(zip(*OBSERVERS, strict=True))
    }


def test_alpha_is_that_of_krippendorffs_example() -> None:
    found, by_category = alpha_by_category(example())
    assert found.alpha == pytest.approx(0.743, abs=5e-4)
    assert found.crops == 11  # one observer alone answered the last unit
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.743 < found.high
    assert set(by_category) == {1, 2, 3, 4, 5}
    assert by_category[5].alpha == pytest.approx(1)


def test_a_species_against_the_rest_is_alpha_of_two_categories() -> None:
    _, by_category = alpha_by_category(example())
    binary = {
        unit: {who: 3 if value == 3 else 0 for who, value in given.items()}
        for unit, given in example().items()
    }
    assert by_category[3].alpha == pytest.approx(alpha_by_category(binary)[0].alpha)
    assert by_category[3].crops == 4


def test_answers_at_random_have_an_alpha_around_zero() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 4, (500, 2))
    counts = np.stack([(answers == category).sum(axis=1) for category in range(4)], axis=1)
    found = alpha(counts)
    assert found.alpha == pytest.approx(0, abs=0.07)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_one_species_alone_or_no_crop_asked_twice_gives_no_alpha() -> None:
    alone: Labels = {"a": {"1": 3}}
    same: Labels = {"a": {"1": 3, "2": 3}, "b": {"1": 3, "2": 3}}
    for labels, crops in ((alone, 0), (same, 2), ({}, 0)):
        found, _ = alpha_by_category(labels)
        assert (found.crops, found.alpha, found.low, found.high) == (crops, None, None, None)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Two annotators of which each errs in a fifth of the crops, drawn again and again."""
    rng = np.random.default_rng(1)

    def counts(crops: int) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
        truth = rng.integers(0, 3, crops)
        answers = np.where(rng.random((2, crops)) < 0.2, rng.integers(0, 3, (2, crops)), truth)
        return np.stack([(answers == category).sum(axis=0) for category in range(3)], axis=1)

    agreed = 0.8**2 + 2 * 0.8 * 0.2 / 3 + 0.2**2 / 3  # both right, one guesses, both guess
    truth = 1 - (1 - agreed) / (2 / 3)
    covered = 0
    for _ in range(50):
        found = alpha(counts(80))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 43


def test_an_annotator_is_compared_with_what_most_others_say() -> None:
    labels: Labels = {
        "all three": {"ann": 1, "bea": 1, "cid": 2},
        "two": {"ann": 1, "cid": 1},
        "others tie": {"ann": 1, "bea": 1, "cid": 2, "dan": 3},
        "alone": {"ann": 1},
    }
    found = beside_consensus(labels)
    # Cid's others say 1 each time. Bea's others never agree among themselves, Ann's once.
    assert found["cid"].crops == 3
    assert found["cid"].share == pytest.approx(1 / 3)
    assert (found["ann"].crops, found["ann"].share) == (1, 1)
    assert (found["bea"].crops, found["bea"].share) == (0, None)


def test_repeats_of_one_annotator_are_a_share_with_its_interval() -> None:
    found = pairs_that_agree([(1, 1), (2, 2), (2, 3), (4, 4)])
    assert (found.crops, found.share) == (4, 0.75)
    assert found.low is not None
    assert 0 < found.low < 0.75
    assert pairs_that_agree([]).share is None
