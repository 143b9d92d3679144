"""One strategy on one split: rounds of labels from the truth, each followed by a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline import heads
from pipeline.acquisition.audit import EVERY
from pipeline.acquisition.baselines.strategies import DEFAULT
from pipeline.acquisition.round import Round, Strategy
from pipeline.simulation.curve import Curve, Point, judge
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.split import Ints, Split


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many labels come before the first head, between one head and the next, and in all."""

    first: int
    wanted: Callable[[int], int]  # new labels until the next head, of those that the last one knew
    budget: int


def replay(pool: LabelledPool, split: Split, name: str, strategy: Strategy, schedule: Schedule) -> Curve:
    """The curve of `strategy`, to the end of the budget or of the open crops.

    As in operation, every tenth label of the default is drawn at random for the audit, and no head learns
    from it. All chance comes from the split's seed. Raises ValueError where the strategy chooses other than
    as many distinct candidates as it was asked for.
    """
    return _Replay(pool, split, name, strategy).run(schedule)


class _Replay:
    """The open crops under row numbers of their own: no strategy can look at the test part."""

    def __init__(self, pool: LabelledPool, split: Split, name: str, strategy: Strategy) -> None:
        self.split, self.name, self.strategy = split, name, strategy
        self.test, self.truth = pool.embeddings[split.test], pool.species[split.test]
        self.embeddings, self.species = pool.embeddings[split.open], pool.species[split.open]
        self.sequences, self.locations = pool.sequences[split.open], pool.locations[split.open]
        self.rng = np.random.default_rng(split.seed)
        self.learned: Ints = np.zeros(0, np.intp)
        self.audited: Ints = np.zeros(0, np.intp)  # labelled, and never learned from

    def run(self, schedule: Schedule) -> Curve:
        total = min(schedule.budget, len(self.species))
        self._label(min(schedule.first, total), None)
        points = []
        while True:
            fitted = self._fitted()
            points.append(self._point(fitted))
            known = len(self.learned) + len(self.audited)
            if known >= total:
                return Curve(
                    strategy=self.name,
                    seed=self.split.seed,
                    points=tuple(points),
                    open_species=self.split.open_species,
                )
            self._label(min(schedule.wanted(known), total - known), fitted)

    def _label(self, wanted: int, fitted: heads.Fitted | None) -> None:
        """Label that many rows more: those that the strategy chooses, and the audit's share."""
        waiting = np.setdiff1d(np.arange(len(self.species)), [*self.learned, *self.audited])
        if self.name == DEFAULT:
            drawn = self.rng.permutation(waiting)[: wanted // EVERY]
            self.audited = np.concatenate([self.audited, drawn])
            waiting = np.setdiff1d(waiting, drawn)
            wanted -= len(drawn)
        self.learned = np.concatenate([self.learned, self._asked(waiting, wanted, fitted)])

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

    def _asked(self, candidates: Ints, wanted: int, fitted: heads.Fitted | None) -> Ints:
        """The rows that the strategy wants labelled next."""
        probabilities = answer = None
        labels: Ints = np.zeros(0, np.intp)
        if fitted is not None:
            answer = fitted.head.probabilities
            probabilities = answer(self.embeddings[candidates])
            labels = np.searchsorted(fitted.head.classes, self.species[self.learned])
        found = self.strategy(
            Round(
                embeddings=self.embeddings,
                candidates=candidates,
                labelled=self.learned,
                labels=labels,
                sequences=self.sequences[candidates],
                probabilities=probabilities,
                answer=answer,
            ),
            wanted,
            self.rng,
        )
        if len(np.intersect1d(found, candidates)) != wanted or len(found) != wanted:
            raise ValueError(f"{self.name} chose other than {wanted} distinct candidates")
        return found

    def _point(self, fitted: heads.Fitted) -> Point:
        said = fitted.head.answers(self.test)
        return Point(
            labels=len(self.learned) + len(self.audited),
            figures=judge(self.truth, said, self.split.judged, self.split.rare),
            classes_seen=len(np.unique(self.species[[*self.learned, *self.audited]])),
        )
