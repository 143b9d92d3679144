"""The one written rule for the current label of a detection.

The oracle keeps every state of every annotation; this is how they become one answer:

1. Of each annotation (by unique id) only the last revision counts; one that was taken back is gone.
2. Each annotator has one vote: their latest annotation that is not a skip.
3. If any vote is ground truth, the latest ground-truth vote decides.
4. Otherwise the label with most votes stands. Labels that tie leave the detection disputed, without a
   label, until someone settles it. "Unsure" never outvotes a label; where nobody gave a label it stands.
   Only skips: skipped.
5. Labels that came with a source, not from Label Studio, count only where no person has voted.
6. Weak labels, a machine's that came with a source, count only where nobody else gave one: the surest
   stands, and the detection stays in the queue.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.records import Verdict

PEOPLE = "label-studio"  # the source of what people said; every other source came with the photographs


@dataclass(frozen=True, kw_only=True)
class OracleEntry:
    """One state of one annotation, as the rule sees it."""

    annotation_uid: str
    revision: int  # 1, 2, ... within its annotation
    verdict: Verdict
    label: int | None  # a category id, with Verdict.LABEL only
    annotator: str | None
    annotated_at: dt.datetime
    ground_truth: bool = False
    source: str = PEOPLE
    confidence: float | None = None  # of a machine, with Verdict.WEAK
    shown: int | None = None  # the category that the prediction on screen named


@dataclass(frozen=True, kw_only=True)
class CurrentLabel:
    """What the oracle says of a detection now."""

    verdict: Verdict | None  # LABEL, UNSURE, WEAK or SKIPPED; None: nothing was said, or labels tie
    label: int | None = None  # a category id, with Verdict.LABEL and WEAK only
    confidence: float | None = None  # with Verdict.WEAK
    source: str | None = None  # PEOPLE, or where the label came from
    by: tuple[str, ...] = ()  # the annotators who said so, as far as they are named
    at: dt.datetime | None = None  # when the last of them did
    votes: int = 0  # for that verdict and label
    voters: int = 0  # how many votes there were
    disputed: bool = False
    confirmed: bool = False  # somebody chose the label that the prediction had named

    @property
    def resolved(self) -> bool:
        """Whether the detection leaves the queue: it has a label, or people are unsure of it."""
        return self.verdict in (Verdict.LABEL, Verdict.UNSURE)


def current_label(history: Iterable[OracleEntry]) -> CurrentLabel:
    """The answer for one detection from its entries, whatever their order."""
    standing = _latest_revisions(history)
    people = [entry for entry in standing if entry.source == PEOPLE]
    votes = _votes(people) or _votes(entry for entry in standing if entry.source != PEOPLE)
    if not votes:
        return _guess(standing)
    decisive = [entry for entry in votes if entry.ground_truth]
    if decisive:
        return _answer([max(decisive, key=_age)], voters=len(votes))
    labels = [entry for entry in votes if entry.verdict is Verdict.LABEL]
    if not labels:
        return _answer(votes, voters=len(votes))
    counts = Counter(entry.label for entry in labels).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return CurrentLabel(verdict=None, voters=len(votes), disputed=True)
    return _answer([entry for entry in labels if entry.label == counts[0][0]], voters=len(votes))


def _guess(standing: list[OracleEntry]) -> CurrentLabel:
    """The answer where nobody voted: the surest weak label, else that people skipped."""
    weak = [entry for entry in standing if entry.verdict is Verdict.WEAK]
    if weak:
        surest = max(weak, key=lambda entry: (entry.confidence or 0.0, _age(entry)))
        return CurrentLabel(
            verdict=Verdict.WEAK,
            label=surest.label,
            confidence=surest.confidence,
            source=surest.source,
            by=_names([surest]),
            at=surest.annotated_at,
        )
    return CurrentLabel(verdict=Verdict.SKIPPED if standing else None)


def _latest_revisions(history: Iterable[OracleEntry]) -> list[OracleEntry]:
    """Each annotation's last revision, without those that were taken back."""
    last: dict[str, OracleEntry] = {}
    for entry in history:
        known = last.get(entry.annotation_uid)
        if known is None or entry.revision > known.revision:
            last[entry.annotation_uid] = entry
    return [entry for entry in last.values() if entry.verdict is not Verdict.DELETED]


def _votes(entries: Iterable[OracleEntry]) -> list[OracleEntry]:
    """Each annotator's latest entry that is not a skip; one that names nobody is a voter of its own."""
    latest: dict[tuple[str, str | None, str], OracleEntry] = {}
    for entry in entries:
        if entry.verdict in (Verdict.SKIPPED, Verdict.WEAK):
            continue
        alone = entry.annotation_uid if entry.annotator is None else ""
        voter = (entry.source, entry.annotator, alone)
        if voter not in latest or _age(entry) > _age(latest[voter]):
            latest[voter] = entry
    return list(latest.values())


def _age(entry: OracleEntry) -> tuple[dt.datetime, str]:
    return entry.annotated_at, entry.annotation_uid  # the id settles what the same moment leaves open


def _answer(winners: list[OracleEntry], *, voters: int) -> CurrentLabel:
    return CurrentLabel(
        verdict=winners[0].verdict,
        label=winners[0].label,
        source=winners[0].source,
        by=_names(winners),
        at=max(entry.annotated_at for entry in winners),
        votes=len(winners),
        voters=voters,
        confirmed=any(entry.label is not None and entry.label == entry.shown for entry in winners),
    )


def _names(entries: list[OracleEntry]) -> tuple[str, ...]:
    return tuple(sorted({entry.annotator for entry in entries if entry.annotator is not None}))
