"""The rule that derives the current label of a detection from its annotations.

The oracle keeps every state of every annotation, with a row for each detection that its task asks about.
The rule:

1. Of each annotation (by unique id) only the last revision counts; a deleted annotation does not count.
2. Each annotator has one vote: their latest annotation that is neither a skip nor strikes the crop out. What
   they said of the crop alone comes before what they said of it together with others (in a sequence, on a
   board), whichever is later.
3. If any vote is ground truth, the latest ground-truth vote decides.
4. Votes on the crop alone decide; others count only if nobody has looked at it alone. Of a board, people see
   small pictures, and one slip confirms them all.
5. A vote that asks for an expert counts only if there is no other.
6. The label with the most votes wins. A tie makes the detection disputed: it has no label until somebody
   decides. "Unsure" never outvotes a label; it wins only if there are no labels.
7. Without votes the detection waits: it was skipped, or struck out, whichever was later.
8. Labels from an imported source count only if nobody has voted in Label Studio.
9. Weak labels count only if there is no other label: the one with the highest confidence wins, and the
   detection stays in the queue.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import LABEL_STUDIO_SOURCE, Verdict, Way

GROUPS = (Way.SEQUENCE, Way.BOARD, Way.SUGGESTION)  # the ways that label several detections at once


@dataclass(frozen=True, kw_only=True)
class OracleEntry:
    """One state of one annotation: what the rule needs of it."""

    annotation_uid: str
    revision: int  # 1, 2, ... within its annotation
    verdict: Verdict
    label: int | None  # a category id, with Verdict.LABEL and WEAK only
    annotator: str | None
    annotated_at: dt.datetime
    ground_truth: bool = False
    source: str = LABEL_STUDIO_SOURCE
    confidence: float | None = None  # of the machine, with Verdict.WEAK only
    shown: int | None = None  # category id of the prediction that the annotator saw
    way: Way | None = None  # None for labels from a source
    attributes: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def is_alone(self) -> bool:
        """Whether it was said of this crop alone."""
        return self.way not in GROUPS

    @property
    def asks_for_expert(self) -> bool:
        return bool((self.attributes or {}).get("expert"))


@dataclass(frozen=True, kw_only=True)
class CurrentLabel:
    """The result of the rule for one detection."""

    verdict: Verdict | None  # all but DELETED; None: no annotation counts, or labels tie
    label: int | None = None  # a category id, with Verdict.LABEL and WEAK only
    confidence: float | None = None  # with Verdict.WEAK only
    source: str | None = None  # LABEL_STUDIO_SOURCE, or the imported source of the label
    by: tuple[str, ...] = ()  # annotators with this verdict and label; those without a name are left out
    at: dt.datetime | None = None  # the newest of their annotations
    votes: int = 0  # for this verdict and label
    voters: int = 0  # all votes
    disputed: bool = False
    struck: bool = False  # it waits for somebody to look at it alone, because it was struck out
    confirmed: bool = False  # somebody chose the category that the prediction showed
    suggested: bool = False  # the prediction showed a category to somebody who decided
    way: Way | None = None  # SINGLE if one of the deciding votes is; else of the newest; None for sources
    unprompted: bool = False  # a deciding vote was made looking at the crop alone, without a suggestion
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)  # of the deciding votes

    @property
    def resolved(self) -> bool:
        """Whether the detection leaves the queue: it has a label, or people are unsure about it."""
        return self.verdict in (Verdict.LABEL, Verdict.UNSURE)


def current_label(history: Iterable[OracleEntry]) -> CurrentLabel:
    """The current label of one detection from its entries, which may come in any order."""
    active = active_entries(history)
    by_people = [entry for entry in active if entry.source == LABEL_STUDIO_SOURCE]
    imported = [entry for entry in active if entry.source != LABEL_STUDIO_SOURCE]
    votes = _votes(by_people) or _votes(imported)
    if not votes:
        return _without_votes(active)
    ground_truth = [entry for entry in votes if entry.ground_truth]
    if ground_truth:
        return _decided([max(ground_truth, key=_recency)], voters=len(votes))
    counting = [entry for entry in votes if entry.is_alone] or votes
    counting = [entry for entry in counting if not entry.asks_for_expert] or counting
    labels = [entry for entry in counting if entry.verdict is Verdict.LABEL]
    if not labels:
        return _decided(counting, voters=len(votes))
    counts = Counter(entry.label for entry in labels).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return CurrentLabel(verdict=None, voters=len(votes), disputed=True)
    return _decided([entry for entry in labels if entry.label == counts[0][0]], voters=len(votes))


def _without_votes(active: list[OracleEntry]) -> CurrentLabel:
    """The current label without any vote: the weak label with the highest confidence, skipped or struck."""
    weak = [entry for entry in active if entry.verdict is Verdict.WEAK]
    others = [entry for entry in active if entry.verdict is not Verdict.WEAK]
    verdict = max(others, key=_recency).verdict if others else None
    if weak:
        surest = max(weak, key=lambda entry: (entry.confidence or 0.0, _recency(entry)))
        return CurrentLabel(
            verdict=Verdict.WEAK,
            label=surest.label,
            confidence=surest.confidence,
            source=surest.source,
            by=_names([surest]),
            at=surest.annotated_at,
            struck=verdict is Verdict.STRUCK,
        )
    return CurrentLabel(verdict=verdict, struck=verdict is Verdict.STRUCK)


def active_entries(history: Iterable[OracleEntry]) -> list[OracleEntry]:
    """The last revision of each annotation, without deleted annotations."""
    latest: dict[str, OracleEntry] = {}
    for entry in history:
        previous = latest.get(entry.annotation_uid)
        if previous is None or entry.revision > previous.revision:
            latest[entry.annotation_uid] = entry
    return [entry for entry in latest.values() if entry.verdict is not Verdict.DELETED]


def _votes(entries: Iterable[OracleEntry]) -> list[OracleEntry]:
    """The vote of each annotator; each entry without an annotator is a voter."""
    votes: dict[tuple[str, str | None, str], OracleEntry] = {}
    for entry in entries:
        if entry.verdict not in (Verdict.LABEL, Verdict.UNSURE):
            continue
        anonymous = entry.annotation_uid if entry.annotator is None else ""
        voter = (entry.source, entry.annotator, anonymous)
        if voter not in votes or _precedence(entry) > _precedence(votes[voter]):
            votes[voter] = entry
    return list(votes.values())


def _precedence(entry: OracleEntry) -> tuple[bool, dt.datetime, str]:
    return entry.is_alone, *_recency(entry)


def _recency(entry: OracleEntry) -> tuple[dt.datetime, str]:
    return entry.annotated_at, entry.annotation_uid  # the id makes the order of equal times definite


def _decided(winners: list[OracleEntry], *, voters: int) -> CurrentLabel:
    winners = sorted(winners, key=_recency)
    alone = [entry for entry in winners if entry.is_alone]
    attributes: dict[str, Any] = {}
    for entry in winners:
        attributes |= entry.attributes or {}
    return CurrentLabel(
        verdict=winners[0].verdict,
        label=winners[0].label,
        source=winners[0].source,
        by=_names(winners),
        at=winners[-1].annotated_at,
        votes=len(winners),
        voters=voters,
        confirmed=any(entry.label is not None and entry.label == entry.shown for entry in winners),
        suggested=any(entry.shown is not None for entry in winners),
        way=(alone or winners)[-1].way,
        unprompted=any(entry.shown is None for entry in alone),
        attributes=attributes,
    )


def _names(entries: list[OracleEntry]) -> tuple[str, ...]:
    return tuple(sorted({entry.annotator for entry in entries if entry.annotator is not None}))
