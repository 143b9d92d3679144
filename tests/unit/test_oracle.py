"""The rule for the current label, worked by hand and over every order of its rows."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.oracle import CurrentLabel, OracleEntry, current_label
from pipeline.records import Verdict

DEER, FOX, HARE = 1, 2, 3
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def said(
    what: int | str,
    *,
    by: str | None = "ann",
    at: int = 0,
    uid: str | None = None,
    revision: int = 1,
    truth: bool = False,
    source: str = "label-studio",
    shown: int | None = None,
) -> OracleEntry:
    verdict = Verdict.LABEL if isinstance(what, int) else Verdict(what)
    return OracleEntry(
        annotation_uid=uid or f"{source}-{by}-{at}",
        revision=revision,
        verdict=verdict,
        label=what if isinstance(what, int) else None,
        annotator=by,
        annotated_at=NOON + dt.timedelta(minutes=at),
        ground_truth=truth,
        source=source,
        shown=shown,
    )


def label(category: int, *, votes: int = 1, voters: int = 1, confirmed: bool = False) -> CurrentLabel:
    return CurrentLabel(
        verdict=Verdict.LABEL, label=category, votes=votes, voters=voters, confirmed=confirmed
    )


UNSURE = CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=1)
SKIPPED = CurrentLabel(verdict=Verdict.SKIPPED)
NOTHING = CurrentLabel(verdict=None)

BY_HAND = {
    "nobody has said anything": ([], NOTHING),
    "one label": ([said(DEER)], label(DEER)),
    "the category empty is a label like any other": ([said(0)], label(0)),
    "an update replaces what the annotation said": (
        [said(DEER, uid="a"), said(FOX, uid="a", at=5, revision=2)],
        label(FOX),
    ),
    "a late revision counts by its number, not by its clock": (
        [said(DEER, uid="a", at=9), said(FOX, uid="a", at=5, revision=2)],
        label(FOX),
    ),
    "a deleted annotation is gone": (
        [said(DEER, uid="a"), said("deleted", uid="a", at=1, revision=2)],
        NOTHING,
    ),
    "a deleted annotation that lives again counts": (
        [said(DEER, uid="a"), said("deleted", uid="a", revision=2), said(DEER, uid="a", revision=3)],
        label(DEER),
    ),
    "deleting one of two leaves the other": (
        [said(DEER, uid="a"), said("deleted", uid="a", revision=2), said(FOX, by="bob", uid="b")],
        label(FOX),
    ),
    "two annotations of one person are one vote, the later": (
        [said(DEER, at=1), said(DEER, at=2), said(FOX, at=3), said(DEER, by="bob")],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
    "a later skip does not take a label back": ([said(DEER, at=1), said("skipped", at=2)], label(DEER)),
    "only skips": ([said("skipped"), said("skipped", by="bob")], SKIPPED),
    "a skip that was deleted": (
        [said("skipped", uid="a"), said("deleted", uid="a", revision=2)],
        NOTHING,
    ),
    "unsure alone resolves": ([said("unsure")], UNSURE),
    "unsure never outvotes a label": (
        [said("unsure", by="bob"), said("unsure", by="cay"), said(DEER)],
        label(DEER, voters=3),
    ),
    "one's own later unsure replaces one's label": ([said(DEER, at=1), said("unsure", at=2)], UNSURE),
    "the majority": (
        [said(DEER), said(FOX, by="bob"), said(FOX, by="cay")],
        label(FOX, votes=2, voters=3),
    ),
    "a tie is disputed, with no label": (
        [said(DEER), said(FOX, by="bob")],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
    "three ways are a tie too": (
        [said(DEER), said(FOX, by="bob"), said(HARE, by="cay")],
        CurrentLabel(verdict=None, voters=3, disputed=True),
    ),
    "unsure does not settle a tie": (
        [said(DEER), said(FOX, by="bob"), said("unsure", by="cay")],
        CurrentLabel(verdict=None, voters=3, disputed=True),
    ),
    "ground truth decides against the majority": (
        [said(DEER, truth=True), said(FOX, by="bob"), said(FOX, by="cay")],
        label(DEER, voters=3),
    ),
    "of two ground truths the later decides": (
        [said(DEER, at=1, truth=True), said(FOX, by="bob", at=2, truth=True)],
        label(FOX, voters=2),
    ),
    "a ground truth may be unsure": (
        [said("unsure", truth=True), said(FOX, by="bob"), said(FOX, by="cay")],
        CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=3),
    ),
    "a source's label counts where no person has voted": (
        [said(DEER, by=None, source="eMammal")],
        label(DEER),
    ),
    "a person's label replaces a source's": (
        [said(DEER, by=None, source="eMammal", at=9), said(FOX)],
        label(FOX),
    ),
    "a person's unsure replaces a source's label": (
        [said(DEER, by=None, source="eMammal", at=9), said("unsure")],
        UNSURE,
    ),
    "a person's skip leaves a source's label": (
        [said(DEER, by=None, source="eMammal"), said("skipped")],
        label(DEER),
    ),
    "annotations that name nobody are voters of their own": (
        [said(DEER, by=None, uid="a"), said(DEER, by=None, uid="b"), said(FOX)],
        label(DEER, votes=2, voters=3),
    ),
    "choosing what was shown confirms it": ([said(DEER, shown=DEER)], label(DEER, confirmed=True)),
    "choosing another does not": ([said(DEER, shown=FOX)], label(DEER)),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_the_rule_gives_the_answer_worked_by_hand(case: str) -> None:
    history, expected = BY_HAND[case]
    answer = current_label(history)
    assert replace(answer, source=None, by=(), at=None) == expected


def test_the_answer_tells_who_gave_it_and_when_the_last_of_them_did() -> None:
    answer = current_label(
        [said(DEER, by="bob"), said(DEER, at=7), said(FOX, by="eve", at=9), said(DEER, source="coco", at=11)]
    )
    assert (answer.label, answer.by, answer.source) == (DEER, ("ann", "bob"), "label-studio")
    assert answer.at == NOON + dt.timedelta(minutes=7)
    assert current_label([said(FOX, by=None, source="coco")]).by == ()
    assert current_label([said(FOX, by=None, source="coco")]).source == "coco"


def test_the_surest_weak_label_stands_until_anybody_gives_another() -> None:
    weak = [said("weak", by=str(sure), source=f"net {sure}") for sure in (3, 8, 5)]
    history = [
        replace(one, label=DEER + at, confidence=int(one.annotator or 0) / 10) for at, one in enumerate(weak)
    ]
    answer = current_label(history)
    assert (answer.verdict, answer.label, answer.confidence) == (Verdict.WEAK, FOX, 0.8)
    assert not answer.resolved
    assert current_label([*history, said("skipped")]).verdict is Verdict.WEAK
    assert current_label([*history, said(HARE, source="coco")]).label == HARE
    assert current_label([*history, said("unsure")]).verdict is Verdict.UNSURE


def test_labels_and_unsure_leave_the_queue_and_the_rest_stays() -> None:
    assert current_label([said(DEER)]).resolved
    assert current_label([said("unsure")]).resolved
    assert not current_label([said("skipped")]).resolved
    assert not current_label([]).resolved
    assert not current_label([said(DEER), said(FOX, by="bob")]).resolved


@st.composite
def histories(draw: st.DrawFn) -> list[OracleEntry]:
    """Annotations of a few people with revisions in any mixture; (uid, revision) never repeats."""
    entries = []
    choices: list[int | str] = [0, DEER, FOX, "unsure", "skipped", "deleted"]
    for number in range(draw(st.integers(0, 6))):
        by = draw(st.sampled_from(["ann", "bob", "cay", None]))
        source = draw(st.sampled_from(["label-studio", "label-studio", "camtrap-dp"]))
        for revision in range(1, draw(st.integers(1, 3)) + 1):
            what: int | str = draw(st.sampled_from(choices))
            at = draw(st.integers(0, 3))
            truth = draw(st.booleans())
            uid = f"uid-{number}"
            entries.append(said(what, by=by, at=at, uid=uid, revision=revision, truth=truth, source=source))
    return entries


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(history: list[OracleEntry], shuffler: random.Random) -> None:
    shuffled = list(history)
    shuffler.shuffle(shuffled)
    assert current_label(shuffled) == current_label(history)


@given(histories())
def test_hearing_everything_twice_changes_nothing(history: list[OracleEntry]) -> None:
    assert current_label(history + history) == current_label(history)


@given(histories())
def test_an_answer_never_contradicts_itself(history: list[OracleEntry]) -> None:
    answer = current_label(history)
    assert (answer.label is not None) == (answer.verdict is Verdict.LABEL)
    assert not (answer.disputed and answer.resolved)
    assert answer.votes <= answer.voters
    if answer.label is not None:
        assert answer.label in {entry.label for entry in history}


@given(histories())
def test_deleting_every_annotation_leaves_nothing(history: list[OracleEntry]) -> None:
    gone = [said("deleted", uid=entry.annotation_uid, revision=99) for entry in history]
    assert current_label(history + gone) == NOTHING


@given(histories())
def test_skips_of_others_never_change_an_answer_that_stands(history: list[OracleEntry]) -> None:
    answer = current_label(history)
    if answer.voters:
        assert current_label([*history, said("skipped", by="dee", at=9)]) == answer
