"""What answers cost in key presses, and what comes together on a screen."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.label_studio.screen import keys
from pipeline.simulation.asking import (
    ASKINGS,
    SINGLES,
    Asking,
    Waiting,
    answers,
    answers_to_all,
    pressed_alone,
)
from pipeline.simulation.presses import LETTERS, LIKELIEST, Offer, to_answer, to_name

FIVE = (3, 1, 4, 0, 5)
SEQUENCES, BOARDS = ASKINGS[1:]


def test_the_keys_are_those_of_the_screens() -> None:
    assert len(keys.LETTERS) == LETTERS
    assert len(keys.LIKELIEST) == LIKELIEST


@pytest.mark.parametrize(
    ("species", "offer", "presses"),
    [
        (3, Offer(suggested=3, likeliest=FIVE), 1),
        (4, Offer(suggested=3, likeliest=FIVE), 2),
        (3, Offer(likeliest=FIVE), 2),
        (9, Offer(suggested=3, likeliest=FIVE), 7),
        (9, Offer(suggested=3, likeliest=FIVE, letters=True), 2),
    ],
)
def test_one_crop_costs_a_submit_a_key_and_a_submit_or_a_search(
    species: int, offer: Offer, presses: int
) -> None:
    assert to_name(species, offer) == presses


@pytest.mark.parametrize(
    ("seen", "presses"),
    [
        ([3, 3, 3, 3], 1),
        ([4, 4, 4, 4], 2),
        ([9, 9, 9, 9], 7),
        ([3, 3, 3, 4], 3),  # strike, name, submit: one odd crop of four, as measured in the browser
        ([3, 3, 4, 4], 4),  # of equals the suggested one stays
        ([3, 3, 3, 9], 8),
        ([3, 3, 1, 4], 1 + 2 + 2 + 2),  # two species: both come back
    ],
)
def test_a_sequence_costs_one_answer_and_its_exceptions(seen: list[int], presses: int) -> None:
    offer = Offer(suggested=3, likeliest=FIVE)
    assert to_answer(seen, offer, [Offer(likeliest=FIVE)] * 4, named=True) == presses


def test_100_crops_with_10_wrong_cost_on_boards_what_was_measured_in_a_browser() -> None:
    offer, alone = Offer(suggested=3, likeliest=FIVE), Offer(likeliest=FIVE)
    wrong = (0, 10, 20, 30, 40, 50, 60, 70, 80, 81)
    seen = [4 if place in wrong else 3 for place in range(100)]
    assert sum(to_name(species, offer) for species in seen) == 110
    assert sum(to_answer(seen[at : at + 4], offer, [alone] * 4, named=True) for at in range(0, 100, 4)) == 44
    for size, presses in ((24, 35), (48, 33)):
        boards = [seen[at : at + size] for at in range(0, 100, size)]
        assert sum(to_answer(each, offer, [alone] * size, named=False) for each in boards) == presses


def waiting(count: int = 60, *, head: bool = True, listed: int = 30, sure: float = 0.95) -> Waiting:
    """Crops of two species in sequences of three; the head is sure of both, and wrong of each tenth crop."""
    truth = np.arange(count) // 3 % 2
    named = np.where(np.arange(count) % 10 == 9, 1 - truth, truth)
    rest = (1 - sure) / 5
    probabilities = np.full((count, 6), rest, np.float32)
    probabilities[np.arange(count), named] = sure
    return Waiting(
        embeddings=np.random.default_rng(0).normal(size=(count, 4)),
        sequences=np.arange(count) // 3,
        truth=truth,
        species=listed,
        classes=np.arange(6) if head else np.zeros(0, np.intp),
        probabilities=probabilities if head else np.zeros((count, 0), np.float32),
    )


def asked(asking: Asking, queue: list[int], crops: Waiting) -> list[tuple[list[int], int]]:
    found = answers(asking, np.array(queue), crops, np.random.default_rng(0))
    return [(answer.crops.tolist(), answer.presses) for answer in found]


def test_singles_come_in_the_order_of_the_queue_and_cost_what_the_head_knows() -> None:
    assert asked(SINGLES, [9, 0, 3], waiting()) == [([9], 2), ([0], 1), ([3], 1)]


def test_below_the_threshold_nothing_is_suggested() -> None:
    assert asked(SINGLES, [0], waiting(sure=0.49)) == [([0], 2)]


def test_before_the_first_head_the_first_species_of_the_list_have_digits() -> None:
    crops = waiting(head=False)
    crops.truth[:2] = [4, 5]
    assert asked(SINGLES, [0, 1], crops) == [([0], 2), ([1], 7)]
    few = waiting(head=False, listed=LETTERS)
    few.truth[:2] = [4, 5]
    assert asked(SINGLES, [0, 1], few) == [([0], 2), ([1], 2)]


def test_a_queued_crop_brings_its_sequence_but_not_what_the_head_surely_calls_otherwise() -> None:
    assert asked(SEQUENCES, [1, 2, 10, 9], waiting()) == [([0, 1, 2], 1), ([10, 11], 1), ([9], 2)]


def test_a_board_comes_after_nine_other_tasks_with_crops_of_no_other_task() -> None:
    tasks = asked(BOARDS, list(range(0, 60, 3)), waiting(120))
    boards = [crops for crops, _ in tasks if len(crops) > 3]
    assert [len(crops) > 3 for crops, _ in tasks][:11] == [False] * 9 + [True, False]
    others = [crop for crops, _ in tasks if len(crops) <= 3 for crop in crops]
    assert boards
    assert not {crop for crops in boards for crop in crops} & set(others)


def test_everything_that_waits_is_asked_once() -> None:
    for asking in ASKINGS:
        found = list(answers_to_all(asking, waiting(200), np.random.default_rng(0)))
        assert sorted(crop for answer in found for crop in answer.species.tolist()) == [0] * 101 + [1] * 99
        assert sum(len(answer.crops) for answer in found) == 200


def test_audit_crops_come_without_a_suggestion() -> None:
    assert pressed_alone(waiting(60)) == 120
