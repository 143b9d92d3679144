"""How likely each label is wrong, from what a head says of it that did not learn from it.

A label that the head calls unlikely is a mistake, or a crop that the head does not understand. The share of
labels that the head cannot explain is estimated from the labels themselves, and some of it is expected
where every label is right. So a few labels accuse nobody, and the probabilities add up to the number of
mistakes (benchmarks/label_review.py compares both).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Doubles, Floats, Ints

LISTED_FROM = 0.4  # a label is expected to be wrong from this probability
# What is known of any project before its labels are seen. Chosen on fish, plankton and digits with known
# mistakes: right labels are hardly ever listed, and as many are expected to be wrong as are.
UNLIKE = 0.25  # examples' worth of crops of a species that are unlike all that the head saw of it
UNEXPLAINED = 0.003  # mean share of right labels that the head cannot explain beyond that (exponential)
MISTAKES = 0.03  # mean share of wrong labels where there are any (exponential)
NO_MISTAKES = 0.5  # probability that all labels are right, however many there are
SHARES = np.concatenate([[1e-4], np.geomspace(5e-4, 0.4, 50)])  # of labels that the head cannot explain
# Wrong labels make a head too modest, because its temperature is fitted to them: sharpening mends that.
SHARPNESS = np.exp(np.linspace(-0.6, 1.2, 10))
SHARPNESS_SPREAD = 0.35  # of its logarithm, around 0


def error_probabilities(held_out: Floats, labels: Ints, folds: Ints) -> Doubles:
    """The probability (N,) that each label is wrong.

    `held_out` (N, C) are the calibrated probabilities of each row by a head that learned from all `folds`
    (N,) but the row's, 0 for a class that this head does not have; `labels` (N,) is the column of each row's
    label. A row whose head does not have the row's own class gets 0: there is no evidence against its label.

    Labels are a mixture of what the head predicts, sharpened, and of any other class with equal probability.
    A head that saw few examples of a class is not sure what else belongs to it, whatever it says. Share and
    sharpness are averaged over their posterior; the prior of the share is that of the sum of mistakes and of
    what the head cannot explain, and the mistakes' part of it is what is expected given the sum. People who
    always take one species for another teach it to the head: such labels are not found.
    """
    found = np.zeros(len(labels))
    comparable = np.flatnonzero(held_out[np.arange(len(labels)), labels] > 0)
    if held_out.shape[1] < 2 or not len(comparable):
        return found
    rows = held_out[comparable], labels[comparable], _unlike(labels, folds, held_out.shape[1])[comparable]
    log_prior, mistakes = _share_prior()
    log_likelihood = np.empty((len(SHARPNESS), len(SHARES)))
    for place, mixture in enumerate(_mixtures(*rows)):
        prior = log_prior - (np.log(mixture.sharpness) / SHARPNESS_SPREAD) ** 2 / 2
        log_likelihood[place] = np.log(mixture.of_labels()).sum(axis=1) + prior
    posterior = np.exp(log_likelihood - log_likelihood.max())
    posterior *= mistakes / posterior.sum()
    for weights, mixture in zip(posterior, _mixtures(*rows), strict=True):
        found[comparable] += weights @ (mixture.of_others() / mixture.of_labels())
    return found


def expected_errors(probabilities: Doubles) -> list[int]:
    """The rows whose label is expected to be wrong, most probable first."""
    rows = np.flatnonzero(probabilities >= LISTED_FROM)
    return [int(row) for row in rows[np.argsort(-probabilities[rows], kind="stable")]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Mixture:
    """The probability of each label by the head, and by an unknown cause that names any other class."""

    sharpness: float
    head: Doubles  # (N,)
    other: Doubles  # (N,)

    def of_others(self) -> Doubles:
        """(S, N): of the unknown cause, for each of SHARES."""
        shares: Doubles = SHARES[:, None] * self.other
        return shares

    def of_labels(self) -> Doubles:
        """(S, N): of both."""
        return np.maximum((1 - SHARES)[:, None] * self.head + self.of_others(), np.finfo(np.float64).tiny)


def _mixtures(held_out: Floats, labels: Ints, unlike: Doubles) -> Iterator[_Mixture]:
    """The mixture for each of SHARPNESS."""
    own = np.arange(len(labels)), labels
    with np.errstate(divide="ignore"):
        logits = np.log(held_out, dtype=np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    for sharpness in SHARPNESS:
        shares = np.exp(sharpness * logits)
        head = (shares[own] / shares.sum(axis=1) + unlike[own]) / (1 + unlike.sum(axis=1))
        yield _Mixture(sharpness=float(sharpness), head=head, other=(1 - head) / (held_out.shape[1] - 1))


def _unlike(labels: Ints, folds: Ints, classes: int) -> Doubles:
    """(N, C): how often a crop is of each class and unlike all that the row's head saw of the class.

    By the rule of succession: the class's share of the labels, and of it what one more example is worth
    beside those that the head saw.
    """
    per_fold = np.zeros((int(folds.max()) + 1, classes))
    np.add.at(per_fold, (folds, labels), 1)
    every = per_fold.sum(axis=0)
    seen = every - per_fold
    unlike: Doubles = (UNLIKE * every / len(labels) / (seen + 1))[folds]
    return unlike


def _share_prior() -> tuple[Doubles, Doubles]:
    """For each of SHARES: the logarithm of its prior weight, and which part of it is expected to be mistakes.

    With all labels right, the share is what the head cannot explain; else mistakes come on top. Both are
    exponential, so the density of their sum and the mean of one given the sum have closed forms.
    """
    unexplained, mistakes = 1 / UNEXPLAINED, 1 / MISTAKES
    difference = unexplained - mistakes
    all_right = NO_MISTAKES * unexplained * np.exp(-unexplained * SHARES)
    scale = (1 - NO_MISTAKES) * unexplained * mistakes * np.exp(-mistakes * SHARES)
    lost = np.exp(-difference * SHARES)
    some_wrong = scale * (1 - lost) / difference
    weighted = scale * (SHARES / difference - (1 - lost) / difference**2)
    density = all_right + some_wrong
    return np.log(density * np.gradient(SHARES)), weighted / density / SHARES
