"""Boxes that stand still across a camera's photographs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from importers.sources.megadetector.repeat_clusters import Corners, Numbers, cluster_repeats, is_repeat


def boxes(rows: list[tuple[float, float, float, float]]) -> Corners:
    """x, y, width, height to corners."""
    given = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return np.concatenate([given[:, :2], given[:, :2] + given[:, 2:]], axis=1)


def one_by_one(
    corners: Corners, cameras: Numbers, photographs: Numbers, overlap: float, others: int
) -> list[bool]:
    """The definition, pair by pair."""
    answers = []
    for a, camera, photograph in zip(corners, cameras, photographs, strict=True):
        count = 0
        for b, their_camera, their_photograph in zip(corners, cameras, photographs, strict=True):
            width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
            height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
            inner = width * height
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
            elsewhere = camera == their_camera and photograph != their_photograph
            count += elsewhere and inner / union >= overlap
        answers.append(count >= others)
    return answers


def numbers(*values: int) -> Numbers:
    return np.array(values, dtype=np.int64)


def test_a_box_that_stands_still_in_21_photographs_is_a_repeat_and_in_20_it_is_not() -> None:
    for photographs in (20, 21):
        corners = boxes([(0.1, 0.1, 0.2, 0.2)] * photographs)
        found = is_repeat(corners, np.zeros(photographs, np.int64), np.arange(photographs))
        assert found.tolist() == [photographs == 21] * photographs


def test_only_boxes_of_the_same_camera_count() -> None:
    corners = boxes([(0.1, 0.1, 0.2, 0.2)] * 30)
    assert not is_repeat(corners, np.arange(30) % 2, np.arange(30)).any()


def test_boxes_of_one_photograph_do_not_make_each_other_repeats() -> None:
    corners = boxes([(0.1, 0.1, 0.2, 0.2)] * 40)
    assert not is_repeat(corners, np.zeros(40, np.int64), np.zeros(40, np.int64)).any()


def test_what_moves_among_what_stands_still_stays() -> None:
    moving = [(0.02 * step, 0.5, 0.1, 0.1) for step in range(40)]
    corners = boxes([*moving, *[(0.7, 0.2, 0.1, 0.05)] * 40])
    found = is_repeat(corners, np.zeros(80, np.int64), np.tile(np.arange(40), 2))
    assert found.tolist() == [False] * 40 + [True] * 40


def test_no_boxes_are_no_repeats() -> None:
    assert is_repeat(boxes([]), numbers(), numbers()).tolist() == []
    assert cluster_repeats(boxes([]), numbers()) == []


SPOTS = st.tuples(
    st.sampled_from([0.1, 0.101, 0.104, 0.11, 0.3]),
    st.sampled_from([0.2, 0.203, 0.21, 0.6]),
    st.sampled_from([0.2, 0.206, 0.1, 0.125]),
    st.sampled_from([0.1, 0.1024, 0.25]),
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(SPOTS, st.integers(0, 1), st.integers(0, 12)), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.9, 0.97]),
    st.integers(1, 6),
)
def test_the_answer_is_that_of_comparing_every_pair(
    drawn: list[tuple[tuple[float, float, float, float], int, int]], overlap: float, others: int
) -> None:
    corners = boxes([box for box, _, _ in drawn])
    cameras, photographs = numbers(*(row[1] for row in drawn)), numbers(*(row[2] for row in drawn))
    found = is_repeat(corners, cameras, photographs, overlap=overlap, others=others)
    assert found.tolist() == one_by_one(corners, cameras, photographs, overlap, others)


def test_repeats_are_told_apart_by_where_they_stand() -> None:
    corners = boxes([(0.1, 0.1, 0.2, 0.2)] * 3 + [(0.5, 0.5, 0.1, 0.1)] * 2 + [(0.1, 0.1, 0.2, 0.2)])
    found = cluster_repeats(corners, numbers(0, 0, 0, 0, 0, 1))
    assert [(one.row, one.boxes) for one in found] == [(0, 3), (3, 2), (5, 1)]


class Counted(np.ndarray[Any, np.dtype[np.generic]]):
    """An array that counts the numbers computed from it and from what is computed from it."""

    computed = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(plain(array) for array in options["out"])
        result = getattr(ufunc, method)(*map(plain, inputs), **options)
        Counted.computed += np.size(result)
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def plain(array: Any) -> Any:
    return array.view(np.ndarray) if isinstance(array, Counted) else array


@pytest.mark.parametrize("still", [0.0, 0.5, 1.0])
def test_a_hundred_thousand_boxes_at_one_camera_need_neither_many_comparisons_nor_much_memory(
    still: float,
) -> None:
    random = np.random.default_rng(0)
    number = 100_000
    places: NDArray[np.float64] = random.uniform(0, 0.8, (number, 2))
    sizes = random.uniform(0.05, 0.2, (number, 2))
    fixed = random.random(number) < still
    places[fixed], sizes[fixed] = (0.3, 0.4), (0.1, 0.1)
    places += random.normal(0, 0.0005, (number, 2))
    corners = np.concatenate([places, places + sizes], axis=1)
    Counted.computed = 0
    tracemalloc.start()
    found = is_repeat(corners.view(Counted), np.zeros(number, np.int64), np.arange(number))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[fixed].all()
    assert peak < 300e6
    assert (
        number < Counted.computed < number**2 / 2
    )  # every pair compared: several numbers for each of number**2
