"""The sample of photographs called empty -> how many of them show an animal, at most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.statistics import most_in_population
from pipeline.store import empties
from pipeline.store.empties import Finding

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class EmptiesJudgement:
    """What the sample shows of the photographs that machines alone call empty."""

    called_empty: int  # photographs that the statement is about: the sample was last drawn from them
    later: int  # photographs that came since, and are outside
    drawn: int  # in the sample
    no_animal: int  # people saw none
    animals: int  # people saw one, or something that waits for its box
    undecided: int  # skipped, unsure or disputed: counted as if they showed an animal
    open: int  # nobody has looked at them
    unreadable: int  # of the open ones: their files cannot be read, so they cannot be asked
    at_most: int | None  # photographs that show an animal, at most; None: nobody has looked at any
    confidence: float

    @property
    def looked_at(self) -> int:
        """Photographs of the sample that the limit rests on."""
        return self.no_animal + self.animals + self.undecided

    @property
    def share(self) -> float | None:
        """`at_most` as a share of `called_empty`."""
        return None if self.at_most is None else self.at_most / self.called_empty


def judge_empties(conn: sa.Connection) -> EmptiesJudgement | None:
    """What people found in the sample, and the limit that follows; None if no sample was drawn.

    A photograph without a clear answer counts as one with an animal: people skip and dispute what is hard to
    see. One that nobody has opened yet does not count: which boards were answered first does not depend on
    what they show, for they come in the random order of the sample.
    """
    if not empties.is_drawn(conn):
        return None
    counts = empties.counts(conn)
    sample = empties.sample(conn)
    found = Counter(each.finding for each in sample)
    animals = found[Finding.ANIMAL] + found[Finding.STRUCK]
    looked_at = len(sample) - found[Finding.OPEN]
    return EmptiesJudgement(
        called_empty=counts.covered,
        later=counts.later,
        drawn=len(sample),
        no_animal=found[Finding.NO_ANIMAL],
        animals=animals,
        undecided=found[Finding.UNDECIDED],
        open=found[Finding.OPEN],
        unreadable=sum(each.frame_path is None for each in sample),
        at_most=most_in_population(animals + found[Finding.UNDECIDED], looked_at, counts.covered, CONFIDENCE)
        if looked_at
        else None,
        confidence=CONFIDENCE,
    )
