"""Distances, clusters and turns on the unit sphere."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import arrays
from pipeline.acquisition import geometry
from pipeline.acquisition.baselines import kmeans
from pipeline.arrays import Floats


def crops(rows: int, dimension: int = 8, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_rows_get_length_one_and_zeros_stay_zero() -> None:
    rows = arrays.unit(np.array([[3, 4], [0, 0]], np.float16))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert rows.dtype == np.float32


def test_slices_make_up_the_whole_range() -> None:
    assert [(part.start, part.stop) for part in arrays.blocks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(arrays.blocks(0)) == []


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_squared_distances_are_those_of_the_definition(rows: int, others: int, seed: int) -> None:
    one, other = crops(rows, seed=seed), crops(others, seed=seed + 1)
    expected = np.square(one[:, None] - other).sum(axis=2)
    np.testing.assert_allclose(geometry.squared_distances(one, other), expected, rtol=1e-3, atol=1e-3)


def test_copies_are_at_distance_zero() -> None:
    points = arrays.unit(np.tile(crops(50, 512), (2, 1)))
    assert (geometry.squared_distances(points, points)[:50, 50:].diagonal() == 0).all()


def test_no_rows_have_no_distances() -> None:
    assert geometry.squared_distances(crops(0), crops(3)).shape == (0, 3)


def test_kmeans_finds_the_groups_that_are_there() -> None:
    group = np.repeat(np.arange(6), [400, 100, 50, 20, 10, 5])
    points = arrays.unit(np.eye(6, 16)[group] + 0.02 * crops(len(group), 16))
    for seed in range(10):
        number, distance = kmeans.nearest(points, kmeans.kmeans(points, 6, rng(seed)))
        assert len(np.unique(number)) == len(np.unique(6 * group + number)) == 6
        assert distance.max() < 0.1


@pytest.mark.parametrize(("distinct", "k", "centres"), [(1, 5, 1), (3, 5, 3), (3, 2, 2)])
def test_there_are_no_more_centres_than_distinct_points(distinct: int, k: int, centres: int) -> None:
    points = np.repeat(crops(distinct), 4, axis=0)
    assert len(kmeans.kmeans(points, k, rng())) == centres
    assert len(kmeans.sampled_kmeans(points, np.arange(len(points)), k, rng())) == centres


def test_the_same_seed_gives_the_same_centres() -> None:
    points = crops(300)
    for again in (kmeans.kmeans(points, 9, rng(2)), kmeans.kmeans(points, 9, rng(2))):
        np.testing.assert_array_equal(again, kmeans.kmeans(points, 9, rng(2)))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 99))
def test_each_row_goes_to_its_nearest_centre(rows: int, count: int, seed: int) -> None:
    embeddings, centres = crops(rows, seed=seed), crops(count, seed=seed + 1)
    asked = rng(seed).permutation(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmeans, "blocks", partial(arrays.blocks, size=7))
        number, distance = kmeans.assigned(embeddings, asked, centres)
    expected = geometry.squared_distances(arrays.unit(embeddings[asked]), centres)
    np.testing.assert_allclose(distance, expected.min(axis=1), atol=1e-4)
    np.testing.assert_allclose(expected[np.arange(rows), number], expected.min(axis=1), atol=1e-4)


def test_distances_are_lowered_to_the_nearest_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "OTHERS", 3)
    embeddings, others = crops(40), arrays.unit(crops(10, seed=1))
    rows = np.arange(5, 35)
    distance = np.full(30, 0.5, np.float32)
    kmeans.lower(distance, embeddings, rows, others)
    full = geometry.squared_distances(arrays.unit(embeddings[rows]), others)
    np.testing.assert_allclose(distance, np.minimum(0.5, full.min(axis=1)), atol=1e-6)


def test_turns_count_the_earlier_ones_of_a_cluster() -> None:
    assert kmeans.turns(np.array([4, 1, 4, 4, 1, 0])).tolist() == [0, 0, 1, 2, 1, 0]
    assert kmeans.turns(np.zeros(0, np.intp)).tolist() == []
