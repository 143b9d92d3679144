"""Which crops come together: sequences, boards, neighbours of an example, suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import Ints, unit
from pipeline.grouping.boards import FEWEST, SURE, boards
from pipeline.grouping.likeness import alike_order
from pipeline.grouping.neighbours import nearest
from pipeline.grouping.sequences import MOST, SURELY, Crops, grouped, most_in_one_frame
from pipeline.grouping.suggestions import RESEMBLING, clusters, disagreeing, resembling
from pipeline.simulation import npz_file

Vectors = npt.NDArray[Any]


def rows(*numbers: int) -> Ints:
    return np.array(numbers, np.intp)


def crops(
    sequences: list[int],
    frames: list[int] | None = None,
    *,
    named: list[int] | None = None,
    probability: list[float] | None = None,
    alone: tuple[int, ...] = (),
) -> Crops:
    count = len(sequences)
    return Crops(
        sequences=np.array(sequences, np.intp),
        frames=np.array(frames or range(count), np.intp),
        named=np.array(named or [1] * count, np.intp),
        probability=np.array(probability or [0.9] * count),
        alone=np.isin(np.arange(count), alone),
    )


def asked(queue: list[int], of: Crops, **options: int) -> list[list[int]]:
    return [group.tolist() for group in grouped(rows(*queue), of, **options)]


def blobs(*sizes: int, seed: int = 0, spread: float = 0.3) -> tuple[Vectors, Ints]:
    """Crops around as many far corners as there are sizes, and the number of the corner of each."""
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).normal(size=(len(numbers), 16))
    return (3 * np.eye(16)[numbers] + spread * noise).astype(np.float16), numbers


# --- sequences


def test_a_queued_crop_brings_along_its_sequence_in_the_order_of_time() -> None:
    of = crops([5, 7, 5, 7, 5], [2, 0, 0, 1, 1])
    assert asked([0, 3], of) == [[2, 4, 0], [1, 3]]


def test_a_crop_that_was_brought_along_is_not_asked_again() -> None:
    assert asked([1, 0, 2], crops([5, 5, 6])) == [[0, 1], [2]]


def test_crops_that_surely_show_something_else_stay_out_and_doubtful_ones_come() -> None:
    of = crops([5, 5, 5], named=[1, 2, 2], probability=[0.4, SURELY, SURELY - 0.01])
    assert asked([0], of) == [[0, 2]]
    assert asked([0, 1], of) == [[0, 2], [1]]


def test_crops_of_the_audit_come_alone_and_are_brought_along_by_none() -> None:
    of = crops([5, 5, 5], alone=(1,))
    assert asked([0, 1], of) == [[0, 2], [1]]
    assert asked([1, 0], of) == [[1], [0, 2]]


def test_of_a_long_sequence_the_nearest_frames_come_and_the_rest_with_the_next_queued_crop() -> None:
    of = crops([5] * 30)
    first, second = asked([2, 20], of)
    assert len(first) == MOST
    assert 2 in first
    assert max(first) < 12
    assert len(second) == MOST
    assert not set(first) & set(second)


@given(
    sequences=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    seed=st.integers(0, 1_000),
    most=st.integers(1, 5),
)
def test_no_crop_is_asked_twice_and_every_queued_one_is(sequences: list[int], seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    count = len(sequences)
    of = crops(
        sequences,
        named=rng.integers(0, 3, count).tolist(),
        probability=rng.random(count).tolist(),
        alone=tuple(rng.permutation(count)[: count // 4].tolist()),
    )
    queue = rng.permutation(count)[: rng.integers(1, count + 1)].tolist()
    groups = asked(queue, of, most=most)
    together = [row for group in groups for row in group]
    assert len(together) == len(set(together))
    assert set(queue) <= set(together)
    for group in groups:
        assert 1 <= len(group) <= most
        assert len({sequences[row] for row in group}) == 1
        assert set(group) & set(queue)
        assert len(group) == 1 or not of.alone[group].any()


def test_the_count_is_the_most_crops_of_one_frame() -> None:
    assert most_in_one_frame(rows(4, 4, 9, 4, 9)) == 3
    assert most_in_one_frame(rows(4)) == 1


# --- likeness


def similarity_of_neighbours(vectors: Vectors, order: Ints) -> float:
    points = unit(vectors[order])
    return float(np.mean(np.sum(points[1:] * points[:-1], axis=1)))


def test_neighbours_on_a_board_are_alike_and_a_stranger_stands_at_an_end_of_its_kind(
    shared_data: Path,
) -> None:
    for name in ("fish_dev", "plankton_dev"):
        pool = npz_file.read(shared_data / "embeddings" / f"{name}.npz")
        rng = np.random.default_rng(0)
        found = []
        for species in np.argsort(-np.bincount(pool.species))[:5]:
            own = rng.permutation(np.flatnonzero(pool.species == species))[:24]
            vectors = pool.embeddings[own]
            found.append(
                similarity_of_neighbours(vectors, alike_order(vectors))
                - similarity_of_neighbours(vectors, np.arange(len(own)))
            )
        assert min(found) > 0.05, name


def test_groups_on_a_board_are_side_by_side() -> None:
    vectors, kind = blobs(8, 8, 8)
    mixed = np.random.default_rng(1).permutation(len(kind))
    order = mixed[alike_order(vectors[mixed])]
    assert np.count_nonzero(np.diff(kind[order])) == 2


def test_an_order_needs_no_three_crops() -> None:
    vectors, _ = blobs(2)
    assert alike_order(vectors[:0]).tolist() == []
    assert alike_order(vectors[:1]).tolist() == [0]
    assert sorted(alike_order(vectors).tolist()) == [0, 1]
    assert sorted(alike_order(np.zeros((4, 3), np.float16)).tolist()) == [0, 1, 2, 3]


# --- boards


def test_boards_hold_crops_named_alike_with_high_probability_and_each_once() -> None:
    vectors, kind = blobs(60, 40, 20)
    probability = np.where(np.arange(120) % 10 == 0, SURE - 0.01, SURE)
    made = boards(vectors, np.arange(120), kind, probability, count=9, size=24)
    shown = [int(row) for board in made for row in board.rows]
    assert len(shown) == len(set(shown)) == 48 + 36 + 18  # six are left: no board
    assert all(probability[row] >= SURE for row in shown)
    for board in made:
        assert (kind[board.rows] == board.category).all()
        assert FEWEST <= len(board.rows) <= 24
        assert board.probability == pytest.approx(SURE)


def test_species_take_turns_until_the_boards_are_enough() -> None:
    vectors, kind = blobs(200, 50, 50)
    made = boards(vectors, np.arange(300), kind, np.ones(300), count=4, size=24)
    assert sorted(board.category for board in made[:3]) == [0, 1, 2]
    assert len(made) == 4


def test_a_species_with_few_sure_crops_has_no_board() -> None:
    vectors, kind = blobs(FEWEST - 1, FEWEST)
    made = boards(vectors, np.arange(len(kind)), kind, np.ones(len(kind)), count=9)
    assert [board.category for board in made] == [1]
    assert boards(vectors[:0], rows(), rows(), np.zeros(0), count=3) == []


def test_a_board_is_a_crop_with_its_neighbours() -> None:
    vectors, corner = blobs(24, 24)
    [first, second] = boards(vectors, np.arange(48), np.ones(48, np.intp), np.ones(48), count=2, size=24)
    assert {len(set(corner[board.rows])) for board in (first, second)} == {1}


# --- search by example


def test_the_nearest_come_first_and_only_of_the_rows_that_may() -> None:
    vectors = np.eye(4, dtype=np.float16)[[0, 1, 0, 0, 2]] + np.float16(0.01) * np.arange(5)[:, None]
    found = nearest(vectors, rows(1, 2, 3, 4), vectors[[0]], 2)
    assert found.rows.tolist() == [2, 3]
    assert (np.diff(found.similarity) <= 0).all()
    assert nearest(vectors, rows(1, 4), vectors[[0]], 9).rows.tolist() == [4, 1]
    assert nearest(vectors, rows(), vectors[[0]], 9).rows.tolist() == []


def test_length_does_not_count_and_rows_of_zeros_do_no_harm() -> None:
    vectors = np.array([[9, 0], [1, 1], [0, 0], [0, 5]], np.float16)
    found = nearest(vectors, np.arange(4), np.array([[0, 0.1]]), 4)
    assert found.rows.tolist() == [3, 1, 0, 2]
    assert np.isfinite(found.similarity).all()


def test_of_several_examples_the_nearest_counts() -> None:
    vectors, kind = blobs(5, 5, 5)
    found = nearest(vectors, np.arange(15), vectors[[0, 5]], 10)
    assert sorted(found.rows.tolist()) == list(range(10))
    assert (kind[vectors.shape[0] - 15 + found.rows] == found.example).all()


def test_a_search_in_a_map_of_a_file_copies_no_more_than_blocks(tmp_path: Path) -> None:
    path = tmp_path / "pool.f16"
    np.random.default_rng(0).normal(size=(50_000, 8)).astype(np.float16).tofile(path)
    pool = np.memmap(path, np.float16, "r", shape=(50_000, 8))
    wanted = np.arange(0, 50_000, 3)
    found = nearest(pool, wanted, pool[[7]], 5)
    exact = unit(pool[wanted]) @ unit(pool[[7]])[0]
    assert found.rows.tolist() == wanted[np.argsort(-exact, kind="stable")[:5]].tolist()


# --- suggestions


def test_crops_that_resemble_a_rare_species_come_together_unless_they_are_named_so() -> None:
    vectors, kind = blobs(150, 20)
    labelled = np.concatenate([np.arange(100), rows(150, 151)])
    waiting = np.setdiff1d(np.arange(170), labelled)
    named = np.where(waiting == 160, 1, 0)
    [group] = resembling(vectors, waiting, named, labelled, kind[labelled])
    assert group.category == 1
    assert len(group.rows) == RESEMBLING
    assert (kind[group.rows] == 1).all()
    assert 160 not in group.rows


def test_a_species_with_many_labels_and_a_pool_of_one_species_resemble_nothing() -> None:
    vectors, kind = blobs(50, 50)
    labelled = np.arange(0, 100, 2)
    waiting = np.arange(1, 100, 2)
    assert resembling(vectors, waiting, 1 - kind[waiting], labelled, kind[labelled]) == []
    assert resembling(vectors, waiting, kind[waiting], rows(0, 2), kind[rows(0, 2)]) == []


def test_novel_crops_that_resemble_each_other_come_together_the_most_first() -> None:
    vectors, kind = blobs(40, 12, 6, 1)
    close, _ = blobs(40, 12, 6, 1, spread=0.1)
    labelled, novel = np.arange(40), np.arange(40, 59)
    vectors[novel] = close[novel]
    groups = clusters(vectors, novel, labelled, size=24)
    assert [set(kind[group.rows]) for group in groups] == [{1}, {2}]
    assert [len(group.rows) for group in groups] == [12, 6]
    assert [len(group.rows) for group in clusters(vectors, novel, labelled, size=8)] == [8, 6]
    assert clusters(vectors, novel[:3], labelled, size=24) == []


def test_labels_among_those_of_another_species_come_together() -> None:
    vectors, kind = blobs(30, 30)
    given = kind.copy()
    given[[3, 4, 40]] = [1, 1, 0]
    alone = np.arange(60)
    groups = disagreeing(vectors, alone, given, alone, size=24)
    assert [(group.category, sorted(group.rows.tolist())) for group in groups] == [(1, [3, 4]), (0, [40])]
    assert disagreeing(vectors, alone, kind, alone, size=24) == []


def test_labels_of_one_sequence_do_not_speak_for_each_other() -> None:
    vectors, kind = blobs(8, 30)
    given = np.ones(38, np.intp)
    given[:4] = 0  # four of eight look-alikes; the others of them are of the same sequence
    sequences = np.concatenate([np.zeros(8, np.intp), np.arange(1, 31)])
    groups = disagreeing(vectors, np.arange(38), given, sequences, size=24)
    assert [sorted(group.rows.tolist()) for group in groups] == [[0, 1, 2, 3]]
    assert kind[0] == 0
