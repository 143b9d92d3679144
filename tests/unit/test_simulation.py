"""Replays of a labelled pool: splits, curves and what is worked out from them, the page and the picture."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.acquisition.round import Round
from pipeline.arrays import Ints
from pipeline.errors import ModelError, SourceError
from pipeline.simulation import npz_file
from pipeline.simulation.asking import ASKINGS, SINGLES
from pipeline.simulation.asking_summary import asking_summary
from pipeline.simulation.curve import COLUMNS, Curve, Figures, Point, judge, table
from pipeline.simulation.labelled_pool import LabelledPool, labelled_pool
from pipeline.simulation.page import page
from pipeline.simulation.plot import png, presses_png
from pipeline.simulation.replay import Schedule, replay
from pipeline.simulation.seed_mean import mean_over_seeds, reached
from pipeline.simulation.split import split
from pipeline.simulation.study import Study, study
from pipeline.simulation.summary import milestones, summary
from pipeline.steps.learning.schedule import new_labels_wanted

WANTED = partial(new_labels_wanted, retrain_every=20)


def anything(state: Round, k: int, rng: np.random.Generator) -> Ints:
    return rng.permutation(state.candidates)[:k]


def least_sure(state: Round, k: int, rng: np.random.Generator) -> Ints:
    if state.probabilities is None:
        return anything(state, k, rng)
    return state.candidates[np.argsort(state.probabilities.max(axis=1), kind="stable")[:k]]


def fatal(*_: object) -> Ints:
    os._exit(9)


def made_up(crops: int = 150, species: int = 3, places: int = 5, seed: int = 0) -> LabelledPool:
    """Species in clouds of their own, in bursts of three."""
    rng = np.random.default_rng(seed)
    shown = np.arange(crops) // 3 % species
    embeddings = (3 * np.eye(species, 8)[shown] + rng.normal(size=(crops, 8))).astype(np.float16)
    return labelled_pool(
        "made up",
        embeddings,
        np.array(["boar", "deer", "fox", "<owl>"])[shown],
        sequences=np.arange(crops) // 3,
        locations=rng.integers(places, size=crops // 3 + 1)[np.arange(crops) // 3],
    )


def schedule(budget: int) -> Schedule:
    return Schedule(first=20, wanted=WANTED, budget=budget)


def curve(
    *points: tuple[int, float],
    strategy: str = "random",
    asking: str = "singles",
    seed: int = 0,
    seen: int = 1,
    presses: float = 2,  # a label
) -> Curve:
    """A curve from labels and macro-F1, with one more species seen at each round."""
    return Curve(
        strategy=strategy,
        asking=asking,
        seed=seed,
        open_species=3,
        to_label_all=int(100 * presses),
        wrong=0,
        points=tuple(
            Point(
                labels=labels,
                presses=int(presses * labels),
                figures=Figures(accuracy=f1 / 2, macro_f1=f1, rare_recall=0.25),
                classes_seen=seen + at,
            )
            for at, (labels, f1) in enumerate(points)
        ),
    )


def studied(*curves: Curve, grouped: tuple[Curve, ...] | None = None, budget: int = 40) -> Study:
    """A study of these curves of singles; those of the other ways to ask are the first strategy's."""
    pool = made_up()
    if grouped is None:
        first = [one for one in curves if one.strategy == curves[0].strategy]
        grouped = tuple(replace(one, asking=each.name) for each in ASKINGS[1:] for one in first)
    return Study(
        pool=pool,
        splits=tuple(split(pool, one) for one in sorted({one.seed for one in curves})),
        strategies=tuple(dict.fromkeys(one.strategy for one in curves)),
        schedule=schedule(budget),
        curves=curves,
        grouped=grouped,
    )


def test_area_is_the_mean_height_of_trapezoids_over_the_labels() -> None:
    # (10 * (0.2 + 0.4) / 2 + 20 * (0.4 + 0.8) / 2) / 30
    assert curve((20, 0.2), (30, 0.4), (50, 0.8)).area == pytest.approx(0.5)
    assert curve((20, 0.3)).area == 0.3


def test_labels_to_a_target_are_those_of_the_first_round_at_or_above_it() -> None:
    one = curve((20, 0.2), (40, 0.5), (60, 0.4), (80, 0.6))
    assert [one.labels_to_reach(target) for target in (0.1, 0.2, 0.21, 0.5, 0.55)] == [20, 20, 40, 40, 80]
    assert one.labels_to_reach(0.61) is None


