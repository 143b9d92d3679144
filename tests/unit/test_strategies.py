"""Query strategies: right on pools worked by hand, valid and steady on any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skactiveml import pool as rivals
from skactiveml.base import SkactivemlClassifier

from pipeline.acquisition.baselines.badge import Gradients, badge
from pipeline.acquisition.baselines.cluster_margin import cluster_margin
from pipeline.acquisition.baselines.drop_query import drop_query
from pipeline.acquisition.baselines.falcun import falcun
from pipeline.acquisition.baselines.k_center import k_center
from pipeline.acquisition.baselines.kmeans import nearest
from pipeline.acquisition.baselines.typiclust import typiclust
from pipeline.acquisition.baselines.uncertainty import entropy, least_confidence, margin, power_margin, random
from pipeline.acquisition.geometry import squared_distances
from pipeline.acquisition.measures import margin as margin_of
from pipeline.acquisition.round import Round, Strategy
from pipeline.arrays import Embeddings, Floats, unit

SETTLED: list[Strategy] = [least_confidence, margin, entropy, k_center]  # no chance in it but for ties
STRATEGIES = [*SETTLED, random, power_margin, badge, typiclust, cluster_margin, drop_query, falcun]
every = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.__name__)


def module(name: str) -> ModuleType:
    """Under the name of a module the package may show its function."""
    return import_module(f"pipeline.acquisition.baselines.{name}")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def head(rows: Embeddings) -> Floats:
    """Four classes along the first four axes."""
    odds = np.exp(4 * unit(rows)[:, :4])
    probabilities: Floats = odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def pool(embeddings: Embeddings, labelled: list[int] | None = None, **more: Any) -> Round:
    """A round where all that is not labelled may be asked for; `head` predicts by default."""
    known = np.array(labelled or [], np.intp)
    candidates = np.setdiff1d(np.arange(len(embeddings)), known)
    given: dict[str, Any] = {
        "embeddings": embeddings,
        "candidates": candidates,
        "labelled": known,
        "labels": known % 4,
        "sequences": candidates,
        "probabilities": head(embeddings[candidates]),
        "predict_proba": head,
    }
    return Round(**{**given, **more})


def beliefs(*rows: list[float]) -> Round:
    """A round of these probabilities, on embeddings that are all different."""
    return pool(np.eye(len(rows), dtype=np.float16), probabilities=np.array(rows, np.float32))


def crops(rows: int, dimension: int = 8, seed: int = 0) -> Floats:
    return rng(seed).normal(size=(rows, dimension)).astype(np.float32)


def groups(*sizes: int, spread: float = 0.02, seed: int = 0) -> Floats:
    """So many crops around the first axis, so many around the second, and so on."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return (np.eye(len(sizes), 8)[group] + spread * crops(len(group), seed=seed)).astype(np.float32)


def test_doubt_comes_first() -> None:
    state = beliefs([0.5, 0.25, 0.25], [0.98, 0.01, 0.01], [0.48, 0.47, 0.05], [0.34, 0.34, 0.32])
    assert least_confidence(state, 4, rng()).tolist() == [3, 2, 0, 1]
    assert margin(state, 3, rng()).tolist()[2:] == [0]
    assert set(margin(state, 2, rng()).tolist()) == {2, 3}
    assert entropy(state, 4, rng()).tolist() == [3, 0, 2, 1]


@pytest.mark.parametrize("strategy", [least_confidence, margin, entropy])
def test_equal_doubts_come_in_random_order(strategy: Strategy) -> None:
    state = beliefs(*[[0.5, 0.5]] * 4, [1, 0])
    assert {int(strategy(state, 1, rng(seed))[0]) for seed in range(50)} == {0, 1, 2, 3}
    assert strategy(state, 5, rng())[4] == 4


def test_power_sampling_draws_in_proportion_to_doubt() -> None:
    state = beliefs([0.8, 0.2], [0.6, 0.4], [1, 0])  # 1 - margin is 0.4, 0.8, 0
    picks = np.array([power_margin(state, 3, rng(seed)) for seed in range(2000)])
    assert (picks[:, 0] == 1).mean() == pytest.approx(2 / 3, abs=0.04)
    assert (picks[:, 2] == 2).all()


