"""One strategy on one split: rounds of known labels, each followed by training a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline import heads
from pipeline.acquisition.audit import EVERY
from pipeline.acquisition.round import Round, Strategy
from pipeline.arrays import Floats, Ints
from pipeline.simulation.asking import SINGLES, Asking, Waiting, answers, answers_to_all, pressed_alone
from pipeline.simulation.curve import Curve, Point, judge
from pipeline.simulation.labelled_pool import LabelledPool
from pipeline.simulation.split import Split

DEFAULT = "default"  # the strategy of projects, which gives part of the labels to an audit


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many labels come before the first head, between heads, and in total."""

    first: int
    wanted: Callable[[int], int]  # labels of the last head -> new labels until the next
    budget: int  # of labels, and of key presses


def replay(
    pool: LabelledPool,
    split: Split,
    name: str,
    strategy: Strategy,
    schedule: Schedule,
    asking: Asking = SINGLES,
) -> Curve:
    """The curve of `strategy` until labels and key presses reach the budget, or nothing is left to label.

    As in a project, the default strategy draws every tenth label at random for the audit, and no head
    learns from it. All randomness comes from the split's seed. Raises ValueError if the strategy returns
    anything else than the requested number of distinct candidates.
    """
    return _Replay(pool, split, name, strategy, asking).run(schedule)


class _Replay:
    """The state of a replay. Open crops have their own row numbers: no strategy can see the test part."""

    def __init__(
        self, pool: LabelledPool, split: Split, name: str, strategy: Strategy, asking: Asking
    ) -> None:
        self.split, self.name, self.strategy, self.asking = split, name, strategy, asking
        self.listed = len(pool.names)
        self.test, self.truth = pool.embeddings[split.test], pool.species[split.test]
        self.embeddings, self.species = pool.embeddings[split.open], pool.species[split.open]
        self.sequences, self.locations = pool.sequences[split.open], pool.locations[split.open]
        self.rng = np.random.default_rng(split.seed)
        self.answering = np.random.default_rng(split.seed)  # apart, so that it does not change the audit
        self.said = self.species.copy()  # the labels, where there are any
        self.learned: Ints = np.zeros(0, np.intp)
        self.audited: Ints = np.zeros(0, np.intp)  # labelled, but no head learns from them
        self.presses = 0

    @property
    def labels(self) -> int:
        return len(self.learned) + len(self.audited)

    def run(self, schedule: Schedule) -> Curve:
        total = min(schedule.budget, len(self.species))
        self._label(min(schedule.first, total), None)
        points = []
        while True:
            fitted = self._fitted()
            points.append(self._point(fitted))
            if self._is_spent(schedule.budget):
                to_label_all = self._to_label_all(fitted)
                return Curve(
                    strategy=self.name,
                    asking=self.asking.name,
                    seed=self.split.seed,
                    points=tuple(points),
                    open_species=self.split.open_species,
                    to_label_all=to_label_all,
                    wrong=int((self.said != self.species).sum()),
                )
            wanted = schedule.wanted(self.labels)
            if self.labels < total:
                wanted = min(wanted, total - self.labels)
            self._label(wanted, fitted)

    def _is_spent(self, budget: int) -> bool:
        return self.labels >= len(self.species) or min(self.labels, self.presses) >= budget

    def _label(self, wanted: int, fitted: heads.Fitted | None) -> None:
        """Label `wanted` more rows: the audit's share, and those that the strategy chooses.

        Those that come together with the last of them may make it more.
        """
        rows = self._rows_waiting()
        wanted = min(wanted, len(rows))
        if self.name == DEFAULT:
            drawn = self.rng.permutation(rows)[: wanted // EVERY]
            self.presses += pressed_alone(self._waiting(drawn, fitted))
            self.audited = np.concatenate([self.audited, drawn])
            rows = np.setdiff1d(rows, drawn)
            wanted -= len(drawn)
        waiting = self._waiting(rows, fitted)
        chosen = np.searchsorted(rows, self._chosen(waiting, rows, wanted, fitted))
        for answer in answers(self.asking, chosen, waiting, self.answering):
            if wanted <= 0:
                break
            self._record(rows[answer.crops], answer.species, answer.presses)
            wanted -= len(answer.crops)

    def _record(self, rows: Ints, species: Ints, presses: int) -> None:
        self.learned = np.concatenate([self.learned, rows])
        self.said[rows] = species
        self.presses += presses

    def _to_label_all(self, fitted: heads.Fitted) -> int:
        """Presses for all open crops, if those that still wait are asked with this head and none after it."""
        waiting = self._waiting(self._rows_waiting(), fitted)
        return self.presses + sum(
            answer.presses for answer in answers_to_all(self.asking, waiting, self.answering)
        )

    def _rows_waiting(self) -> Ints:
        return np.setdiff1d(np.arange(len(self.species)), [*self.learned, *self.audited])

    def _waiting(self, rows: Ints, fitted: heads.Fitted | None) -> Waiting:
        classes: Ints = np.zeros(0, np.intp)
        probabilities: Floats = np.zeros((len(rows), 0), np.float32)
        if fitted is not None:
            classes = np.array(fitted.head.classes, np.intp)
            probabilities = fitted.head.probabilities(self.embeddings[rows])
        return Waiting(
            embeddings=self.embeddings[rows],
            sequences=self.sequences[rows],
            truth=self.species[rows],
            species=self.listed,
            classes=classes,
            probabilities=probabilities,
        )

    def _fitted(self) -> heads.Fitted:
        rows = self.learned
        return heads.fit(
            heads.Examples(
                embeddings=self.embeddings[rows],
                labels=self.said[rows].tolist(),
                sequences=self.sequences[rows].astype(str).tolist(),
                locations=self.locations[rows].astype(str).tolist(),
            ),
            embedder="simulation",
            seed=self.split.seed,
        )

    def _chosen(self, waiting: Waiting, rows: Ints, wanted: int, fitted: heads.Fitted | None) -> Ints:
        """The rows that the strategy chooses among the `rows` (M,) that wait."""
        chosen = self.strategy(
            Round(
                embeddings=self.embeddings,
                candidates=rows,
                labelled=self.learned,
                labels=np.searchsorted(waiting.classes, self.said[self.learned]),
                sequences=waiting.sequences,
                probabilities=None if fitted is None else waiting.probabilities,
                predict_proba=None if fitted is None else fitted.head.probabilities,
            ),
            wanted,
            self.rng,
        )
        if len(np.intersect1d(chosen, rows)) != wanted or len(chosen) != wanted:
            raise ValueError(f"{self.name} did not choose {wanted} distinct candidates")
        return chosen

    def _point(self, fitted: heads.Fitted) -> Point:
        predicted = fitted.head.predict(self.test)
        labelled = [*self.learned, *self.audited]
        return Point(
            labels=len(labelled),
            presses=self.presses,
            figures=judge(self.truth, predicted, self.split.judged, self.split.rare),
            classes_seen=len(np.unique(self.species[labelled])),
        )