def test_all_species_are_seen_at_the_first_round_that_knows_each() -> None:
    assert curve((20, 0.1), (40, 0.2), (60, 0.2)).labels_to_see_all == 60
    assert curve((20, 0.1), (40, 0.2)).labels_to_see_all is None


def test_a_figure_between_rounds_is_on_the_line_and_beyond_them_there_is_none() -> None:
    one = curve((20, 0.2), (40, 0.6))
    assert one.at(25) == pytest.approx(0.3)
    assert one.at(40, "accuracy") == pytest.approx(0.3)
    assert one.at(19) is None
    assert one.at(41) is None


def test_an_interval_is_students_t_over_seeds() -> None:
    found = mean_over_seeds([0.4, 0.5, 0.6])  # t(0.975; 2) = 4.302653, standard error 0.1 / sqrt(3)
    assert found.mean == pytest.approx(0.5)
    assert found.low == pytest.approx(0.251586, abs=1e-6)
    assert found.high == pytest.approx(0.748414, abs=1e-6)
    assert found.text(2) == "0.50 [0.25, 0.75]"


def test_an_interval_keeps_to_what_is_possible_and_one_seed_has_none() -> None:
    wide = mean_over_seeds([0.1, 0.9])
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert mean_over_seeds([0.1, -0.1], least=-1).text(1, sign=True) == "+0.0 [-1.0, +1.0]"
    assert mean_over_seeds([0.25]).text(3) == "0.250"


def test_what_not_every_seed_reached_has_no_mean() -> None:
    assert reached([None, None]) == "not reached"
    assert reached([40, None, 60]) == "in 2 of 3 seeds"
    assert reached([40, 40], most=300) == "40 [40, 40]"


def test_figures_are_of_judged_species_and_accuracy_of_every_crop() -> None:
    truth, said = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0])
    found = judge(truth, said, judged=np.array([0, 1]), rare=np.array([1]))
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.macro_f1 == pytest.approx((2 * 2 / (3 + 4) + 2 * 1 / (2 + 2)) / 2)
    assert found.rare_recall == pytest.approx(1 / 2)


def test_the_table_has_a_row_for_each_round() -> None:
    assert ",".join(COLUMNS) == (
        "strategy,asking,seed,labels,presses,accuracy,macro_f1,rare_recall,classes_seen"
    )
    assert list(table([curve((20, 0.25), (40, 0.5), seed=3)])) == [
        ("random", "singles", 3, 20, 40, 0.125, 0.25, 0.25, 1),
        ("random", "singles", 3, 40, 80, 0.25, 0.5, 0.25, 2),
    ]


def test_the_target_is_where_random_ends_on_each_split() -> None:
    found = summary(
        studied(
            curve((20, 0.2), (40, 0.4)),
            curve((20, 0.4), (40, 0.8), seed=1),
            curve((20, 0.4), (40, 0.5), strategy="margin"),
            curve((20, 0.6), (40, 0.7), strategy="margin", seed=1),
        )
    )
    assert found.reference == "random"
    assert found.target.mean == pytest.approx(0.6)
    random, margin = found.rows
    assert random.to_target == "40 [40, 40]"
    assert random.gain is None
    assert margin.to_target == "in 1 of 2 seeds"  # 20 labels on the first split, where random ends at 0.4
    assert margin.gain is not None
    assert margin.gain.mean == pytest.approx(((0.45 - 0.3) + (0.65 - 0.6)) / 2)


def test_without_random_the_target_is_the_best_end() -> None:
    found = summary(
        studied(curve((20, 0.2), (40, 0.4), strategy="badge"), curve((20, 0.2), (40, 0.3), strategy="margin"))
    )
    assert (found.reference, found.target.mean) == ("badge", 0.4)
    assert [row.to_target for row in found.rows] == ["40", "not reached"]
    assert len(found.header()) == len(next(found.cells())) == 5


def test_milestones_go_as_far_as_the_labels() -> None:
    assert milestones(studied(curve((20, 0.1), (299, 0.2)))) == [50, 100]
    assert milestones(studied(curve((20, 0.1), (3000, 0.2)))) == [50, 100, 300, 1000, 3000]
    assert milestones(studied(curve((20, 0.1)))) == []