def test_k_center_takes_the_farthest() -> None:
    angles = np.deg2rad([0, 12, 90, 172, 180])
    state = pool(np.stack([np.cos(angles), np.sin(angles)], axis=1), [0])
    assert k_center(state, 9, rng()).tolist() == [4, 2, 1, 3]


def test_badge_asks_each_kind_of_doubt_once() -> None:
    """Two doubtful groups, and one that the head is sure of: its gradients are all zero."""
    sure, torn = [1.0, 0.0], [0.5, 0.5]
    state = pool(groups(20, 20, 20), probabilities=np.array([torn] * 40 + [sure] * 20, np.float32))
    for seed in range(20):
        picks = badge(state, 3, rng(seed))
        assert sorted(picks // 20) == [0, 1, 2]
        assert picks[0] < 40


def test_typiclust_takes_the_typical_of_what_nobody_labelled_largest_first() -> None:
    embeddings = groups(30, 20, 10)
    embeddings[[35, 55]] += 0.3  # outliers
    picks = typiclust(pool(embeddings, [0]), 2, rng()).tolist()
    assert [30 <= picks[0] < 50, 50 <= picks[1] < 60] == [True, True]
    assert not {35, 55} & set(picks)


def test_typiclust_asks_each_cluster_before_it_asks_one_twice() -> None:
    picks = typiclust(pool(groups(1, 9, 5), [0]), 2, rng())
    assert [picks[0] in range(1, 10), picks[1] in range(10, 15)] == [True, True]


def test_cluster_margin_takes_the_least_certain_of_each_cluster_smallest_first() -> None:
    doubt = np.linspace(0.99, 0.51, 12, dtype=np.float32)  # the last of each group is the least certain
    state = pool(groups(6, 4, 2), probabilities=np.stack([doubt, 1 - doubt], axis=1))
    assert cluster_margin(state, 3, rng()).tolist() == [11, 9, 5]


def test_cluster_margin_asks_nothing_far_from_the_lowest_margins() -> None:
    state = pool(crops(200))
    assert state.probabilities is not None
    low = np.argsort(margin_of(state.probabilities))[:20]
    assert np.isin(cluster_margin(state, 2, rng()), low).all()


def bright(rows: Embeddings) -> Floats:
    """One of two classes by whether most entries are above 0: dropout takes the first one away."""
    most = (np.asarray(rows) > 0).mean(axis=1) > 0.9
    return np.stack([most, ~most], axis=1).astype(np.float32)


def shades(*sizes: int) -> Floats:
    """Groups of `bright` crops, then ten that are not and that dropout does not make so."""
    centres = rng().uniform(0.1, 1, (len(sizes), 64))
    group = np.repeat(np.arange(len(sizes)), sizes)
    lit = centres[group] + rng(1).uniform(0, 0.05, (len(group), 64))
    return np.concatenate([lit, -rng(2).uniform(0.1, 1, (10, 64))]).astype(np.float32)


def test_drop_query_asks_one_of_each_group_whose_label_changes_largest_first() -> None:
    embeddings = shades(12, 8, 4)
    state = pool(embeddings, probabilities=bright(embeddings), predict_proba=bright)
    group = np.searchsorted([12, 20, 24], drop_query(state, 3, rng()), side="right")
    assert group.tolist() == [0, 1, 2]


def test_drop_query_fills_up_with_what_did_not_change() -> None:
    embeddings = shades(3)
    state = pool(embeddings, probabilities=bright(embeddings), predict_proba=bright)
    picks = drop_query(state, 6, rng()).tolist()
    assert set(picks[:3]) == {0, 1, 2}
    assert len(set(picks)) == 6


def test_falcun_does_not_ask_the_same_answer_twice() -> None:
    state = beliefs([0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0])
    picks = [sorted(falcun(state, 2, rng(seed)).tolist()) for seed in range(100)]
    assert sum(pair in ([0, 2], [1, 2]) for pair in picks) > 95


@every
@settings(deadline=None, max_examples=15)
@given(st.integers(1, 40), st.integers(0, 8), st.integers(1, 50), st.integers(0, 999))
def test_picks_are_distinct_candidates_as_many_as_asked_for(
    strategy: Strategy, rows: int, labelled: int, k: int, seed: int
) -> None:
    state = pool(
        crops(rows + labelled, seed=seed), rng(seed).permutation(rows + labelled)[:labelled].tolist()
    )
    waiting = rng(seed).permutation(state.candidates)[: max(1, rows // 2)]  # some may not be asked for
    state = dataclasses.replace(
        state, candidates=waiting, probabilities=head(state.embeddings[waiting]), sequences=waiting
    )
    picks = strategy(state, k, rng(seed))
    assert len(set(picks.tolist())) == len(picks) == min(k, len(waiting))
    assert np.isin(picks, waiting).all()
    assert strategy(state, k, rng(seed)).tolist() == picks.tolist()


@every
@settings(deadline=None, max_examples=10)
@given(st.integers(-6, 6), st.integers(0, 99))
def test_the_length_of_embeddings_does_not_matter(strategy: Strategy, power: int, seed: int) -> None:
    embeddings = crops(60, seed=seed)
    scaled = embeddings * np.float32(2.0**power)  # a power of two: no rounding
    picks = [strategy(pool(one, [3, 5]), 10, rng(seed)).tolist() for one in (embeddings, scaled)]
    assert picks[0] == picks[1]


@every
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99))
def test_where_a_row_lies_in_the_pool_does_not_matter(strategy: Strategy, seed: int) -> None:
    state = pool(crops(60, seed=seed), [3, 5, 40])
    turn = rng(seed).permutation(60)  # row r moves to place[r]
    place = np.argsort(turn)
    moved = dataclasses.replace(
        state,
        embeddings=state.embeddings[turn],
        candidates=place[state.candidates],
        labelled=place[state.labelled],
    )
    assert turn[strategy(moved, 10, rng(seed))].tolist() == strategy(state, 10, rng(seed)).tolist()


@pytest.mark.parametrize("strategy", SETTLED, ids=lambda one: one.__name__)
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99))
def test_neither_the_order_of_candidates_nor_the_seed_matters_where_nothing_is_drawn(
    strategy: Strategy, seed: int
) -> None:
    state = pool(crops(60, seed=seed), [3, 5, 40])
    assert state.probabilities is not None
    turn = rng(seed).permutation(len(state.candidates))
    turned = dataclasses.replace(
        state, candidates=state.candidates[turn], probabilities=state.probabilities[turn]
    )
    assert strategy(turned, 10, rng(1)).tolist() == strategy(state, 10, rng(2)).tolist()


