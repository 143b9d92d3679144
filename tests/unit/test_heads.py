"""Heads: right against scikit-learn, calibrated, honest with few labels, and never judged on a leak."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import heads
from pipeline.errors import EmbedderError, ModelError
from pipeline.heads import discriminant
from pipeline.heads.calibration import calibration_error, log_loss, scale, temperature
from pipeline.heads.evaluation import evaluate
from pipeline.heads.folds import grouped
from pipeline.heads.linear import normalised, softmax
from pipeline.heads.logistic import path
from pipeline.heads.pooling import pooled
from pipeline.statistics import effective_size, wilson


def labelled(
    rows: int, classes: int = 4, dimension: int = 16, spread: float = 1.0, seed: int = 0, sites: int = 5
) -> heads.Examples:
    """Gaussian classes in bursts of three at `sites` places."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dimension)) * 2
    y = rng.integers(0, classes, rows)
    return heads.Examples(
        embeddings=(centres[y] + spread * rng.normal(size=(rows, dimension))).astype(np.float16),
        labels=(y * 10).tolist(),
        sequences=[f"burst {row // 3}" for row in range(rows)],
        locations=[f"site {row * sites // rows}" for row in range(rows)],
        names={one * 10: f"species {one}" for one in range(classes)},
    )


def some(examples: heads.Examples, rows: list[int]) -> heads.Examples:
    return heads.Examples(
        embeddings=examples.embeddings[rows],
        labels=[examples.labels[row] for row in rows],
        sequences=[examples.sequences[row] for row in rows],
        locations=[examples.locations[row] for row in rows],
        names=examples.names,
    )


def test_a_merged_category_has_the_sum_of_the_probabilities() -> None:
    examples = labelled(200)
    head = heads.fit(examples, embedder="e").head
    assert head.classes == [0, 10, 20, 30]
    merged = head.merged({0: 30, 10: 40})  # 0 joins 30, and 10 is called 40
    before, after = head.probabilities(examples.embeddings), merged.probabilities(examples.embeddings)
    assert merged.classes == [20, 30, 40]
    np.testing.assert_allclose(after[:, 0], before[:, 2], rtol=1e-6)
    np.testing.assert_allclose(after[:, 1], before[:, 0] + before[:, 3], rtol=1e-6)
    np.testing.assert_allclose(after[:, 2], before[:, 1], rtol=1e-6)
    again = merged.merged({40: 20}).probabilities(examples.embeddings)
    np.testing.assert_allclose(again[:, 0], before[:, 1] + before[:, 2], rtol=1e-6)
    assert head.merged({7: 8}) is head


@pytest.mark.parametrize(("rows", "dimension"), [(300, 12), (40, 64)])
def test_the_minimiser_is_that_of_scikit_learn(rows: int, dimension: int) -> None:
    from sklearn.linear_model import LogisticRegression

    examples = labelled(rows, dimension=dimension)
    x = normalised(examples.embeddings)
    y = np.array(examples.labels) // 10
    penalties = (0.3, 0.03, 0.003)
    variance = float(np.square(x - x.mean(axis=0)).sum() / x.size)
    for penalty, affine in zip(penalties, path(x, y, 4, penalties), strict=True):
        rival = LogisticRegression(C=1 / (penalty * variance * rows), tol=1e-6, max_iter=5000).fit(x, y)
        np.testing.assert_allclose(softmax(affine(x)), rival.predict_proba(x), atol=5e-3)


@pytest.mark.parametrize(("rows", "dimension"), [(300, 12), (40, 64), (8, 64)])
def test_the_discriminant_is_that_of_its_formula(rows: int, dimension: int) -> None:
    examples = labelled(rows, dimension=dimension)
    x = normalised(examples.embeddings).astype(np.float64)
    classes, y = np.unique(examples.labels, return_inverse=True)
    means = np.array([x[y == one].mean(axis=0) for one in range(len(classes))])
    within = (x - means[y]).T @ (x - means[y]) + 10 * x.var(axis=0).mean() * np.eye(dimension)
    within /= rows - len(classes) + 10
    for shrinkage in (0.9, 0.3, 0.1):
        mixed = (1 - shrinkage) * within + shrinkage * np.trace(within) / dimension * np.eye(dimension)
        away = x[:, None] - means
        expected = np.log(np.bincount(y) / rows) - 0.5 * np.einsum(
            "ijk,ijk->ij", away, np.linalg.solve(mixed, away.reshape(-1, dimension).T).T.reshape(away.shape)
        )
        affine = next(discriminant.path(x.astype(np.float32), y, len(classes), [shrinkage]))
        found = affine(x.astype(np.float32))
        np.testing.assert_allclose(
            found - found.mean(axis=1, keepdims=True),
            expected - expected.mean(axis=1, keepdims=True),
            rtol=2e-3,
            atol=2e-2,
        )