@pytest.mark.parametrize(
    ("locations", "sequences", "by"),
    [
        ([0, 0, 1, 1] * 6, range(24), "location"),
        ([0] * 24, [0, 0, 1, 1] * 6, "sequence"),
        ([0] * 24, None, "crop"),
    ],
)
def test_whole_groups_of_the_widest_kind_are_held_out(locations: Any, sequences: Any, by: str) -> None:
    pool = labelled_pool(
        "made up",
        np.ones((24, 2)),
        np.array(["a", "b"] * 12),
        locations=np.array(locations),
        sequences=None if sequences is None else np.array(sequences),
    )
    found = split(pool, 0)
    assert found.by == by
    assert sorted([*found.open, *found.test]) == list(range(24))
    if by != "crop":
        keys = np.array(locations if by == "location" else sequences)
        assert not set(keys[found.open]) & set(keys[found.test])


def test_another_seed_has_another_test_part_and_the_same_seed_the_same() -> None:
    pool = made_up(places=12)
    parts = [split(pool, seed).test.tolist() for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_rare_species_make_less_than_a_hundredth_or_are_the_rarest_quarter() -> None:
    def rare(*counts: int) -> list[str]:
        species = np.repeat([f"s{one}" for one in range(len(counts))], counts)
        pool = labelled_pool("made up", np.ones((len(species), 2)), species)
        return [pool.names[one] for one in split(pool, 0).rare]

    assert rare(600, 300, 3, 4) == ["s2", "s3"]
    assert rare(90, 30, 60, 50, 40) == ["s1", "s4"]  # two: a quarter of five, rounded up
    assert rare(30) == ["s0"]


def test_a_species_that_only_one_side_shows_is_not_judged() -> None:
    pool = labelled_pool(
        "made up",
        np.ones((30, 2)),
        np.array(["deer", "fox", "lynx"] * 5 + ["deer", "fox", "owl"] * 5),
        locations=np.repeat([0, 1], 15),
    )
    found = split(pool, 0)
    assert [pool.names[one] for one in found.judged] == ["deer", "fox"]
    assert found.open_species == 3


@pytest.mark.parametrize(
    ("species", "locations", "message"),
    [
        (["deer"], [0], "one labelled crop"),
        (["deer", "fox"], [0, 1], r"in the test part \(split by location\) and outside"),
    ],
)
def test_a_pool_that_no_test_part_can_judge_is_refused(
    species: list[str], locations: list[int], message: str
) -> None:
    pool = labelled_pool(
        "made up", np.ones((len(species), 2)), np.array(species), locations=np.array(locations)
    )
    with pytest.raises(SourceError, match=message):
        split(pool, 0)


def test_rounds_are_those_of_training_and_end_with_the_budget() -> None:
    pool = made_up(crops=450)
    found = replay(pool, split(pool, 0), "anything", anything, schedule(200))
    assert found.labels == [20, 40, 60, 80, 100, 120, 144, 173, 200]


def test_a_strategy_is_told_of_open_crops_alone_and_of_labels_as_columns() -> None:
    pool = made_up(species=4)
    part = split(pool, 0)
    rounds: list[Round] = []

    def spy(state: Round, k: int, rng: np.random.Generator) -> Ints:
        rounds.append(state)
        if state.probabilities is None:  # two species, of which one is not the first
            return np.flatnonzero(np.isin(pool.species[part.open], [1, 3]))[:k]
        return anything(state, k, rng)

    replay(pool, part, "spy", spy, schedule(60))
    first, second, third = rounds
    assert first.probabilities is None
    assert first.predict_proba is None
    assert len(first.labelled) == len(first.labels) == 0
    assert set(second.labels.tolist()) == {0, 1}
    assert second.probabilities is not None
    assert second.predict_proba is not None
    assert second.probabilities.shape == (len(part.open) - 20, 2)
    assert np.array_equal(second.predict_proba(second.embeddings[second.candidates]), second.probabilities)
    for state in rounds:
        assert np.array_equal(state.embeddings, pool.embeddings[part.open])
        assert not set(state.candidates) & set(state.labelled)
        assert len(state.candidates) + len(state.labelled) == len(part.open)
        assert np.array_equal(state.sequences, pool.sequences[part.open][state.candidates])
    assert len(third.labelled) == 40


@pytest.mark.parametrize("chosen", [[0] * 20, range(19), range(10**6, 10**6 + 20)])
def test_a_strategy_that_breaks_the_rules_is_found_out(chosen: Any) -> None:
    pool = made_up()
    with pytest.raises(ValueError, match="cheat did not choose 20 distinct candidates"):
        replay(pool, split(pool, 0), "cheat", lambda *_: np.array(list(chosen)), schedule(40))


def one_species() -> LabelledPool:
    return labelled_pool("made up", np.random.default_rng(0).normal(size=(90, 4)), np.zeros(90, np.intp))


def few_crops() -> LabelledPool:
    return made_up(crops=12)


def one_place() -> LabelledPool:
    return labelled_pool(
        "made up",
        np.random.default_rng(0).normal(size=(90, 4)),
        np.arange(90) % 3,
        sequences=np.zeros(90),
        locations=np.zeros(90),
    )


def identical() -> LabelledPool:
    return labelled_pool("made up", np.ones((90, 4), np.float16), np.arange(90) % 3)


def zeros() -> LabelledPool:
    return labelled_pool("made up", np.zeros((90, 1), np.float64), np.arange(90) % 3)


def two_crops() -> LabelledPool:
    return labelled_pool("made up", np.eye(2), np.array([7, 7]))


@pytest.mark.parametrize("strategy", [anything, least_sure])
@pytest.mark.parametrize("make", [one_species, few_crops, one_place, identical, zeros, two_crops])
def test_a_degenerate_pool_is_replayed_to_its_end(make: Callable[[], LabelledPool], strategy: Any) -> None:
    pool = make()
    part = split(pool, 0)
    found = replay(pool, part, "name", strategy, schedule(1000))
    assert found.labels[-1] == len(part.open)
    assert found.labels_to_see_all is not None
    assert all(0 <= value <= 1 for name in ("accuracy", "macro_f1") for value in found.values(name))
    grouped = tuple(replay(pool, part, "name", strategy, schedule(1000), asking) for asking in ASKINGS[1:])
    whole = Study(
        pool=pool,
        splits=(part,),
        strategies=("name",),
        schedule=schedule(1000),
        curves=(found,),
        grouped=grouped,
    )
    assert {one.labels[-1] for one in grouped} == {len(part.open)}
    assert png(whole).startswith(b"\x89PNG")
    assert presses_png(whole).startswith(b"\x89PNG")
    assert "not reached" not in page(whole, b"", b"").partition("Key presses by what comes together")[0]


def test_curves_are_the_same_whatever_the_number_of_processes() -> None:
    pool = made_up()
    strategies = {"random": anything, "least": least_sure}
    alone, together = (
        study(pool, strategies, seeds=2, schedule=schedule(40), processes=processes) for processes in (1, 2)
    )
    assert alone.curves == together.curves
    assert alone.grouped == together.grouped
    assert [(one.strategy, one.seed) for one in alone.curves] == [
        ("random", 0),
        ("random", 1),
        ("least", 0),
        ("least", 1),
    ]


def test_a_process_that_the_system_ends_is_told_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="fewer --processes"):
        study(made_up(), {"fatal": fatal}, seeds=1, schedule=schedule(20), processes=1)


