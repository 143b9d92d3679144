"""Acceptance: what is promised holds in as many audits as promised, and promising is worth it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline.stopping import Guarantee, guarantee
from pipeline.stopping.acceptance import GRID, p_values, rows_needed

DRAWS = 500


@dataclass(frozen=True, kw_only=True)
class Pool:
    truth: npt.NDArray[np.intp]
    said: npt.NDArray[np.intp]
    probability: npt.NDArray[np.float64]

    def audited(self, rows: npt.NDArray[np.intp], precision: float, confidence: float) -> Guarantee:
        return guarantee(
            self.truth[rows],
            self.said[rows],
            self.probability[rows],
            precision=precision,
            confidence=confidence,
        )

    def kept(self, made: Guarantee) -> bool:
        """Whether every accepted group of the pool is as precise as promised."""
        accepted = made.accepts(self.said, self.probability)
        right = self.truth == self.said
        groups = [accepted & np.isin(self.said, group.classes) for group in made.groups]
        return all(right[group].mean() >= made.precision for group in groups if group.any())


def pool(hardness: float, *, boast: float = 1.0, classes: int = 9, rows: int = 8000, seed: int = 0) -> Pool:
    """Zipfian classes; a row's chance to be right is its class's and luck's; `boast` > 1 overstates it."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, classes + 1) ** 1.3
    said = rng.choice(classes, rows, p=shares / shares.sum())
    odds = rng.normal(3.5 - hardness - 0.15 * said, 1.5)
    chance = 1 / (1 + np.exp(-odds))
    truth = np.where(rng.random(rows) < chance, said, (said + 1) % classes)
    return Pool(truth=truth, said=said, probability=1 / (1 + np.exp(-odds * boast)))


def backwards(rows: int = 8000) -> Pool:
    """The surest answers are the worst ones, and all together just miss 0.95."""
    rng = np.random.default_rng(7)
    said = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    sure = rng.random(rows) < 0.4
    truth = np.where(rng.random(rows) < np.where(sure, 0.935, 0.953), said, 5)
    return Pool(truth=truth, said=said, probability=np.where(sure, 0.9995, 0.93))


@pytest.mark.parametrize(
    ("where", "size", "precision", "confidence"),
    [
        (pool(1.0), 400, 0.95, 0.9),
        (pool(0.7, boast=3.0), 400, 0.95, 0.9),
        (pool(0.5, boast=0.5), 1000, 0.95, 0.8),
        (pool(2.0, boast=2.0), 400, 0.9, 0.8),
        (backwards(), 300, 0.95, 0.8),
    ],
)
def test_every_group_keeps_its_precision_in_as_many_audits_as_promised(
    where: Pool, size: int, precision: float, confidence: float
) -> None:
    rng = np.random.default_rng(11)
    broken = 0
    for _ in range(DRAWS):
        rows = rng.choice(len(where.said), size, replace=False)
        broken += not where.kept(where.audited(rows, precision, confidence))
    slack = 2 * np.sqrt(confidence * (1 - confidence) / DRAWS)
    assert broken / DRAWS <= 1 - confidence + slack


def test_a_good_model_has_most_of_its_labels_accepted() -> None:
    where = pool(-2.0)
    assert (where.truth == where.said).mean() > 0.96
    rng = np.random.default_rng(12)
    shares = []
    for _ in range(100):
        made = where.audited(rng.choice(len(where.said), 600, replace=False), 0.95, 0.9)
        shares.append(made.accepts(where.said, where.probability).mean())
    assert np.mean(shares) > 0.75


def test_a_bad_model_has_nothing_accepted() -> None:
    where = pool(3.5)
    made = where.audited(np.arange(600), 0.95, 0.9)
    assert not made.accepts(where.said, where.probability).any()


def test_p_values_are_those_of_the_exact_test() -> None:
    for right, rows in ((45, 45), (57, 60), (10, 20), (0, 3)):
        exact = binomtest(right, rows, 0.95, alternative="greater").pvalue
        assert p_values(np.array([right]), np.array([rows]), 0.95)[0] == pytest.approx(exact)
    assert rows_needed(0.95, 0.1) == 45
    assert 0.95**45 <= 0.1 < 0.95**44


