"""Figures of embeddings: by hand, against plain loops, and what must not change them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from pipeline.errors import SourceError
from pipeline.evaluation import scatter
from pipeline.evaluation.dataset_folder import Crop, read
from pipeline.evaluation.partition import clusters, held_out_species, partition
from pipeline.evaluation.probe import judged_rows, probe
from pipeline.evaluation.retrieval import Rows, map_at_r, retrieval
from pipeline.statistics import bootstrap_means

SEEDS = st.integers(0, 10_000)


def rows(angles: list[float], species: list[int], sequences: list[int] | None = None) -> Rows:
    """Crops on a circle, at degrees."""
    turn = np.deg2rad(np.array(angles, float))
    return Rows(
        vectors=np.stack([np.cos(turn), np.sin(turn)], axis=1),
        species=np.array(species, np.intp),
        sequences=np.array(range(len(species)) if sequences is None else sequences, np.intp),
    )


def drawn(seed: int, count: int = 40, dimension: int = 6) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        vectors=rng.normal(size=(count, dimension)),
        species=rng.integers(0, 4, count).astype(np.intp),
        sequences=rng.integers(0, count // 3, count).astype(np.intp),
    )


def changed(one: Rows, **fields: Any) -> Rows:
    return Rows(**{"vectors": one.vectors, "species": one.species, "sequences": one.sequences, **fields})


@pytest.mark.parametrize(
    ("hits", "answers", "expected"),
    [
        ([1, 1, 0], 2, 1),
        ([1, 0, 1], 2, 1 / 2),  # the third is beyond R
        ([0, 1, 1], 3, (1 / 2 + 2 / 3) / 3),
        ([0, 0, 1], 2, 0),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10, 0.1),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 1], 10, 0.12),
        ([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], 10, 0.2),
        ([1, 0, 1, 0, 1, 0, 1, 0, 1, 0], 10, (1 + 2 / 3 + 3 / 5 + 4 / 7 + 5 / 9) / 10),
    ],
)
def test_map_at_r_by_hand(hits: list[int], answers: int, expected: float) -> None:
    assert map_at_r(np.array([hits], np.bool_), np.array([answers])) == pytest.approx([expected])


@pytest.mark.parametrize("gallery_is_queries", [True, False])
@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_metrics_agree_with_pytorch_metric_learning(gallery_is_queries: bool, seed: int) -> None:
    """Its calculator leaves out a query itself, but no sequence, so each crop is a sequence of its own."""
    queries = changed(drawn(seed), sequences=np.arange(40))
    gallery = queries if gallery_is_queries else changed(drawn(seed + 1, 60), sequences=np.arange(100, 160))
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"), knn_func=CustomKNN(CosineSimilarity())
    )
    expected = calculator.get_accuracy(
        torch.from_numpy(queries.vectors),
        torch.from_numpy(queries.species),
        torch.from_numpy(gallery.vectors),
        torch.from_numpy(gallery.species),
        ref_includes_query=gallery_is_queries,
    )
    found = retrieval(queries, gallery)
    assert found.map_at_r == pytest.approx(expected["mean_average_precision_at_r"])
    assert found.recall_at_1 == pytest.approx(expected["precision_at_1"])


def test_figures_by_hand() -> None:
    queries = rows([0, 90], [0, 1], [100, 101])
    #               both are asked; of the first query the neighbours stand in this order
    gallery = rows([5, 10, 15, 70, 80], [0, 1, 0, 0, 1])
    found = retrieval(queries, gallery, neighbours=3)
    # First: species 0, R = 3, hits 1 0 1. Second: species 1, R = 2, neighbours 80, 70, 15: hits 1 0, voted 0.
    assert found.queries == 2
    assert found.query_rows.tolist() == [0, 1]
    assert found.values == pytest.approx(np.array([[1, (1 + 2 / 3) / 3, 1], [1, 1 / 2, 0]]))
    assert found.recall_at_1 == 1
    assert found.map_at_r == pytest.approx(((1 + 2 / 3) / 3 + 1 / 2) / 2)
    assert found.knn == 1 / 2


def test_of_two_species_with_equal_votes_the_nearer_one_wins() -> None:
    found = retrieval(rows([0], [0], [9]), rows([1, 2], [0, 1]), neighbours=2)
    assert found.knn == 1
    found = retrieval(rows([0], [0], [9]), rows([2, 1], [0, 1]), neighbours=2)
    assert found.knn == 0


def test_neighbours_of_the_own_sequence_never_count() -> None:
    own = rows([0, 0, 1, 50, 51], [0, 0, 1, 0, 1], [7, 7, 8, 9, 10])
    found = retrieval(own, own)
    assert found.queries == 5
    assert found.recall_at_1 == 0  # each lies beside a stranger; its own twin would have been right
    alone = rows([0, 1, 50], [0, 0, 1], [7, 7, 8])
    assert retrieval(alone, alone).queries == 0
    assert retrieval(alone, alone).recall_at_1 is None


def test_the_own_sequence_has_no_vote_where_neighbours_are_few() -> None:
    gallery = rows([0, 0, 0, 10, 20, 30], [0, 0, 0, 1, 0, 1], [7, 7, 7, 8, 9, 10])
    found = retrieval(rows([0], [0], [7]), gallery, neighbours=6)
    assert (found.recall_at_1, found.map_at_r, found.knn) == (0, 0, 0)  # two of three say 1


def test_fewer_neighbours_than_are_asked_for_are_enough() -> None:
    found = retrieval(rows([0], [3], [9]), rows([40], [3]), neighbours=5)
    assert (found.recall_at_1, found.map_at_r, found.knn) == (1, 1, 1)


@given(SEEDS, st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_plain_loops_find_the_same(seed: int, neighbours: int) -> None:
    one = drawn(seed)
    unit = one.vectors / np.linalg.norm(one.vectors, axis=1, keepdims=True)
    first, means, votes = [], [], []
    for query in range(len(one)):
        others = [row for row in range(len(one)) if one.sequences[row] != one.sequences[query]]
        others.sort(key=lambda row: -(unit[row] @ unit[query]))
        right = [bool(one.species[row] == one.species[query]) for row in others]
        if not any(right):
            continue
        first.append(right[0])
        answers = sum(right)
        means.append(sum(sum(right[:i]) / i for i in range(1, answers + 1) if right[i - 1]) / answers)
        near = [int(one.species[row]) for row in others[:neighbours]]
        votes.append(Counter(near).most_common(1)[0][0] == one.species[query])  # the first seen wins a tie
    found = retrieval(one, one, neighbours=neighbours)
    assert found.queries == len(first)
    assert [found.recall_at_1, found.map_at_r, found.knn] == pytest.approx(
        [np.mean(first), np.mean(means), np.mean(votes)]
    )


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_order_scale_names_and_blocks_change_nothing(seed: int) -> None:
    one, rng = drawn(seed), np.random.default_rng(seed + 1)
    order = rng.permutation(len(one))
    shuffled = changed(
        one, vectors=one.vectors[order], species=one.species[order], sequences=one.sequences[order]
    )
    turned, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    names = rng.permutation(4)
    scaled = one.vectors * rng.uniform(0.1, 9, (len(one), 1))
    expected = retrieval(one, one)
    for queries, gallery in (
        (one, shuffled),
        (shuffled, one),
        (changed(one, vectors=scaled), one),
        (changed(one, vectors=one.vectors @ turned), changed(one, vectors=one.vectors @ turned)),
        (changed(one, species=names[one.species]), changed(one, species=names[one.species])),
    ):
        found = retrieval(queries, gallery)
        assert found.queries == expected.queries
        assert [found.recall_at_1, found.map_at_r, found.knn] == pytest.approx(
            [expected.recall_at_1, expected.map_at_r, expected.knn]
        )
    assert retrieval(one, one, cells=1).map_at_r == pytest.approx(expected.map_at_r)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_species_that_lie_apart_are_told_perfectly(seed: int) -> None:
    one = drawn(seed)
    apart = changed(one, vectors=20 * np.eye(4, 6)[one.species] + 0.1 * one.vectors)
    found = retrieval(apart, apart)
    assert (found.recall_at_1, found.map_at_r) == (1, 1)


def test_a_probe_learns_what_can_be_learnt_and_says_where_there_are_too_few_labels() -> None:
    rng = np.random.default_rng(0)
    species = (np.arange(90) % 3).astype(np.intp)
    vectors = 3 * np.eye(3, 8)[species] + rng.normal(size=(90, 8))
    arguments: dict[str, Any] = {
        "species": species,
        "sequences": np.arange(90),
        "locations": [None] * 90,
        "learned": np.arange(60),
        "tested": np.arange(60, 90),
    }
    few, many = probe(vectors, labels=3, **arguments), probe(vectors, labels=60, **arguments)
    assert few is not None
    assert many is not None
    assert 1 / 3 < few <= many
    assert many > 0.8
    assert probe(vectors, labels=61, **arguments) is None
    unseen = arguments | {"tested": np.zeros(0, np.intp)}
    assert probe(vectors, labels=10, **unseen) is None
    noise = probe(rng.normal(size=(90, 8)), labels=60, **arguments)
    assert noise is not None
    assert noise < 0.6


def test_a_probe_is_judged_on_species_that_it_could_have_learnt() -> None:
    species = np.array([0, 1, 0, 2])
    assert judged_rows(species, np.array([0, 1]), np.array([2, 3])).tolist() == [2]


def crops(count: int, **fields: Any) -> list[Crop]:
    """Four species by turns; each field is a function of the number."""
    makers = {
        "species": lambda one: f"s{one % 4}",
        "sequence": lambda one: f"q{one}",
        "location": lambda _: None,
        "tested": lambda _: False,
        **fields,
    }
    return [
        Crop(file_name=f"{one}.jpg", **{name: make(one) for name, make in makers.items()})
        for one in range(count)
    ]


def test_test_json_is_the_test_part_and_no_sequence_is_on_both_sides() -> None:
    found = partition(crops(40, tested=lambda one: one >= 30, sequence=lambda one: f"q{one // 4}"))
    assert found.by == "test.json"
    assert found.places.queries.tolist() == list(range(30, 40))
    assert found.places.gallery.tolist() == list(range(28))  # 28 and 29 are of the sequence of 30 and 31


@pytest.mark.parametrize(
    ("fields", "by", "key"),
    [
        ({"location": lambda one: f"at {one // 8}"}, "location", "location"),
        ({"location": lambda _: "here", "sequence": lambda one: f"q{one // 4}"}, "sequence", "sequence"),
        ({}, "crop", "file_name"),
    ],
)
def test_without_test_json_whole_locations_sequences_or_crops_are_held_out(
    fields: dict[str, Any], by: str, key: str
) -> None:
    made = crops(48, **fields)
    found = partition(made)
    assert found.by == by
    sides = [
        {getattr(made[row], key) for row in part} for part in (found.places.queries, found.places.gallery)
    ]
    assert not sides[0] & sides[1]
    assert 10 <= len(found.places.queries) <= 22
    assert len(found.places.queries) + len(found.places.gallery) == 48


@given(st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_about_a_third_of_the_species_is_held_out_and_judged_among_itself(species: int) -> None:
    made = crops(
        6 * species, species=lambda one: f"s{one % species:02}", tested=lambda one: one < 2 * species
    )
    found = partition(made)
    if species < 4:
        assert found.few is None
        return
    assert found.few is not None
    assert 2 <= len(found.few_species) <= max(2, species / 3 + 1)
    for part in (found.few.queries, found.few.gallery, found.few.learned, found.few.tested):
        assert set(found.species[part]) == set(found.few_species)
    assert not set(found.few.learned) & set(found.few.tested)


def test_every_third_species_by_the_order_of_its_crops_is_held_out() -> None:
    species = [name for count, name in enumerate("abcdefg", 1) for _ in range(count)]
    assert held_out_species(species) == ["c", "f"]  # of g, f, e, d, c, b, a
    assert held_out_species(list("aabbccdd")) == ["b", "d"]
    assert held_out_species(list("abc")) == []


def test_species_that_no_embedder_has_learned_are_held_out() -> None:
    species = ["Red fox", "Red fox", "jay", "jay", "elk", "elk", "elk", "newt"]
    assert held_out_species(species, ["red FOX", "wolf"]) == ["elk", "jay", "newt"]
    assert held_out_species(species, ["wolf"]) == held_out_species(species) == ["Red fox", "newt"]
    assert held_out_species(species, ["Red fox", "jay"]) == ["Red fox", "newt"]  # newt cannot be asked about


@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=8, max_size=60), st.sets(st.sampled_from("abcdefghij"))
)
@settings(max_examples=40, deadline=None)
def test_a_partition_holds_out_what_training_is_told_to_leave_out(names: list[str], known: set[str]) -> None:
    made = crops(2 * len(names), species=lambda one: names[one % len(names)], tested=lambda one: one % 4 == 0)
    made += crops(2, species=lambda _: "both", tested=lambda one: one == 0)
    all_of_them = [crop.species for crop in made]
    chosen = held_out_species(all_of_them, known)
    found = partition(made, known)
    assert [found.names[one] for one in found.few_species] == chosen
    assert (found.few is None) == (not chosen)
    # An embedder that was trained without exactly these makes no difference.
    trained_without = set(all_of_them) - set(held_out_species(all_of_them))
    if len(set(all_of_them)) >= 4 and Counter(all_of_them).most_common()[-1][1] > 1:
        assert held_out_species(all_of_them, trained_without) == held_out_species(all_of_them)


def test_crops_of_one_location_or_else_of_one_sequence_hang_together() -> None:
    groups, by = clusters(["x", "y", "x", None, None, None], np.array([0, 1, 2, 3, 3, 4]))
    assert (groups.tolist(), by) == ([0, 1, 0, 2, 2, 3], "location")
    for places in (["x"] * 3, [None] * 3):
        groups, by = clusters(places, np.array([7, 7, 9]))
        assert (groups.tolist(), by) == ([0, 0, 1], "sequence")


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Queries of a place are all right or all wrong: only intervals over whole places are wide enough."""
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(60), 10).astype(np.intp)
    held, blind = 0, 0
    for _ in range(200):
        values = (rng.random(60) < 0.6)[places][:, None].astype(float)
        for groups in (places, np.arange(600)):
            limits = bootstrap_means(values, groups, draws=300)
            assert limits is not None
            inside = int(limits[0][0] <= 0.6 <= limits[1][0])
            held, blind = (held + inside, blind) if groups is places else (held, blind + inside)
    assert 0.88 <= held / 200 <= 0.99
    assert blind / 200 < 0.6


