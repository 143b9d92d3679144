"""The default order: measures against tables worked by hand, and picks that any pool must give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.acquisition import Round, coverage
from pipeline.acquisition.audit import EVERY, interleaved
from pipeline.acquisition.coverage import facility_location, filled, greedy, shortlist
from pipeline.acquisition.measures import entropy, least_confidence, margin, rarity_weighted_gini
from pipeline.acquisition.novelty import NoveltyDetector

# Probabilities, and by hand: the top one, top minus second, and the entropy in nats.
TABLE = [
    ([1.0, 0.0, 0.0], 1.0, 1.0, 0.0),
    ([0.5, 0.5, 0.0], 0.5, 0.0, math.log(2)),
    ([0.5, 0.25, 0.25], 0.5, 0.25, 1.5 * math.log(2)),
    ([0.25, 0.5, 0.25], 0.5, 0.25, 1.5 * math.log(2)),
    ([0.2, 0.3, 0.5], 0.5, 0.2, -(0.2 * math.log(0.2) + 0.3 * math.log(0.3) + 0.5 * math.log(0.5))),
]
NONE = np.zeros(0, np.intp)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def beliefs(rows: int, classes: int = 4, seed: int = 0) -> npt.NDArray[np.float32]:
    return rng(seed).dirichlet(np.ones(classes), rows).astype(np.float32)


def crops(rows: int, dimension: int = 8, seed: int = 0) -> npt.NDArray[np.float16]:
    return rng(seed).normal(size=(rows, dimension)).astype(np.float16)


def pool(
    embeddings: npt.NDArray[Any],
    probabilities: npt.NDArray[np.float32] | None = None,
    *,
    labelled: tuple[int, ...] = (),
    labels: tuple[int, ...] = (),
    sequences: npt.NDArray[np.intp] | None = None,
) -> Round:
    """All rows but the labelled ones are candidates; `probabilities` and `sequences` are of all rows."""
    candidates = np.setdiff1d(np.arange(len(embeddings)), labelled)
    own = np.arange(len(embeddings)) if sequences is None else sequences
    return Round(
        embeddings=embeddings,
        candidates=candidates,
        labelled=np.array(labelled, np.intp),
        labels=np.array(labels, np.intp),
        sequences=own[candidates],
        probabilities=None if probabilities is None else probabilities[candidates],
    )


@pytest.mark.parametrize(("row", "top", "gap", "nats"), TABLE)
def test_measures_agree_with_a_table_worked_by_hand(
    row: list[float], top: float, gap: float, nats: float
) -> None:
    one = np.array([row], np.float32)
    assert least_confidence(one)[0] == pytest.approx(top)
    assert margin(one)[0] == pytest.approx(gap)
    assert entropy(one)[0] == pytest.approx(nats, abs=1e-6)


def test_a_doubt_about_a_rare_class_weighs_more_than_one_about_a_common_class() -> None:
    belief = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]], np.float32)
    labels = np.array([0] * 15 + [1] * 3, np.intp)  # none of the third class
    by_hand = [0.25 / 4 + 0.25 / 2, 0.25 / 4 + 0.25 / 1, 0.0]
    np.testing.assert_allclose(rarity_weighted_gini(belief, labels), by_hand, rtol=1e-6)


def test_labels_of_a_class_that_the_head_does_not_know_change_no_weight() -> None:
    belief = beliefs(5, 3)
    known = np.array([0, 1, 1], np.intp)
    foreign = np.array([0, 1, 1, 3, 3], np.intp)
    assert np.array_equal(rarity_weighted_gini(belief, known), rarity_weighted_gini(belief, foreign))


def test_the_margin_of_a_single_class_is_its_probability() -> None:
    assert margin(np.array([[0.75], [0.5]], np.float32)).tolist() == [0.75, 0.5]


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 99))
def test_measures_do_not_care_which_class_stands_where(rows: int, classes: int, seed: int) -> None:
    belief = beliefs(rows, classes, seed)
    turned = belief[:, rng(seed).permutation(classes)]
    for measure in (least_confidence, margin, entropy):
        np.testing.assert_allclose(measure(belief), measure(turned), atol=1e-6)


def groups(sizes: list[int]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.intp]]:
    """Clouds of crops far from each other, and the cloud of each crop."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10 * np.eye(len(sizes), 16)
    return (centres[group] + rng().normal(scale=0.5, size=(len(group), 16))).astype(np.float16), group


def test_before_any_label_ten_crops_meet_each_of_five_groups_though_one_is_twenty_times_another() -> None:
    embeddings, group = groups([200, 100, 50, 20, 10])
    order = facility_location(pool(embeddings), 10, rng())
    assert set(group[order]) == {0, 1, 2, 3, 4}
    assert group[order[:3]].tolist() == [0, 1, 2]  # the largest first