@pytest.mark.parametrize("strategy", [k_center, badge])
@settings(deadline=None, max_examples=20)
@given(st.integers(2, 12), st.integers(2, 6), st.integers(0, 99))
def test_copies_come_after_every_distinct_one(
    strategy: Strategy, distinct: int, copies: int, seed: int
) -> None:
    state = pool(np.tile(crops(distinct, seed=seed), (copies, 1)))
    picks = strategy(state, distinct * copies, rng(seed))
    assert sorted(picks[:distinct] % distinct) == list(range(distinct))


def test_the_lazy_k_center_is_the_greedy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    state = pool(crops(300), [7, 8])
    at_once = k_center(state, 60, rng()).tolist()
    monkeypatch.setattr(module("k_center"), "FARTHEST", 7)
    assert k_center(state, 60, rng()).tolist() == at_once


def explicit(probabilities: Floats, embeddings: Floats) -> Floats:
    """Gradients (N, C * D) as BADGE's paper writes them."""
    residual: Floats = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    return (residual[:, :, None] * embeddings[:, None]).reshape(len(embeddings), -1)


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 99))
def test_factored_gradients_lie_as_far_apart_as_explicit_ones(rows: int, classes: int, seed: int) -> None:
    probabilities = rng(seed).dirichlet(np.ones(classes), rows).astype(np.float32)
    points = crops(rows, seed=seed)
    full = explicit(probabilities, points)
    residual: Floats = probabilities - np.eye(classes, dtype=np.float32)[probabilities.argmax(axis=1)]
    factored = Gradients(residual, points)
    expected = np.square(full[:, None] - full).sum(axis=2)
    np.testing.assert_allclose(factored.squared_norms(), np.square(full).sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(factored.squared_distances(factored), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("proposals", [3, 64])
def test_badge_draws_as_k_means_plus_plus_does(proposals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("badge"), "PROPOSALS", proposals)
    state = pool(crops(8, 4))
    assert state.probabilities is not None
    full = explicit(state.probabilities, unit(state.embeddings))
    between = np.square(full[:, None] - full).sum(axis=2)
    first = int(np.square(full).sum(axis=1).argmax())
    second = between[first] / between[first].sum()
    third = np.zeros(8)
    for row, chance in enumerate(second):
        shrunk = np.minimum(between[first], between[row])
        third += chance * shrunk / shrunk.sum()
    picks = np.array([badge(state, 3, rng(seed)) for seed in range(3000)])
    assert (picks[:, 0] == first).all()
    for number, expected in ((1, second), (2, third)):
        drawn = np.bincount(picks[:, number], minlength=8) / len(picks)
        np.testing.assert_allclose(drawn, expected, atol=0.035)


def worlds() -> dict[str, Round]:
    """Pools at the edges of what can come."""
    some = pool(crops(30), [1, 2, 9])
    count = len(some.candidates)
    vanished = head(some.embeddings[some.candidates])
    vanished[:, 2] = 0
    nobody = np.zeros(0, np.intp)
    return {
        "float16": pool(crops(30).astype(np.float16), [1, 2, 9]),
        "no candidates": pool(crops(3), [0, 1, 2]),
        "nothing at all": pool(crops(0)),
        "no labels": pool(crops(30)),
        "no head": dataclasses.replace(some, probabilities=None, predict_proba=None),
        "no head, no labels": pool(crops(30), probabilities=None, predict_proba=None),
        "no way to ask the head": dataclasses.replace(some, predict_proba=None),
        "identical": pool(np.ones((30, 8), np.float16), [4]),
        "zero": pool(np.zeros((30, 8), np.float16), [4]),
        "one label": pool(crops(30), [4]),
        "one class": dataclasses.replace(
            some,
            probabilities=np.full((count, 1), 2 / 3, np.float32),
            predict_proba=lambda rows: np.full((len(rows), 1), 2 / 3, np.float32),
        ),
        "sure of everything": dataclasses.replace(
            some, probabilities=np.tile(np.eye(4, dtype=np.float32)[0], (count, 1))
        ),
        "no idea": dataclasses.replace(some, probabilities=np.full((count, 4), 0.25, np.float32)),
        "a class without labels": dataclasses.replace(
            some, probabilities=vanished / vanished.sum(axis=1, keepdims=True), labels=np.array([0, 1, 3])
        ),
        "one candidate": dataclasses.replace(
            some, candidates=np.array([20]), probabilities=head(some.embeddings[[20]]), sequences=nobody
        ),
    }


@every
@pytest.mark.parametrize("world", worlds())
@pytest.mark.filterwarnings("error")
def test_any_pool_gives_distinct_candidates(strategy: Strategy, world: str) -> None:
    state = worlds()[world]
    for k in (0, 1, 7, 1000):
        picks = strategy(state, k, rng())
        assert len(set(picks.tolist())) == len(picks) == min(k, len(state.candidates))
        assert np.isin(picks, state.candidates).all()
        assert strategy(state, k, rng()).tolist() == picks.tolist()


def test_before_any_head_a_doubt_is_a_guess() -> None:
    state = pool(crops(30), probabilities=None, predict_proba=None)
    for strategy in (margin, least_confidence, entropy, power_margin, badge, drop_query, falcun):
        assert strategy(state, 9, rng(3)).tolist() == random(state, 9, rng(3)).tolist()


def test_falcun_without_sharpness_is_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("falcun"), "GAMMA", 0.0)
    state = beliefs([0.5, 0.5], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3])
    first = np.bincount([falcun(state, 1, rng(seed))[0] for seed in range(2000)])
    np.testing.assert_allclose(first / 2000, 0.25, atol=0.04)