def test_with_many_labels_the_discriminant_is_that_of_scikit_learn() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    examples = labelled(2000, dimension=12, spread=2.0)
    x, y = normalised(examples.embeddings), np.array(examples.labels) // 10
    rival = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(x, y)
    ours = softmax(next(discriminant.path(x, y, 4, [0.3]))(x))
    np.testing.assert_allclose(ours, rival.predict_proba(x), atol=0.02)


def test_a_discriminant_of_one_row_a_class_says_the_nearest() -> None:
    x = np.eye(3, 8, dtype=np.float32)
    logits = next(discriminant.path(x, np.arange(3), 3, [0.9]))(x + np.float32(0.1))
    assert logits.argmax(axis=1).tolist() == [0, 1, 2]


def test_the_head_is_the_blend_that_its_recipe_says() -> None:
    examples = labelled(200, spread=3.0)
    fitted = heads.fit(examples, embedder="e")
    head, x = fitted.head, normalised(examples.embeddings)
    y = np.array(examples.labels) // 10
    assert head.penalty is not None
    assert head.shrinkage is not None
    sharp = next(path(x, y, 4, [head.penalty]))(x)
    broad = next(discriminant.path(x, y, 4, [head.shrinkage]))(x)
    mixed = (x @ head.weights.T + head.bias).astype(np.float64)
    columns = np.stack([sharp.ravel(), broad.ravel()], axis=1)
    share, rest = np.linalg.lstsq(columns, mixed.ravel(), rcond=None)[0]
    assert share == pytest.approx(head.logistic_weight, abs=1e-3)
    assert rest >= 0


def test_held_out_answers_are_of_folds_that_had_not_seen_the_row() -> None:
    examples = labelled(90, spread=2.0)
    fitted = heads.fit(examples, embedder="e")
    assert fitted.held_out is not None
    assert fitted.held_out.shape == (90, 4)
    np.testing.assert_allclose(fitted.held_out.sum(axis=1), 1, atol=1e-5)
    said = np.array(fitted.head.classes)[fitted.held_out.argmax(axis=1)]
    assert (said == examples.labels).mean() == pytest.approx(fitted.metrics["accuracy"])


def test_it_learns_what_can_be_learned() -> None:
    examples = labelled(300)
    fitted = heads.fit(some(examples, list(range(200))), embedder="e")
    answers = fitted.head.probabilities(examples.embeddings[200:])
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    said = np.array(fitted.head.classes)[answers.argmax(axis=1)]
    assert (said == np.array(examples.labels)[200:]).mean() > 0.95


@settings(deadline=None, max_examples=20)
@given(st.integers(-5, 5), st.integers(0, 99))
def test_the_length_of_embeddings_does_not_matter(power: int, seed: int) -> None:
    examples = labelled(40, seed=seed)
    longer = heads.Examples(
        embeddings=examples.embeddings.astype(np.float32) * np.float32(2.0**power),
        labels=examples.labels,
        sequences=examples.sequences,
        locations=examples.locations,
    )
    one = heads.fit(examples, embedder="e").head
    other = heads.fit(longer, embedder="e").head
    np.testing.assert_allclose(
        one.probabilities(examples.embeddings), other.probabilities(longer.embeddings), atol=1e-5
    )


def test_the_order_of_the_labels_does_not_move_the_head() -> None:
    examples = labelled(120)
    turned = some(examples, np.random.default_rng(1).permutation(120).tolist())
    x = normalised(examples.embeddings)
    y = np.array(examples.labels) // 10
    turned_y = np.array(turned.labels) // 10
    one = next(path(x, y, 4, [0.01]))(x)
    other = next(path(normalised(turned.embeddings), turned_y, 4, [0.01]))(x)
    np.testing.assert_allclose(softmax(one), softmax(other), atol=2e-3)


def test_doubling_every_label_leaves_the_minimiser_where_it_is() -> None:
    examples = labelled(60)
    x, y = normalised(examples.embeddings), np.array(examples.labels) // 10
    one = next(path(x, y, 4, [0.01]))(x)
    other = next(path(np.tile(x, (2, 1)), np.tile(y, 2), 4, [0.01]))(x)
    np.testing.assert_allclose(softmax(one), softmax(other), atol=2e-3)


def test_one_class_only_gives_a_constant_with_a_doubt_that_shrinks() -> None:
    for rows, sure in ((1, 2 / 3), (8, 9 / 10)):
        examples = some(labelled(50, classes=1), list(range(rows)))
        fitted = heads.fit(examples, embedder="e")
        answers = fitted.head.probabilities(examples.embeddings)
        np.testing.assert_allclose(answers, sure, rtol=1e-5)
        assert fitted.head.classes == [0]
        assert fitted.metrics["held_out_by"] is None
        assert "accuracy" not in fitted.metrics


