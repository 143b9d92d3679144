"""Whole groups held out to test on, every class in its share as well as groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.splits import held_out

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=60)


def split(rows: list[tuple[int, int]], fraction: float = 0.2, seed: int = 0) -> NDArray[np.bool_]:
    classes, groups = (np.array(column, np.intp) for column in zip(*rows, strict=True))
    return held_out(classes, np.unique(groups, return_inverse=True)[1], fraction, seed)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.floats(0.01, 0.99), st.integers(0, 5))
def test_both_sides_have_a_group_and_the_same_seed_gives_the_same_split(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    if len({group for _, group in rows}) < 2:
        with pytest.raises(ValueError, match="one group"):
            split(rows, fraction, seed)
        return
    chosen = split(rows, fraction, seed)
    assert chosen.any()
    assert not chosen.all()
    assert np.array_equal(chosen, split(rows, fraction, seed))


def test_a_fifth_of_every_class_is_tested_on_where_groups_allow() -> None:
    rows = [(kind, group) for group in range(20) for kind in (0, 0, 0, 0, 1, 1, 2)]
    chosen = split(rows)
    assert chosen.sum() == 4


@pytest.mark.parametrize(("fraction", "groups"), [(0.1, 2), (0.25, 5), (0.3, 6), (0.5, 10), (0.9, 18)])
def test_the_share_is_as_asked_for_where_groups_are_alike(fraction: float, groups: int) -> None:
    rows = [(kind, group) for group in range(20) for kind in (0, 1) for _ in range(5)]
    assert split(rows, fraction).sum() == groups


def test_a_rare_class_of_two_groups_is_on_both_sides() -> None:
    rows = [(0, group) for group in range(10) for _ in range(20)] + [(1, 3), (1, 8)]
    for seed in range(5):
        chosen = split(rows, 0.2, seed)
        assert chosen[3] != chosen[8]


def test_other_seeds_give_other_splits() -> None:
    rows = [(kind, group) for group in range(12) for kind in (0, 1)]
    assert len({split(rows, seed=seed).tobytes() for seed in range(10)}) > 1


def test_rows_that_are_each_a_class_of_their_own_are_split_all_the_same() -> None:
    chosen = split([(number, number) for number in range(4)], 0.25)
    assert chosen.sum() == 1