def test_the_page_needs_nothing_beside_itself() -> None:
    whole = studied(curve((20, 0.2), (120, 0.4)), curve((20, 0.3), (120, 0.5), strategy="margin"), budget=120)
    picture = png(whole)
    html = page(whole, picture, presses_png(whole))
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(sources) == 2
    plain = html
    for source in sources:
        assert source.startswith("data:image/png;base64,")
        plain = plain.replace(source, "")
    assert "http" not in plain
    assert "url(" not in plain
    assert "<script" not in plain
    for told in ("150 crops", "Locations", "100 labels", "not reached", "0.300", "Wildloop"):
        assert told in plain, told


def test_names_from_outside_cannot_break_the_page() -> None:
    whole = studied(curve((20, 0.2), (40, 0.4), strategy="<script>"))
    assert "<script>" not in page(whole, b"", b"")


def test_a_pool_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pool.npz"
    np.savez(path, E=np.eye(4, dtype=np.float16), label=[3, 1, 3, 1], group=["b", "a", "b", "a"])
    pool = npz_file.read(path)
    assert (pool.source, pool.names, pool.species.tolist()) == ("pool.npz", ["1", "3"], [1, 0, 1, 0])
    assert pool.sequences.tolist() == [1, 0, 1, 0]
    assert (pool.sequence_count, pool.location_count) == (2, 1)
    np.savez(path, E=np.eye(2, dtype=int), label=np.array([b"fox", b"deer"]), location=[5, 9])
    pool = npz_file.read(path)
    assert pool.embeddings.dtype == np.float32
    assert pool.names == ["deer", "fox"]
    assert (pool.sequence_count, pool.location_count) == (2, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"label": [1]}, r"lacks E; it holds label \(save E"),
        ({"E": np.eye(2)}, "lacks label; it holds E"),
        ({}, "lacks E and label; it holds nothing"),
        ({"E": np.ones(3), "label": [1, 2, 3]}, r"E of .* shape \(3,\) \(E must be a table"),
        ({"E": np.ones((0, 4)), "label": []}, r"E of .* shape \(0, 4\)"),
        ({"E": np.array([["a"]]), "label": [1]}, "E of .* is <U1"),
        ({"E": np.array([[1.0], [np.nan]]), "label": [1, 2]}, "not finite, first in row 1"),
        ({"E": np.eye(2), "label": [1]}, "label of .* must hold 2"),
        ({"E": np.eye(2), "label": [0.5, 1.5]}, "label of .* float64"),
        ({"E": np.eye(2), "label": np.array(["a", None])}, "label of .* not of Python objects"),
        ({"E": np.eye(2), "label": [1, 2], "group": [[1, 2]]}, "group of"),
        ({"E": np.eye(2), "label": [1, 2], "location": [1]}, "location of"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_key(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    path = tmp_path / "pool.npz"
    np.savez(path, **arrays)
    with pytest.raises(SourceError, match=message) as caught:
        npz_file.read(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.eye(2))
    np.savez(tmp_path / "cut.npz", E=np.random.default_rng(0).normal(size=(50, 50)), label=range(50))
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:5000] + b"\0" * 3000 + whole[8000:])
    (tmp_path / "half.npz").write_bytes(whole[:5000])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("species")
    for name in ("one.npy", "cut.npz", "half.npz", "empty.npz", "text.npz", "absent.npz", "."):
        with pytest.raises(SourceError, match=re.escape(str(tmp_path / name))):
            npz_file.read(tmp_path / name)