def test_two_labels_of_two_species_are_enough_for_a_head() -> None:
    examples = labelled(50)
    other = next(row for row in range(50) if examples.labels[row] != examples.labels[0])
    two = some(examples, [0, other])
    fitted = heads.fit(two, embedder="e")
    said = fitted.head.probabilities(two.embeddings).argmax(axis=1)
    assert [fitted.head.classes[one] for one in said] == two.labels
    assert fitted.metrics["accuracy"] == 0.0  # each was unknown to the fold that held it out
    assert fitted.metrics["unknown"] == 2
    assert fitted.metrics["log_loss"] is None


def test_a_species_with_one_label_is_learned_and_counts_as_missed() -> None:
    examples = labelled(61, classes=3)
    lone = heads.Examples(
        embeddings=np.vstack([examples.embeddings, -20 * np.ones((1, 16), np.float16)]),
        labels=[*examples.labels, 990],
        sequences=[*examples.sequences, "lone"],
        locations=[*examples.locations, "site 0"],
        names={**examples.names, 990: "lone"},
    )
    fitted = heads.fit(lone, embedder="e")
    answer = fitted.head.probabilities(lone.embeddings[-1:])
    assert fitted.head.classes[int(answer.argmax())] == 990
    assert fitted.metrics["classes"]["lone"] == {"labels": 1, "recall": 0.0, "precision": None}
    assert fitted.metrics["unknown"] == 1


def test_no_label_at_all_is_refused() -> None:
    with pytest.raises(ModelError, match="at least one label"):
        heads.fit(some(labelled(3), []), embedder="e")


def test_identical_embeddings_give_the_shares_of_the_labels() -> None:
    rows = 40
    examples = heads.Examples(
        embeddings=np.ones((rows, 8), np.float16),
        labels=[1] * 30 + [2] * 10,
        sequences=[str(row) for row in range(rows)],
        locations=[None] * rows,
    )
    answers = heads.fit(examples, embedder="e").head.probabilities(examples.embeddings)
    np.testing.assert_allclose(answers[0], [0.75, 0.25], atol=0.1)


def test_embeddings_of_another_embedder_are_refused() -> None:
    head = heads.fit(labelled(30), embedder="squirrel").head
    with pytest.raises(EmbedderError, match="squirrel, not of badger"):
        head.require("badger", 16)
    with pytest.raises(EmbedderError, match="dimension 16, not 17"):
        head.probabilities(np.ones((2, 17), np.float32))


def groups_of(keys: list[str | None], fold_of: npt.NDArray[np.intp]) -> dict[str | None, set[int]]:
    found: dict[str | None, set[int]] = defaultdict(set)
    for key, fold in zip(keys, fold_of, strict=True):
        found[key].add(int(fold))
    return found


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["a", "b", "c", None])), min_size=2),
    st.integers(0, 9),
)
def test_folds_never_part_a_group(rows: list[tuple[int, str | None]], seed: int) -> None:
    sequences = [f"{place} {number}" for number, place in rows]
    locations = [place for _, place in rows]
    folds = grouped(sequences, locations, np.random.default_rng(seed))
    assert folds is not None
    keys: dict[str, list[str | None]] = {
        "location": locations,
        "sequence": list(sequences),
        "detection": [str(row) for row in range(len(rows))],
    }
    held = groups_of(keys[folds.held_out_by], folds.of)
    assert all(len(found) == 1 for found in held.values())
    assert len(held) == folds.groups
    assert set(folds.of.tolist()) == set(range(folds.count))
    if folds.held_out_by == "location":
        assert all(len(found) == 1 for found in groups_of(list(sequences), folds.of).values())


@pytest.mark.parametrize(
    ("sequences", "locations", "held_out_by"),
    [
        (["s", "s", "t"], ["here", "here", "there"], "location"),
        (["s", "s", "t"], ["here", "here", "here"], "sequence"),
        (["s", "s", "t"], [None, None, None], "sequence"),
        (["s", "s", "s"], ["here", "here", "here"], "detection"),
    ],
)
def test_what_is_held_out_is_the_widest_group_there_is(
    sequences: list[str], locations: list[str | None], held_out_by: str
) -> None:
    folds = grouped(sequences, locations, np.random.default_rng(0))
    assert folds is not None
    assert folds.held_out_by == held_out_by


