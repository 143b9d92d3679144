"""Which labels look wrong, on classes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import heads
from pipeline.steps.labelling.review import suspicious

CLASSES, EACH, FLIPPED = 4, 60, 12


def judged(labels: list[int], vectors: NDArray[np.floating]) -> tuple[list[int], heads.Fitted]:
    """Rows that look wrong, and the fit that says so."""
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
    column = {category: at for at, category in enumerate(fitted.head.classes)}
    return suspicious(fitted.held_out, np.array([column[one] for one in labels])), fitted


def crops(rng: np.random.Generator) -> tuple[list[int], NDArray[np.floating]]:
    """Well separated Gaussian classes."""
    truth = [number % CLASSES for number in range(CLASSES * EACH)]
    return truth, 4 * np.eye(CLASSES, 16)[truth] + rng.normal(size=(len(truth), 16))


@pytest.mark.parametrize("seed", range(3))
def test_most_flipped_labels_are_found_and_few_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, vectors = crops(rng)
    flipped = set(rng.choice(len(truth), FLIPPED, replace=False).tolist())
    labels = [(one + 1) % CLASSES if row in flipped else one for row, one in enumerate(truth)]
    found, _ = judged(labels, vectors)
    assert len(flipped.intersection(found)) >= 0.8 * FLIPPED
    assert len(set(found) - flipped) <= 0.03 * len(truth)
    assert len(flipped.intersection(found[:6])) >= 5  # the worst come first


def test_where_every_label_is_right_hardly_any_looks_wrong() -> None:
    truth, vectors = crops(np.random.default_rng(1))
    found, _ = judged(truth, vectors)
    assert len(found) <= 0.02 * len(truth)


def test_the_only_crop_of_its_species_does_not_look_wrong_for_being_alone() -> None:
    truth, vectors = crops(np.random.default_rng(2))
    truth[7] = CLASSES  # looks like another species, and no head that did not see it knows its own
    found, fitted = judged(truth, vectors)
    assert fitted.held_out is not None
    assert fitted.held_out[7, fitted.head.classes.index(CLASSES)] == 0
    assert 7 not in found


def test_a_label_that_the_head_agrees_with_never_looks_wrong() -> None:
    rng = np.random.default_rng(3)
    held_out = rng.dirichlet(np.full(3, 0.5), 300).astype(np.float32)
    given = rng.integers(0, 3, 300)
    found = suspicious(held_out, given)
    assert found
    assert all(held_out[row].argmax() != given[row] for row in found)
    likelihood = [held_out[row, given[row]] for row in found]
    assert likelihood == sorted(likelihood)


def test_one_species_gives_an_empty_list() -> None:
    assert suspicious(np.ones((5, 1), np.float32), np.zeros(5, np.intp)) == []


def test_a_second_species_of_one_crop_gives_an_empty_list() -> None:
    held_out = np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    assert suspicious(held_out, np.array([0, 0, 1])) == []
