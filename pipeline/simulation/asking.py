"""How crops are put to a person: alone, with their sequence, or also on boards of crops named alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints
from pipeline.grouping.boards import EVERY, SIZES, SURE, boards
from pipeline.grouping.sequences import Crops, grouped
from pipeline.heads.pooling import pooled
from pipeline.simulation.presses import LETTERS, LIKELIEST, Offer, to_answer, to_name

SUGGEST_FROM = 0.6  # the default of label_studio.screen.options


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What comes together on one screen, and how a person answers it."""

    name: str
    sequences: bool = False  # the crops of a sequence
    board: int = 0  # crops of a full board; 0: there are no boards
    board_from: float = SURE  # the least probability on a board
    board_every: int = EVERY  # one of so many tasks is a board
    suggest_from: float = SUGGEST_FROM  # the least probability of a suggestion, but for boards
    overlooked: float = 0.0  # share of the wrong suggestions that a person keeps


SINGLES = Asking(name="singles")
ASKINGS = (
    SINGLES,
    Asking(name="sequences", sequences=True),
    Asking(name="sequences and boards", sequences=True, board=SIZES[0]),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Waiting:
    """The crops that wait for a label (M), and what the head says of them."""

    embeddings: Embeddings  # (M, D)
    sequences: Ints  # (M,)
    truth: Ints  # (M,) species
    species: int  # how many the list has
    classes: Ints  # (C,) species of the head; none before the first one
    probabilities: Floats  # (M, C)

    @property
    def places(self) -> Ints:
        return np.arange(len(self.truth))

    def only(self, places: Ints) -> Waiting:
        """Those at these places (K,), which number them anew."""
        return replace(
            self,
            embeddings=self.embeddings[places],
            sequences=self.sequences[places],
            truth=self.truth[places],
            probabilities=self.probabilities[places],
        )

    @property
    def named(self) -> Ints:
        """The species (M,) that the head names; 0 for all before the first head."""
        if not len(self.classes):
            return np.zeros(len(self.truth), np.intp)
        named: Ints = self.classes[self.probabilities.argmax(axis=1)]
        return named

    def offer(self, crops: Ints, *, suggest_from: float) -> Offer:
        """What is offered for these crops together.

        The species with the highest mean probabilities have digits, before the first head the first of the
        list. The suggestion is the pooled prediction.
        """
        letters = len(crops) == 1 and self.species <= LETTERS
        if not len(self.classes):
            return Offer(likeliest=tuple(range(LIKELIEST)), letters=letters)
        mean = self.probabilities[crops].mean(axis=0)
        order = np.argsort(-mean, kind="stable")[:LIKELIEST]
        likeliest = tuple(self.classes[order].tolist())
        shares = pooled(self.probabilities[crops], np.zeros(len(crops), np.intp))[0]
        suggested = int(self.classes[shares.argmax()]) if shares.max() >= suggest_from else None
        return Offer(likeliest=likeliest, suggested=suggested, letters=letters)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The labels that one task brought."""

    crops: Ints  # (K,) places among the waiting
    species: Ints  # (K,) as a person saw them
    presses: int


def pressed_alone(waiting: Waiting) -> int:
    """Presses to answer all that wait one by one and without a suggestion, like the crops of an audit."""
    return sum(
        to_name(species, waiting.offer(np.array([place]), suggest_from=np.inf))
        for place, species in enumerate(waiting.truth.tolist())
    )


def answers(asking: Asking, queue: Ints, waiting: Waiting, rng: np.random.Generator) -> Iterator[Answer]:
    """The answers to the tasks of the `queue` (Q,), places among the waiting, in its order."""
    groups = _groups(asking, queue, waiting)
    pause = asking.board_every - 1
    others = _boards(asking, len(groups) // pause, np.setdiff1d(waiting.places, _all(groups)), waiting, rng)
    for number, crops in enumerate(groups, 1):
        yield _answer(asking, crops, waiting, rng)
        if number % pause == 0 and (board := next(others, None)) is not None:
            yield _answer(asking, board, waiting, rng, on_board=True)


def answers_to_all(asking: Asking, waiting: Waiting, rng: np.random.Generator) -> Iterator[Answer]:
    """The answers to tasks about all that wait: as many boards as there can be, then the others."""
    on_boards = list(_boards(asking, len(waiting.truth), waiting.places, waiting, rng))
    for board in on_boards:
        yield _answer(asking, board, waiting, rng, on_board=True)
    rest = waiting.only(np.setdiff1d(waiting.places, _all(on_boards)))
    for crops in _groups(asking, rest.places, rest):
        yield _answer(asking, crops, rest, rng)


def _groups(asking: Asking, queue: Ints, waiting: Waiting) -> list[Ints]:
    """The crops of each task: those of the `queue` (Q,) alone, or with their sequences."""
    if not asking.sequences:
        return [queue[[place]] for place in range(len(queue))]
    together = Crops(
        sequences=waiting.sequences,
        frames=waiting.places,
        named=waiting.named,
        probability=waiting.probabilities.max(axis=1, initial=0),
        alone=np.zeros(len(waiting.truth), np.bool_),
    )
    return grouped(queue, together)


def _all(groups: Sequence[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, np.intp), *groups])


def _boards(
    asking: Asking, count: int, places: Ints, waiting: Waiting, rng: np.random.Generator
) -> Iterator[Ints]:
    """Up to `count` boards of these `places` among the waiting."""
    if not asking.board or not len(waiting.classes) or not len(places):
        return
    made = boards(
        waiting.embeddings,
        places,
        waiting.named[places],
        waiting.probabilities[places].max(axis=1),
        count=count,
        size=asking.board,
        sure=asking.board_from,
        seed=int(rng.integers(2**32)),
    )
    yield from (board.rows for board in made)


def _answer(
    asking: Asking, crops: Ints, waiting: Waiting, rng: np.random.Generator, *, on_board: bool = False
) -> Answer:
    """The answer to one task."""
    offer = waiting.offer(crops, suggest_from=0 if on_board else asking.suggest_from)
    seen = waiting.truth[crops]
    if offer.suggested is not None and asking.overlooked:
        overlooked = (seen != offer.suggested) & (rng.random(len(seen)) < asking.overlooked)
        seen = np.where(overlooked, offer.suggested, seen)
    if len(crops) == 1:
        return Answer(crops=crops, species=seen, presses=to_name(int(seen[0]), offer))
    alone = [waiting.offer(crops[[place]], suggest_from=np.inf) for place in range(len(crops))]
    return Answer(
        crops=crops, species=seen, presses=to_answer(seen.tolist(), offer, alone, named=not on_board)
    )
