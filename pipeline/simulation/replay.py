"""One strategy on one split: rounds of known labels, each followed by training a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline import heads
from pipeline.acquisition.audit import EVERY
from pipeline.acquisition.round import Round, Strategy
from pipeline.arrays import Ints
from pipeline.simulation.curve import Curve, Point, judge
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.split import Split

DEFAULT = "default"  # the strategy of projects, which gives part of the labels to an audit


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many labels come before the first head, between heads, and in total."""

    first: int
    wanted: Callable[[int], int]  # labels of the last head -> new labels until the next
    budget: int


def replay(pool: LabelledPool, split: Split, name: str, strategy: Strategy, schedule: Schedule) -> Curve:
    """The curve of `strategy` until the budget is spent or all open crops are labelled.

    As in a project, the default strategy draws every tenth label at random for the audit, and no head
    learns from it. All randomness comes from the split's seed. Raises ValueError if the strategy returns
    anything else than the requested number of distinct candidates.
    """
    return _Replay(pool, split, name, strategy).run(schedule)


class _Replay:
    """The state of a replay. Open crops have their own row numbers: no strategy can see the test part."""

    def __init__(self, pool: LabelledPool, split: Split, name: str, strategy: Strategy) -> None:
        self.split, self.name, self.strategy = split, name, strategy
        self.test, self.truth = pool.embeddings[split.test], pool.species[split.test]
        self.embeddings, self.species = pool.embeddings[split.open], pool.species[split.open]
        self.sequences, self.locations = pool.sequences[split.open], pool.locations[split.open]
        self.rng = np.random.default_rng(split.seed)
        self.learned: Ints = np.zeros(0, np.intp)
        self.audited: Ints = np.zeros(0, np.intp)  # labelled, but no head learns from them

    def run(self, schedule: Schedule) -> Curve:
        total = min(schedule.budget, len(self.species))
        self._label(min(schedule.first, total), None)
        points = []
        while True:
            fitted = self._fitted()
            points.append(self._point(fitted))
            labels = len(self.learned) + len(self.audited)
            if labels >= total:
                return Curve(
                    strategy=self.name,
                    seed=self.split.seed,
                    points=tuple(points),
                    open_species=self.split.open_species,
                )
            self._label(min(schedule.wanted(labels), total - labels), fitted)

    def _label(self, wanted: int, fitted: heads.Fitted | None) -> None:
        """Label `wanted` more rows: the audit's share, and those that the strategy chooses."""
        waiting = np.setdiff1d(np.arange(len(self.species)), [*self.learned, *self.audited])
        if self.name == DEFAULT:
            drawn = self.rng.permutation(waiting)[: wanted // EVERY]
            self.audited = np.concatenate([self.audited, drawn])
            waiting = np.setdiff1d(waiting, drawn)
            wanted -= len(drawn)
        self.learned = np.concatenate([self.learned, self._chosen(waiting, wanted, fitted)])

    def _fitted(self) -> heads.Fitted:
        rows = self.learned
        return heads.fit(
            heads.Examples(
                embeddings=self.embeddings[rows],
                labels=self.species[rows].tolist(),
                sequences=self.sequences[rows].astype(str).tolist(),
                locations=self.locations[rows].astype(str).tolist(),
            ),
            embedder="simulation",
            seed=self.split.seed,
        )

    def _chosen(self, candidates: Ints, wanted: int, fitted: heads.Fitted | None) -> Ints:
        """The rows that the strategy chooses among `candidates`."""
        probabilities = predict_proba = None
        labels: Ints = np.zeros(0, np.intp)
        if fitted is not None:
            predict_proba = fitted.head.probabilities
            probabilities = predict_proba(self.embeddings[candidates])
            labels = np.searchsorted(fitted.head.classes, self.species[self.learned])
        rows = self.strategy(
            Round(
                embeddings=self.embeddings,
                candidates=candidates,
                labelled=self.learned,
                labels=labels,
                sequences=self.sequences[candidates],
                probabilities=probabilities,
                predict_proba=predict_proba,
            ),
            wanted,
            self.rng,
        )
        if len(np.intersect1d(rows, candidates)) != wanted or len(rows) != wanted:
            raise ValueError(f"{self.name} did not choose {wanted} distinct candidates")
        return rows

    def _point(self, fitted: heads.Fitted) -> Point:
        predicted = fitted.head.predict(self.test)
        return Point(
            labels=len(self.learned) + len(self.audited),
            figures=judge(self.truth, predicted, self.split.judged, self.split.rare),
            classes_seen=len(np.unique(self.species[[*self.learned, *self.audited]])),
        )