class Rival(SkactivemlClassifier):  # type: ignore[misc]  # untyped
    """`answer` as scikit-activeml wants a classifier."""

    def __init__(self, answer: Callable[[Embeddings], Floats] = head) -> None:
        super().__init__()
        self.answer = answer

    def fit(self, *_: object) -> Rival:
        return self

    def predict_proba(self, X: Embeddings) -> Floats:
        return self.answer(X).astype(np.float64)

    def predict(self, X: Embeddings) -> Any:
        return self.answer(X).argmax(axis=1)


class Given:
    """Clusters around known centres, in place of k-means: what scikit-activeml calls, and what we call."""

    def __init__(self, n_clusters: int, centres: Floats) -> None:
        assert n_clusters == len(centres)
        self.centres = centres

    def fit_predict(self, X: Embeddings) -> Any:
        return nearest(X.astype(np.float32), self.centres)[0]

    def fit_transform(self, X: Embeddings, y: None = None) -> Any:
        return squared_distances(X.astype(np.float32), self.centres)


def rival_labels(state: Round) -> Any:
    labels = np.full(len(state.embeddings), np.nan)
    labels[state.labelled] = state.labels
    return labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("strategy", "method"),
    [(least_confidence, "least_confident"), (margin, "margin_sampling"), (entropy, "entropy")],
)
def test_doubt_agrees_with_scikit_activeml(strategy: Strategy, method: str, seed: int) -> None:
    state = pool(crops(80, seed=seed), [3, 5])
    query = rivals.UncertaintySampling(method=method, random_state=0).query
    picks = query(state.embeddings, rival_labels(state), Rival(), fit_clf=False, batch_size=15)
    assert strategy(state, 15, rng()).tolist() == picks.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_k_center_agrees_with_scikit_activeml(seed: int) -> None:
    state = pool(unit(crops(80, seed=seed)), [3, 5, 11])
    picks = rivals.CoreSet(random_state=0).query(state.embeddings, rival_labels(state), batch_size=40)
    assert k_center(state, 40, rng()).tolist() == picks.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_badge_agrees_with_scikit_activeml(seed: int) -> None:
    """Same first pick; the second by the same weights, but that it takes the origin for a chosen one."""
    state = pool(unit(crops(80, seed=seed)), [3, 5])
    assert state.probabilities is not None
    picks, chances = rivals.Badge(random_state=0).query(
        state.embeddings, rival_labels(state), Rival(), fit_clf=False, batch_size=2, return_utilities=True
    )
    assert badge(state, 1, rng()).tolist() == picks[:1]
    full = explicit(state.probabilities, state.embeddings[state.candidates])
    norms = np.square(full).sum(axis=1)
    weight = np.minimum(norms, np.square(full - full[norms.argmax()]).sum(axis=1))
    ours = np.where(state.candidates == picks[0], np.nan, weight / weight.sum())
    np.testing.assert_allclose(ours, chances[1][state.candidates], atol=1e-5)