@pytest.mark.parametrize("seed", range(30))
def test_mapie_finds_the_same_threshold_of_one_group(seed: int) -> None:
    """On the thresholds from the first that we test on: MAPIE starts at the highest of its grid.

    MAPIE gets back the number of wrong rows as n * (wrong / n) rounded up, one too many where the product
    is a hair above it; there its p-value is larger than the exact one. And it starts from the lowest
    threshold where that one has the lower risk in the sample, which is an outcome. So its p-values are
    compared, and its test of fixed sequences on ours; its own thresholds where neither comes in.
    """
    from mapie.risk_control import BinaryClassificationController, BinaryRisk, control_fwer

    rng = np.random.default_rng(seed)
    size = 300
    probability = 1 / (1 + np.exp(-rng.normal(2.8, 1.5, size)))
    right = rng.random(size) < probability ** (0.2 + seed / 40)
    said = np.ones(size, np.intp)
    ours = guarantee(np.where(right, 1, 2), said, probability, precision=0.9, confidence=0.9)
    grid = np.array([one for one in GRID if (probability >= one).sum() >= rows_needed(0.9, 0.1)])[::-1]
    rival = BinaryClassificationController(
        lambda x: np.column_stack([1 - x, x]),
        BinaryRisk(np.not_equal, lambda _, answer: answer == 1, higher_is_better=False),
        0.1,
        confidence_level=0.9,
        best_predict_param_choice="recall",
        list_predict_params=grid,
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing may be accepted
        rival.calibrate(probability, right.astype(int))
    reached = probability[:, None] >= grid
    hits, above = (reached & right[:, None]).sum(axis=0), reached.sum(axis=0)
    mine, theirs = p_values(hits, above, 0.9), np.ravel(rival.p_values)
    same = np.isclose(mine, theirs, rtol=1e-9)
    assert same.mean() > 0.7
    assert (mine <= theirs + 1e-12).all()
    assert (theirs <= p_values(hits - 1, above, 0.9) + 1e-12).all()
    valid = grid[::-1][control_fwer(mine[::-1], 0.1, "fixed_sequence")]
    assert ours.thresholds[1] == (valid.min() if len(valid) else None)
    risk = 1 - hits / above
    if ((mine <= 0.1) == (theirs <= 0.1)).all() and risk[-1] < risk[0]:
        np.testing.assert_array_equal(np.sort(rival.valid_predict_params), np.sort(valid))


def test_the_fixed_sequence_stops_at_the_first_failure() -> None:
    probability = np.repeat([0.9995, 0.96, 0.91], [100, 100, 4000])
    right = np.ones(4200, np.bool_)
    right[100:130] = False  # refuted at 0.95, though all in all more than 0.95 are right
    made = guarantee(np.where(right, 1, 2), np.ones(4200, np.intp), probability)
    (group,) = made.groups
    assert (group.threshold, group.above, group.right) == (0.97, 100, 100)


def test_classes_too_rare_to_pass_alone_are_promised_together() -> None:
    said = np.repeat([1, 2, 3, 4], [200, 30, 30, 30])
    made = guarantee(said, said, np.full(290, 0.9995))
    assert [group.classes for group in made.groups] == [(1,), (2, 3, 4)]
    assert made.thresholds == {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0}
    wrong = np.where(said == 3, 9, said)
    made = guarantee(wrong, said, np.full(290, 0.9995))
    assert made.thresholds == {1: 0.0, 2: None, 3: None, 4: None}
    assert (made.groups[1].above, made.groups[1].right) == (90, 60)


def test_a_pool_too_small_to_pass_costs_the_others_nothing() -> None:
    said = np.repeat([1, 2], [45, 5])  # 45 rows pass alone, and would not if the level were shared
    made = guarantee(said, said, np.full(50, 0.9995))
    assert made.thresholds == {1: 0.0, 2: None}


def test_groups_are_formed_by_counts_and_not_by_outcomes() -> None:
    where = pool(1.0)
    rows = np.arange(400)
    one = where.audited(rows, 0.95, 0.9)
    other = guarantee(np.full(400, 99), where.said[rows], where.probability[rows])
    assert [group.classes for group in one.groups] == [group.classes for group in other.groups]


def test_novel_rows_are_as_if_they_were_not_there() -> None:
    where = pool(-1.0)
    rows = np.arange(500)
    reliable = np.random.default_rng(1).random(500) < 0.7
    one = guarantee(where.truth[rows], where.said[rows], where.probability[rows], reliable=reliable)
    assert one == where.audited(rows[reliable], 0.95, 0.9)


def test_labels_of_classes_that_the_audit_never_saw_predicted_stay_with_people() -> None:
    said = np.full(100, 1)
    made = guarantee(said, said, np.full(100, 0.9995))
    assert made.accepts(np.array([1, 2, 1]), np.array([0.5, 1.0, 0.0])).tolist() == [True, False, True]


def test_single_precision_accepts_what_the_audit_counted() -> None:
    said = np.ones(100, np.intp)
    probability = np.repeat(np.array([0.97, 0.95], np.float32), 50)  # the second a hair under 0.95
    made = guarantee(np.where(np.arange(100) < 50, 1, 2), said, probability)
    assert (made.thresholds, made.groups[0].above) == ({1: 0.95}, 50)
    assert made.accepts(said, probability).sum() == 50


def test_nothing_audited_is_nothing_accepted() -> None:
    nothing = np.zeros(0, np.intp)
    made = guarantee(nothing, nothing, np.zeros(0))
    assert (made.groups, made.thresholds) == ((), {})
    assert made.accepts(np.array([1, 2]), np.array([1.0, 0.9])).tolist() == [False, False]


@pytest.mark.parametrize("rows", [1, 44, 45])
def test_all_right_passes_from_the_fewest_rows_that_can(rows: int) -> None:
    said = np.ones(rows, np.intp)
    assert guarantee(said, said, np.ones(rows)).thresholds == {1: 0.0 if rows >= 45 else None}
    assert guarantee(said + 1, said, np.ones(rows)).thresholds == {1: None}


Rows = list[tuple[int, int, int]]
ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(0, 1000)), max_size=150)