def test_the_first_crop_is_a_typical_one_of_the_largest_group_not_an_outlier() -> None:
    embeddings, group = groups([60, 30])
    outlier = np.vstack([embeddings, -10 * np.ones((1, 16), np.float16)])
    first = facility_location(pool(outlier), 1, rng())[0]
    assert group[first] == 0


def test_what_is_labelled_is_covered_already() -> None:
    embeddings, group = groups([60, 30])
    assert group[facility_location(pool(embeddings, labelled=(0,), labels=(0,)), 1, rng())[0]] == 1


def test_crops_that_the_head_doubts_come_before_crops_that_it_is_sure_of() -> None:
    embeddings, group = groups([60, 60])
    belief = np.where(group[:, None] == 0, [[0.99, 0.01]], [[0.6, 0.4]]).astype(np.float32)
    order = facility_location(pool(embeddings, belief), 10, rng())
    assert group[order[0]] == 1
    assert np.mean(group[order] == 1) >= 0.7  # then what is left of the doubt lies in both


def test_a_crop_in_doubt_that_resembles_many_others_comes_before_a_lone_one() -> None:
    embeddings, group = groups([50, 1])
    belief = np.full((51, 2), 0.5, np.float32)
    assert group[facility_location(pool(embeddings, belief), 1, rng())[0]] == 0


def test_a_second_crop_of_a_sequence_waits_for_the_first_of_every_other() -> None:
    embeddings = crops(40)
    sequences = np.repeat(np.arange(10), 4)
    order = facility_location(pool(embeddings, beliefs(40), sequences=sequences), 40, rng())
    assert sorted(sequences[order[:10]]) == list(range(10))


def test_near_duplicates_do_not_stand_side_by_side() -> None:
    embeddings = np.repeat(np.eye(4, dtype=np.float16), 10, axis=0)
    order = facility_location(pool(embeddings, beliefs(40)), 4, rng())
    assert sorted(order // 10) == [0, 1, 2, 3]


def explicit_greedy(kernel: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], k: int) -> list[int]:
    """Facility location as the textbook has it, without a heap."""
    covered = np.zeros(len(kernel))
    order: list[int] = []
    for _ in range(k):
        gains = np.maximum(kernel - covered, 0) @ weights
        gains[order] = -1
        order.append(int(gains.argmax()))
        covered = np.maximum(covered, kernel[order[-1]])
    return order


@settings(deadline=None, max_examples=30)
@given(st.integers(5, 40), st.integers(0, 999))
def test_lazy_evaluation_gives_the_order_of_the_textbook(rows: int, seed: int) -> None:
    embeddings, weights = crops(rows, seed=seed), rng(seed).random(rows)
    points = embeddings.astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    squared = np.square(points[:, None] - points).sum(axis=2)
    tenth = np.sort(squared, axis=1)[:, min(10, rows - 1)]
    kernel = np.exp(-squared / (2 * np.median(tenth)))
    found = greedy(embeddings, embeddings[:0], weights, np.arange(rows), rows // 2).tolist()
    assert found == explicit_greedy(kernel, weights, rows // 2)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(1, 70), st.integers(0, 999))
def test_the_order_does_not_depend_on_the_order_of_the_pool(rows: int, k: int, seed: int) -> None:
    belief, embeddings = beliefs(rows, seed=seed), crops(rows, seed=seed)
    sequences = rng(seed).integers(0, rows, rows)
    turn = rng(seed + 1).permutation(rows)
    gainful = min(k, len(np.unique(sequences)) // 2)  # ties at the end of the gains may go either way
    straight = facility_location(pool(embeddings, belief, sequences=sequences), gainful, rng())
    other = pool(embeddings[turn], belief[turn], sequences=sequences[turn])
    turned = facility_location(other, gainful, rng())
    assert turn[turned].tolist() == straight.tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(-6, 6), st.integers(0, 999))
def test_the_length_of_embeddings_does_not_matter(rows: int, k: int, power: int, seed: int) -> None:
    belief, embeddings = beliefs(rows, seed=seed), crops(rows, seed=seed).astype(np.float32)
    scaled = embeddings * np.float32(2.0**power)  # a power of two: no rounding
    one = facility_location(pool(embeddings, belief), k, rng())
    assert one.tolist() == facility_location(pool(scaled, belief), k, rng()).tolist()


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 99))
def test_copies_of_a_crop_come_after_every_distinct_one(distinct: int, copies: int, seed: int) -> None:
    embeddings = np.tile(crops(distinct, seed=seed), (copies, 1))
    order = facility_location(pool(embeddings), len(embeddings), rng(seed))
    assert sorted(order[:distinct] % distinct) == list(range(distinct))