def test_figures_are_of_rows_that_the_fold_had_not_seen() -> None:
    """Labels drawn by lot cannot be foretold, though a head fitted on them knows them by heart."""
    rng = np.random.default_rng(0)
    rows = 90
    examples = heads.Examples(
        embeddings=np.repeat(rng.normal(size=(rows // 3, 200)), 3, axis=0).astype(np.float16),
        labels=np.repeat(rng.integers(0, 2, rows // 3), 3).tolist(),
        sequences=[str(row // 3) for row in range(rows)],
        locations=[None] * rows,
    )
    fitted = heads.fit(examples, embedder="e")
    known = fitted.head.probabilities(examples.embeddings).argmax(axis=1) == examples.labels
    assert known.mean() > 0.95
    assert fitted.metrics["accuracy"] < 0.75
    assert fitted.metrics["held_out_by"] == "sequence"


def test_calibration_lowers_the_log_loss_of_overconfident_logits() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(2000, 5)).astype(np.float32)
    y = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)  # drawn with the softmax's probabilities
    brash = 4 * honest
    degrees = temperature(brash[:1000], y[:1000])
    assert degrees == pytest.approx(4, rel=0.15)
    before, after = brash[1000:], brash[1000:] / np.float32(degrees)
    assert log_loss(after, y[1000:]) < log_loss(before, y[1000:]) - 0.3
    errors = [
        calibration_error(softmax(logits).max(axis=1), logits.argmax(axis=1) == y[1000:])
        for logits in (before, after)
    ]
    assert errors[1] < errors[0] / 3


def test_a_handful_of_rows_does_not_make_the_head_sure_of_itself() -> None:
    logits = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    assert 0.5 < temperature(logits, np.array([0, 1, 0])) < 1


def test_logits_of_a_foreign_unit_are_scaled_to_what_they_are_worth() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(2000, 5)).astype(np.float32)
    y = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)
    assert scale(300 * honest, y) == pytest.approx(300, rel=0.15)


def test_a_class_that_calibration_rows_lack_does_no_harm() -> None:
    logits = np.array([[2, 0, -np.inf], [0, 1, -np.inf], [1, 0.5, 0]], np.float32)
    assert np.isfinite(temperature(logits, np.array([0, 1, 0])))


def test_figures_agree_with_a_table_worked_by_hand() -> None:
    logits = np.log(np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]], np.float32))
    figures = evaluate(logits, np.array([0, 1, 1, 0]), ["a", "b", "c", "d"], ["ant", "bee"])
    assert figures["accuracy"] == 0.75
    assert figures["classes"]["ant"] == {"labels": 2, "recall": 1.0, "precision": pytest.approx(2 / 3)}
    assert figures["classes"]["bee"] == {"labels": 2, "recall": 0.5, "precision": 1.0}
    assert figures["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    expected = -np.log([0.8, 0.4, 0.7, 0.9]).mean()
    assert figures["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert figures["ece"] == pytest.approx((0.2 + 0.6 + 0.3 + 0.1) / 4, rel=1e-5)


def test_the_interval_is_the_one_in_the_textbook() -> None:
    assert wilson(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_a_burst_that_agrees_with_itself_counts_once() -> None:
    correct = np.repeat([True, False, True, True, False, True, True, True], 5)
    bursts = [str(row // 5) for row in range(40)]
    assert effective_size(correct, bursts) == pytest.approx(8, abs=1)
    assert effective_size(correct, [str(row) for row in range(40)]) == pytest.approx(40, abs=1.1)
    assert effective_size(np.ones(40, np.bool_), bursts) == 8


def test_a_burst_answers_with_the_mean_of_its_log_probabilities() -> None:
    single = np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], np.float32)
    together = pooled(single, np.array([7, 3, 7, 3]))
    seven = np.sqrt([0.8 * 0.5, 0.2 * 0.5])
    three = np.sqrt([0.2 * 0.9, 0.8 * 0.1])
    np.testing.assert_allclose(together[0], seven / seven.sum(), rtol=1e-5)
    np.testing.assert_allclose(together[1], three / three.sum(), rtol=1e-5)
    assert np.array_equal(together[[0, 1]], together[[2, 3]])


def test_a_crop_alone_in_its_burst_says_what_it_said() -> None:
    single = np.random.default_rng(0).dirichlet(np.ones(3), 5).astype(np.float32)
    np.testing.assert_allclose(pooled(single, np.arange(5)), single, atol=1e-6)
    certain = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(pooled(certain, np.zeros(2, np.intp))[0], [0.5, 0.5, 0], atol=1e-6)
    alone = np.array([[0.75]], np.float32)
    assert pooled(alone, np.zeros(1, np.intp))[0, 0] == np.float32(0.75)


def test_training_imports_no_torch() -> None:
    code = (
        "import sys, numpy as np; from pipeline import heads\n"
        "e = heads.Examples(embeddings=np.eye(6), labels=[1, 2] * 3, sequences=list('abcdef'),\n"
        "                   locations=[None] * 6)\n"
        "heads.fit(e, embedder='e'); assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