def test_a_target_is_what_singles_reach_with_the_budget_of_presses() -> None:
    found = asking_summary(
        studied(
            curve((20, 0.2), (40, 0.4), (60, 0.6)),  # 40 and 80 and 120 presses
            grouped=(
                curve((20, 0.2), (60, 0.4), (80, 0.5), asking="sequences", presses=1),
                curve((20, 0.1), (200, 0.3), asking="sequences and boards", presses=0.5),
            ),
            budget=80,
        )
    )
    assert found.target.mean == pytest.approx(0.4)
    singles, sequences, boards = found.rows
    assert (singles.presses_to_target, singles.labels_to_target) == ("80", "40")
    assert (sequences.presses_to_target, sequences.labels_to_target) == ("60", "60")
    assert boards.presses_to_target == "not reached"
    assert sequences.macro_f1.mean == pytest.approx(0.5)
    assert sequences.presses_to_label_all.mean == 100
    assert len(found.header()) == len(next(found.cells()))


def test_a_pool_whose_sequences_show_one_species_each_needs_fewer_presses_together() -> None:
    pool = made_up(crops=900, species=3)
    part = split(pool, 0)
    singles, sequences, boards = (
        replay(pool, part, "anything", anything, schedule(200), asking) for asking in ASKINGS
    )
    assert sequences.to_label_all < 0.5 * singles.to_label_all  # of three crops each
    assert boards.to_label_all < sequences.to_label_all
    assert singles.labels[-1] == 200
    assert sequences.presses[-1] >= 200
    assert [one.wrong for one in (singles, sequences, boards)] == [0, 0, 0]


def test_a_person_who_keeps_wrong_suggestions_gives_wrong_labels_with_fewer_presses() -> None:
    pool = made_up(crops=900, species=3)
    part = split(pool, 0)
    attentive, careless = (
        replay(pool, part, "anything", anything, schedule(200), replace(SINGLES, overlooked=share))
        for share in (0, 1)
    )
    assert attentive.wrong == 0
    assert careless.wrong > 0
    assert careless.presses[-1] < attentive.presses[-1]
    unbiased = replace(SINGLES, overlooked=1, suggest_from=1.1)  # nothing is suggested
    assert replay(pool, part, "anything", anything, schedule(200), unbiased).wrong == 0