def test_an_interval_is_that_of_a_binomial_where_each_query_stands_alone() -> None:
    values = np.stack([np.arange(400) % 4 == 0, np.ones(400), np.zeros(400)], axis=1).astype(float)
    limits = bootstrap_means(values, np.arange(400))
    assert limits is not None
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert [one[0] for one in limits] == pytest.approx([0.25 - half, 0.25 + half], abs=0.006)
    assert [one[1:].tolist() for one in limits] == [[1, 0], [1, 0]]


def test_the_same_seed_gives_the_same_interval_and_one_place_gives_none() -> None:
    values = np.random.default_rng(0).random((30, 3))
    first, again = (bootstrap_means(values, np.arange(30) // 3) for _ in range(2))
    other = bootstrap_means(values, np.arange(30) // 3, seed=1)
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[0] != other[0]).any()
    assert bootstrap_means(values, np.zeros(30, np.intp)) is None
    assert bootstrap_means(np.zeros((0, 3)), np.zeros(0, np.intp)) is None


def test_what_cannot_be_split_is_told() -> None:
    with pytest.raises(SourceError, match="one crop cannot be split"):
        partition(crops(1))
    with pytest.raises(SourceError, match="no species of the test part"):
        partition(crops(2, tested=lambda one: one == 1))


def document(**changes: Any) -> dict[str, Any]:
    images = [
        {"id": 1, "file_name": "fox/1.jpg", "seq_id": "a", "location": "L", "original_key": "p"},
        {"id": 2, "file_name": "fox/2.jpg", "original_key": "p2"},
        {"id": 3, "file_name": "empty/3.jpg"},
        {"id": 4, "file_name": "both/4.jpg"},
        {"id": 5, "file_name": "none/5.jpg"},
    ]
    shown = [(1, 1), (2, 1), (3, 0), (4, 1), (4, 2)]
    return {
        "images": images,
        "annotations": [{"image_id": image, "category_id": category} for image, category in shown],
        "categories": [{"id": n, "name": name} for n, name in enumerate(["empty", "fox", "deer"])],
    } | changes


def test_a_dataset_is_read_and_images_without_one_species_are_counted(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps(document()))
    again = document(images=document()["images"][:1])
    (tmp_path / "test.json").write_text(json.dumps(again))
    found = read(tmp_path)
    assert found.left_out == 3
    assert found.crops == [
        Crop(file_name="fox/1.jpg", species="fox", sequence="sequence a", location="L", tested=True),
        Crop(file_name="fox/2.jpg", species="fox", sequence="photograph p2", location=None, tested=False),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a COCO Camera Traps file"),
        ("{}", "'categories' is missing"),
        (json.dumps(document(images=[{"id": 1, "file_name": 3}])), "file_name is 3"),
        (json.dumps(document(annotations=[{"image_id": 1, "category_id": 9}])), "9 is missing"),
        (json.dumps(document(annotations=[])), "lists no crop with a species"),
    ],
)
def test_a_file_that_is_none_is_named_with_the_remedy(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(SourceError, match=said) as caught:
        read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "wildloop dataset make" in str(caught.value)


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"neither train\.json nor test\.json"):
        read(tmp_path)


def test_a_map_shows_at_most_the_cap_and_any_number_of_species() -> None:
    assert scatter.chosen(5).tolist() == [0, 1, 2, 3, 4]
    some = scatter.chosen(9000)
    assert len(set(some.tolist())) == len(some) == scatter.CAP
    assert (np.diff(some) > 0).all()
    names = [f"species {one} with a name as long as names of $pecies are" for one in range(30)]
    places = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    picture = scatter.png(places, np.arange(60) % 30, names, "a map")
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("vectors", [np.zeros((9, 4)), np.ones((9, 4)), np.eye(3, 4), np.ones((1, 4))])
def test_vectors_that_cannot_be_laid_out_still_make_a_map(vectors: Any) -> None:
    places = scatter.layout(vectors)
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()


def test_groups_lie_apart_on_a_map_and_the_same_vectors_make_the_same_map() -> None:
    species = np.arange(60) % 3
    vectors = 9 * np.eye(3, 80)[species] + np.random.default_rng(0).normal(size=(60, 80))
    places = scatter.layout(vectors)
    assert (places == scatter.layout(vectors)).all()
    near = np.linalg.norm(places[:, None] - places, axis=2) + np.diag(np.full(60, np.inf))
    assert (species[near.argmin(axis=1)] == species).mean() > 0.95
