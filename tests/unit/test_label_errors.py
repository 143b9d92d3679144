"""Which labels are expected to be wrong, on classes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import heads
from pipeline.arrays import Doubles
from pipeline.label_errors import LISTED_FROM, error_probabilities, expected_errors

CLASSES, EACH = 4, 60


def judged(labels: list[int], vectors: NDArray[np.floating]) -> Doubles:
    """The probability that each label is wrong."""
    fitted = heads.fit(
        heads.Examples(
            embeddings=vectors,
            labels=labels,
            sequences=[str(row) for row in range(len(labels))],
            locations=[None] * len(labels),
        ),
        embedder="e",
    )
    assert fitted.held_out is not None
    assert fitted.folds is not None
    column = {category: at for at, category in enumerate(fitted.head.classes)}
    columns = np.array([column[one] for one in labels])
    return error_probabilities(fitted.held_out, columns, fitted.folds, np.arange(len(labels)))


def crops(rng: np.random.Generator, each: int = EACH) -> tuple[list[int], NDArray[np.floating]]:
    """Well separated Gaussian classes."""
    truth = [number % CLASSES for number in range(CLASSES * each)]
    return truth, 4 * np.eye(CLASSES, 16)[truth] + rng.normal(size=(len(truth), 16))


def with_errors(
    rng: np.random.Generator, share: float
) -> tuple[list[int], NDArray[np.floating], NDArray[np.intp]]:
    """Labels of which this share is wrong, and which."""
    truth, vectors = crops(rng)
    wrong = rng.choice(len(truth), round(share * len(truth)), replace=False)
    labels = list(truth)
    for row in wrong:
        labels[row] = (truth[row] + 1 + int(rng.integers(CLASSES - 1))) % CLASSES
    return labels, vectors, wrong


@pytest.mark.parametrize("seed", range(3))
def test_most_wrong_labels_are_listed_and_few_others(seed: int) -> None:
    labels, vectors, wrong = with_errors(np.random.default_rng(seed), 0.05)
    listed = expected_errors(judged(labels, vectors))
    assert len(set(wrong) & set(listed)) >= 0.8 * len(wrong)
    assert len(set(listed) - set(wrong)) <= 0.02 * len(labels)


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_as_many_are_wrong_as_are_expected_to_be(share: float) -> None:
    expected = hits = 0.0
    for seed in range(4):
        labels, vectors, wrong = with_errors(np.random.default_rng(seed), share)
        probabilities = judged(labels, vectors)
        listed = expected_errors(probabilities)
        expected += float(probabilities[listed].sum())
        hits += len(set(wrong) & set(listed))
    assert expected == pytest.approx(hits, rel=0.35)


@pytest.mark.parametrize("each", [5, 40, 250])
def test_where_every_label_is_right_none_is_listed(each: int) -> None:
    listed = 0
    for seed in range(3):
        truth, vectors = crops(np.random.default_rng(seed), each)
        listed += len(expected_errors(judged(truth, vectors)))
    assert listed <= 1


def test_the_most_probable_come_first() -> None:
    labels, vectors, _ = with_errors(np.random.default_rng(5), 0.1)
    probabilities = judged(labels, vectors)
    listed = expected_errors(probabilities)
    ranked = [float(probabilities[row]) for row in listed]
    assert ranked == sorted(ranked, reverse=True)
    assert min(ranked) >= LISTED_FROM > max(np.delete(probabilities, listed))


def test_the_only_crop_of_its_species_is_not_wrong_for_being_alone() -> None:
    truth, vectors = crops(np.random.default_rng(2))
    truth[7] = CLASSES  # looks like another species, and no head that did not see it knows its own
    assert judged(truth, vectors)[7] == 0


def test_a_species_that_the_head_saw_little_of_is_not_accused() -> None:
    """Its labels are of one place, which one fold holds out: the head saw one example of nine."""
    rng = np.random.default_rng(3)
    held_out = np.full((300, 3), 1e-5, np.float32)
    labels = np.repeat([0, 1], [150, 150])
    held_out[np.arange(300), labels] = 1
    labels[:9] = 2  # the head is sure that all are of the first species
    one_place, spread = rng.integers(1, 5, 300), rng.integers(0, 5, 300)
    one_place[:8] = 0
    spread[:9] = np.arange(9) % 5
    alone = np.arange(300)
    assert (
        error_probabilities(held_out, labels, one_place, alone)[:8].max()
        < error_probabilities(held_out, labels, spread, alone)[:8].min()
    )


def test_one_species_or_no_comparable_label_accuses_nobody() -> None:
    zeros = np.zeros(5, np.intp)
    assert not error_probabilities(np.ones((5, 1), np.float32), zeros, zeros, np.arange(5)).any()
    held_out = np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    assert not error_probabilities(held_out, np.array([1, 1, 1]), np.arange(3), np.arange(3)).any()


def test_a_sequence_that_looks_unlike_its_species_accuses_nobody() -> None:
    """Its crops were labelled together: ten of them say no more than one."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [50, 60])
    held_out = np.full((110, 2), 0.1, np.float32)
    held_out[np.arange(110), labels] = 0.9
    held_out[-10:] = [0.97, 0.03]
    folds = rng.integers(0, 5, 110)
    folds[-10:] = 0
    one_sequence = np.minimum(np.arange(110), 100)
    together = error_probabilities(held_out, labels, folds, one_sequence)
    apart = error_probabilities(held_out, labels, folds, np.arange(110))
    assert sorted(expected_errors(apart)) == list(range(100, 110))
    assert expected_errors(together) == []