@pytest.mark.parametrize("seed", range(13))
def test_falcun_agrees_with_scikit_activeml(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So sharp that hardly anything is left to chance; compared as long as the rival's draw was certain."""
    monkeypatch.setattr(module("falcun"), "GAMMA", 1000.0)
    state = pool(crops(14, seed=seed), [3, 5])
    picks, chances = rivals.Falcun(gamma=1000, random_state=0).query(
        state.embeddings, rival_labels(state), Rival(), fit_clf=False, batch_size=8, return_utilities=True
    )
    certain = int(np.argmin([*(np.nanmax(chances, axis=1) > 1 - 1e-4), False]))
    assert certain >= 1
    assert falcun(state, 8, rng())[:certain].tolist() == picks[:certain].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_typiclust_agrees_with_scikit_activeml_on_the_same_clusters(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres = np.eye(8, dtype=np.float32)
    monkeypatch.setattr(module("typiclust"), "sampled_kmeans", lambda *_: centres)
    state = pool(unit(groups(9, 40, 12, 7, 31, 5, 2, 1, seed=seed)), [0, 50, 95])
    query = rivals.TypiClust(
        cluster_algo=Given, cluster_algo_dict={"centres": centres}, k=20, random_state=0
    ).query
    picks = query(state.embeddings, rival_labels(state), batch_size=5)
    assert typiclust(state, 5, rng()).tolist() == picks.tolist()


def test_drop_query_agrees_with_scikit_activeml_on_the_same_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same set: scikit-activeml takes the clusters in the order of their numbers."""
    embeddings = unit(shades(12, 8, 4))
    centres = np.stack([embeddings[some].mean(axis=0) for some in (slice(12), slice(12, 20), slice(20, 24))])
    monkeypatch.setattr(module("drop_query"), "sampled_kmeans", lambda *_: centres)
    state = pool(embeddings, probabilities=bright(embeddings), predict_proba=bright)
    query = rivals.DropQuery(cluster_algo=Given, cluster_algo_dict={"centres": centres}, random_state=0).query
    picks = query(embeddings, rival_labels(state), Rival(bright), fit_clf=False, batch_size=3)
    assert set(drop_query(state, 3, rng()).tolist()) == set(picks.tolist())