def made_of(rows: Rows, precision: float = 0.6) -> Guarantee:
    """Rows of (class, right unless 0, thousandths)."""
    said = np.array([row[0] for row in rows], np.intp)
    truth = np.array([row[0] if row[1] else 9 for row in rows], np.intp)
    return guarantee(truth, said, np.array([row[2] / 1000 for row in rows]), precision=precision)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: Rows, random: object) -> None:
    turned = rows.copy()
    random.shuffle(turned)  # type: ignore[attr-defined]
    made = made_of(rows)
    assert made_of(turned) == made
    assert set(made.thresholds) == {row[0] for row in rows}


@settings(deadline=None, max_examples=60)
@given(ROWS, st.floats(0.3, 0.85), st.floats(0.3, 0.85))
def test_asking_for_more_precision_never_accepts_more_of_the_same_group(
    rows: Rows, one: float, other: float
) -> None:
    """Of one group whose surest rows are enough for both: else more precision may test other groups."""
    rows = [(1, 1, 1000)] * rows_needed(0.85, 0.1) + [(1, right, sure) for _, right, sure in rows]
    more, less = made_of(rows, max(one, other)), made_of(rows, min(one, other))
    said, probability = np.ones(1001, np.intp), np.arange(1001) / 1000
    assert not (more.accepts(said, probability) & ~less.accepts(said, probability)).any()


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_evidence_bears_out_every_threshold(rows: Rows) -> None:
    made = made_of(rows)
    for group in made.groups:
        inside = [row for row in rows if row[0] in group.classes]
        above = [row for row in inside if row[2] / 1000 >= (group.threshold or 0.0)]
        assert (group.above, group.right) == (len(above), sum(row[1] > 0 for row in above))
        if group.threshold is not None:
            assert group.right / group.above > made.precision