@pytest.mark.parametrize("rows", [0, 1, 2, 99, 100, 101])
@pytest.mark.parametrize("kind", ["different", "identical", "zero"])
def test_degenerate_pools_give_an_order_of_distinct_rows(rows: int, kind: str) -> None:
    embeddings: npt.NDArray[Any] = crops(rows)
    if kind != "different":
        embeddings = np.full_like(embeddings, 0 if kind == "zero" else 1)
    certain = np.zeros((rows, 3), np.float32)
    certain[:, 0] = 1
    for belief in (None, beliefs(rows), np.ones((rows, 1), np.float32), certain):
        burst = np.zeros(rows, np.intp)
        order = facility_location(pool(embeddings, belief, sequences=burst), 100, rng())
        assert len(set(order.tolist())) == len(order) == min(rows, 100)


def test_only_candidates_are_asked_for() -> None:
    state = Round(
        embeddings=crops(30),
        candidates=np.array([3, 5, 8, 13, 21]),
        labelled=np.array([1, 2]),
        labels=np.array([0, 1]),
        sequences=np.arange(5),
    )
    assert sorted(facility_location(state, 10, rng())) == [3, 5, 8, 13, 21]


def test_a_pool_above_the_shortlist_is_answered_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "SHORTLIST", 100)
    embeddings, group = groups([900, 60, 40])
    belief = np.where(group[:, None] == 2, [[0.5, 0.5]], [[0.999, 0.001]]).astype(np.float32)
    order = facility_location(pool(embeddings, belief), 20, rng())
    assert len(set(order.tolist())) == 20
    assert np.mean(group[order] == 2) >= 0.7  # 4% of the crops hold nine tenths of the doubt
    more = facility_location(pool(embeddings, belief), 150, rng())  # more than the sample holds
    assert len(set(more.tolist())) == 150


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 999))
def test_a_shortlist_stands_for_the_sum_of_its_pool(rows: int, size: int, seed: int) -> None:
    value = rng(seed).random(rows) ** 4 + 1e-9
    drawn, weights = shortlist(value, size, rng(seed))
    assert len(drawn) == len(set(drawn.tolist()))
    assert abs(len(drawn) - min(rows, size)) <= 1
    assert np.all(weights >= value[drawn] - 1e-12)


def test_a_shortlist_draws_in_proportion_to_the_values() -> None:
    value = np.array([8.0, 4.0, 2.0, 1.0, 1.0, 0.0])
    taken = np.zeros(6)
    for seed in range(4000):
        taken[shortlist(value, 2, rng(seed))[0]] += 1
    np.testing.assert_allclose(taken / 4000, [1, 0.5, 0.25, 0.125, 0.125, 0], atol=0.03)


def test_what_gains_nothing_is_filled_up_by_worth() -> None:
    order = filled(np.array([2]), np.array([0.1, 0.9, 0.5, 0.7]), 3, rng())
    assert order.tolist() == [2, 1, 3]


def test_the_same_seed_gives_the_same_order() -> None:
    state = pool(crops(500), beliefs(500))
    assert facility_location(state, 50, rng(3)).tolist() == facility_location(state, 50, rng(3)).tolist()


def test_every_tenth_crop_of_a_queue_is_an_audit_crop() -> None:
    queue = interleaved(np.arange(100, 190), np.arange(12))
    assert queue[EVERY - 1 :: EVERY].tolist()[:10] == list(range(10))
    assert queue[queue >= 100].tolist() == list(range(100, 190))


@given(st.integers(0, 60), st.integers(0, 20))
def test_no_crop_is_lost_where_audit_crops_join_the_queue(chosen: int, audit: int) -> None:
    queue = interleaved(np.arange(100, 100 + chosen), np.arange(audit)).tolist()
    assert [one for one in queue if one < 100] == list(range(audit))
    assert [one for one in queue if one >= 100] == list(range(100, 100 + chosen))
    within = [
        place for place, one in enumerate(queue[: queue.index(99 + chosen)] if chosen else []) if one < 100
    ]
    assert within == list(range(EVERY - 1, len(within) * EVERY, EVERY))


def test_a_species_that_nobody_has_named_is_novel_and_the_named_ones_are_not() -> None:
    embeddings, group = groups([100, 100, 100])
    labelled = np.flatnonzero((group < 2) & (np.arange(300) % 2 == 0))
    familiar = NoveltyDetector(embeddings[labelled], labelled)
    novel = familiar.is_novel(embeddings)
    assert novel[group == 2].all()
    assert novel[group < 2].mean() < 0.1


def test_a_burst_does_not_make_everything_else_look_far() -> None:
    """Frames of one sequence resemble each other more than crops of a species ever do."""
    rows = crops(60, seed=1).astype(np.float32)
    frames = np.repeat(rows, 3, axis=0) + rng().normal(scale=0.01, size=(180, 8))
    familiar = NoveltyDetector(frames, np.repeat(np.arange(60), 3))
    assert familiar.is_novel(crops(500, seed=2)).mean() < 0.2


def test_with_few_labels_nothing_is_called_novel() -> None:
    assert not NoveltyDetector(crops(5), np.arange(5)).is_novel(100 * crops(20, seed=9)).any()
    assert not NoveltyDetector(crops(0), NONE).is_novel(crops(20)).any()
