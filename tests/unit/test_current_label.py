"""The rule for the current label: cases worked by hand, and properties over any history."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.current_label import CurrentLabel, OracleEntry, current_label
from pipeline.records import Verdict, Way

DEER, FOX, HARE = 1, 2, 3
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def entry(
    answer: int | str,
    *,
    by: str | None = "ann",
    at: int = 0,
    uid: str | None = None,
    revision: int = 1,
    truth: bool = False,
    source: str = "label-studio",
    shown: int | None = None,
    way: Way = Way.SINGLE,
    **attributes: object,
) -> OracleEntry:
    verdict = Verdict.LABEL if isinstance(answer, int) else Verdict(answer)
    return OracleEntry(
        annotation_uid=uid or f"{source}-{by}-{at}",
        revision=revision,
        verdict=verdict,
        label=answer if isinstance(answer, int) else None,
        annotator=by,
        annotated_at=NOON + dt.timedelta(minutes=at),
        ground_truth=truth,
        source=source,
        shown=shown,
        way=way if source == "label-studio" else None,
        attributes=attributes or None,
    )


def label(category: int, *, votes: int = 1, voters: int = 1, **others: Any) -> CurrentLabel:
    return CurrentLabel(verdict=Verdict.LABEL, label=category, votes=votes, voters=voters, **others)


BOARD = Way.BOARD
UNSURE = CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=1)
STRUCK = CurrentLabel(verdict=Verdict.STRUCK, struck=True)
SKIPPED = CurrentLabel(verdict=Verdict.SKIPPED)
NOTHING = CurrentLabel(verdict=None)

BY_HAND = {
    "no annotation": ([], NOTHING),
    "one label": ([entry(DEER)], label(DEER)),
    "the category empty is a label like any other": ([entry(0)], label(0)),
    "an update replaces the annotation's label": (
        [entry(DEER, uid="a"), entry(FOX, uid="a", at=5, revision=2)],
        label(FOX),
    ),
    "the last revision is the one with the highest number, not the latest time": (
        [entry(DEER, uid="a", at=9), entry(FOX, uid="a", at=5, revision=2)],
        label(FOX),
    ),
    "a deleted annotation does not count": (
        [entry(DEER, uid="a"), entry("deleted", uid="a", at=1, revision=2)],
        NOTHING,
    ),
    "a deleted annotation that is restored counts": (
        [entry(DEER, uid="a"), entry("deleted", uid="a", revision=2), entry(DEER, uid="a", revision=3)],
        label(DEER),
    ),
    "deleting one of two leaves the other": (
        [entry(DEER, uid="a"), entry("deleted", uid="a", revision=2), entry(FOX, by="bob", uid="b")],
        label(FOX),
    ),
    "two annotations of one person are one vote: the later one": (
        [entry(DEER, at=1), entry(DEER, at=2), entry(FOX, at=3), entry(DEER, by="bob")],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
    "a later skip does not remove a label": ([entry(DEER, at=1), entry("skipped", at=2)], label(DEER)),
    "only skips": ([entry("skipped"), entry("skipped", by="bob")], SKIPPED),
    "a skip that was deleted": (
        [entry("skipped", uid="a"), entry("deleted", uid="a", revision=2)],
        NOTHING,
    ),
    "only unsure": ([entry("unsure")], UNSURE),
    "unsure never outvotes a label": (
        [entry("unsure", by="bob"), entry("unsure", by="cay"), entry(DEER)],
        label(DEER, voters=3),
    ),
    "a later unsure of the same person replaces the label": (
        [entry(DEER, at=1), entry("unsure", at=2)],
        UNSURE,
    ),
    "the majority": (
        [entry(DEER), entry(FOX, by="bob"), entry(FOX, by="cay")],
        label(FOX, votes=2, voters=3),
    ),
    "a tie is disputed, with no label": (
        [entry(DEER), entry(FOX, by="bob")],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
    "three different labels are a tie": (
        [entry(DEER), entry(FOX, by="bob"), entry(HARE, by="cay")],
        CurrentLabel(verdict=None, voters=3, disputed=True),
    ),
    "unsure does not break a tie": (
        [entry(DEER), entry(FOX, by="bob"), entry("unsure", by="cay")],
        CurrentLabel(verdict=None, voters=3, disputed=True),
    ),
    "ground truth overrules the majority": (
        [entry(DEER, truth=True), entry(FOX, by="bob"), entry(FOX, by="cay")],
        label(DEER, voters=3),
    ),
    "the later of two ground truths decides": (
        [entry(DEER, at=1, truth=True), entry(FOX, by="bob", at=2, truth=True)],
        label(FOX, voters=2),
    ),
    "ground truth can be unsure": (
        [entry("unsure", truth=True), entry(FOX, by="bob"), entry(FOX, by="cay")],
        CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=3),
    ),
    "a label from a source counts if nobody has voted": (
        [entry(DEER, by=None, source="eMammal")],
        label(DEER),
    ),
    "a person's label replaces a source's": (
        [entry(DEER, by=None, source="eMammal", at=9), entry(FOX)],
        label(FOX),
    ),
    "a person's unsure replaces a source's label": (
        [entry(DEER, by=None, source="eMammal", at=9), entry("unsure")],
        UNSURE,
    ),
    "a person's skip keeps a source's label": (
        [entry(DEER, by=None, source="eMammal"), entry("skipped")],
        label(DEER),
    ),
    "each annotation without an annotator is a voter": (
        [entry(DEER, by=None, uid="a"), entry(DEER, by=None, uid="b"), entry(FOX)],
        label(DEER, votes=2, voters=3),
    ),
    "choosing the category shown confirms it": (
        [entry(DEER, shown=DEER)],
        label(DEER, confirmed=True, suggested=True),
    ),
    "choosing another category does not confirm it": ([entry(DEER, shown=FOX)], label(DEER, suggested=True)),
    "a board labels like any other": (
        [entry(DEER, way=BOARD, shown=DEER)],
        label(DEER, confirmed=True, suggested=True),
    ),
    "boards of two people": (
        [entry(DEER, way=BOARD), entry(DEER, by="bob", way=BOARD)],
        label(DEER, votes=2, voters=2),
    ),
    "boards of two people that differ": (
        [entry(DEER, way=BOARD), entry(FOX, by="bob", way=BOARD)],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
    "a later board of others does not outvote who looked at the crop alone": (
        [
            entry(FOX, at=1),
            entry(DEER, by="bob", at=2, way=BOARD),
            entry(DEER, by="cay", at=3, way=Way.SEQUENCE),
        ],
        label(FOX, voters=3),
    ),
    "a later board of the same person neither": (
        [entry(FOX, at=1), entry(DEER, at=2, way=BOARD)],
        label(FOX),
    ),
    "who looks at the crop alone corrects a board": (
        [entry(DEER, by="bob", at=1, way=Way.SUGGESTION), entry(FOX, at=2)],
        label(FOX, voters=2),
    ),
    "who looks at the crop alone and cannot tell takes a board's label back": (
        [entry(DEER, by="bob", at=1, way=BOARD), entry("unsure", at=2)],
        CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=2),
    ),
    "a person's board replaces a source's label": (
        [entry(DEER, by=None, source="eMammal", at=9), entry(FOX, way=BOARD)],
        label(FOX),
    ),
    "ground truth on a board decides": (
        [entry(DEER, way=BOARD, truth=True), entry(FOX, by="bob")],
        label(DEER, voters=2),
    ),
    "struck out of a board": ([entry("struck", way=BOARD)], STRUCK),
    "who struck the crop out has no vote": (
        [entry("struck", way=BOARD), entry(DEER, by="bob", way=BOARD)],
        label(DEER),
    ),
    "striking a crop out does not take back what the same person said of it": (
        [entry(DEER, at=1), entry("struck", at=2, way=BOARD)],
        label(DEER),
    ),
    "struck out, then skipped alone": ([entry("struck", way=BOARD, at=1), entry("skipped", at=2)], SKIPPED),
    "skipped alone, then struck out": ([entry("struck", way=BOARD, at=2), entry("skipped", at=1)], STRUCK),
    "the label of who asks for an expert counts until somebody else answers": (
        [entry(DEER, expert=True)],
        label(DEER),
    ),
    "the expert's answer decides": (
        [entry(DEER, expert=True), entry(FOX, by="bob")],
        label(FOX, voters=2),
    ),
    "an expert's unsure decides, too": (
        [entry(DEER, expert=True), entry("unsure", by="bob")],
        CurrentLabel(verdict=Verdict.UNSURE, votes=1, voters=2),
    ),
    "two who ask for an expert and differ are a tie": (
        [entry(DEER, expert=True), entry(FOX, by="bob", expert=True)],
        CurrentLabel(verdict=None, voters=2, disputed=True),
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_the_rule_gives_the_label_worked_by_hand(case: str) -> None:
    history, expected = BY_HAND[case]
    current = current_label(history)
    assert (
        replace(current, source=None, by=(), at=None, way=None, unprompted=False, attributes={}) == expected
    )


def test_the_current_label_says_how_it_was_made() -> None:
    board = entry(DEER, by="bob", way=BOARD, shown=DEER)
    sequence = entry(DEER, by="cay", at=5, way=Way.SEQUENCE)
    assert current_label([board, sequence]).way is Way.SEQUENCE
    assert not current_label([board, sequence]).unprompted
    prompted = entry(DEER, at=1, shown=DEER)
    assert current_label([board, prompted]).way is Way.SINGLE
    assert not current_label([board, prompted]).unprompted
    assert current_label([board, prompted, entry(DEER, by="dee", at=2)]).unprompted
    assert not current_label(
        [prompted, entry(FOX, by="dee", at=2), entry(DEER, by="eve", shown=DEER)]
    ).unprompted
    assert current_label([entry(DEER, by=None, source="coco")]).way is None


def test_the_newest_of_the_deciding_votes_give_the_attributes() -> None:
    history = [
        entry(DEER, at=3, count=2),
        entry(DEER, by="bob", at=1, count=1, sex="female"),
        entry(FOX, by="cay", at=9, count=7, age="adult"),
    ]
    assert current_label(history).attributes == {"count": 2, "sex": "female"}
    assert current_label([]).attributes == {}


def test_the_current_label_has_its_annotators_and_the_time_of_the_last_one() -> None:
    current = current_label(
        [
            entry(DEER, by="bob"),
            entry(DEER, at=7),
            entry(FOX, by="eve", at=9),
            entry(DEER, source="coco", at=11),
        ]
    )
    assert (current.label, current.by, current.source) == (DEER, ("ann", "bob"), "label-studio")
    assert current.at == NOON + dt.timedelta(minutes=7)
    assert current_label([entry(FOX, by=None, source="coco")]).by == ()
    assert current_label([entry(FOX, by=None, source="coco")]).source == "coco"


def test_the_most_confident_weak_label_counts_until_there_is_another_label() -> None:
    weak = [entry("weak", by=str(sure), source=f"net {sure}") for sure in (3, 8, 5)]
    history = [
        replace(each, label=DEER + row, confidence=int(each.annotator or 0) / 10)
        for row, each in enumerate(weak)
    ]
    current = current_label(history)
    assert (current.verdict, current.label, current.confidence) == (Verdict.WEAK, FOX, 0.8)
    assert not current.resolved
    assert current_label([*history, entry("skipped")]).verdict is Verdict.WEAK
    struck = current_label([*history, entry("struck", way=BOARD)])
    assert (struck.verdict, struck.struck) == (Verdict.WEAK, True)
    assert current_label([*history, entry(HARE, source="coco")]).label == HARE
    assert current_label([*history, entry("unsure")]).verdict is Verdict.UNSURE


def test_labels_and_unsure_leave_the_queue_and_all_else_stays() -> None:
    assert current_label([entry(DEER)]).resolved
    assert current_label([entry("unsure")]).resolved
    assert not current_label([entry("skipped")]).resolved
    assert not current_label([]).resolved
    assert not current_label([entry(DEER), entry(FOX, by="bob")]).resolved


@st.composite
def histories(draw: st.DrawFn) -> list[OracleEntry]:
    """Annotations of a few people, with any mixture of revisions; each (uid, revision) is unique."""
    entries = []
    choices: list[int | str] = [0, DEER, FOX, "unsure", "skipped", "struck", "deleted"]
    for number in range(draw(st.integers(0, 6))):
        by = draw(st.sampled_from(["ann", "bob", "cay", None]))
        source = draw(st.sampled_from(["label-studio", "label-studio", "camtrap-dp"]))
        for revision in range(1, draw(st.integers(1, 3)) + 1):
            answer = draw(st.sampled_from(choices))
            at = draw(st.integers(0, 3))
            truth = draw(st.booleans())
            uid = f"uid-{number}"
            way = draw(st.sampled_from(Way))
            expert = {"expert": True} if draw(st.booleans()) else {}
            made = entry(
                answer, by=by, at=at, uid=uid, revision=revision, truth=truth, source=source, way=way
            )
            entries.append(replace(made, attributes=expert))
    return entries


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(history: list[OracleEntry], shuffler: random.Random) -> None:
    shuffled = list(history)
    shuffler.shuffle(shuffled)
    assert current_label(shuffled) == current_label(history)


@given(histories())
def test_repeated_rows_change_nothing(history: list[OracleEntry]) -> None:
    assert current_label(history + history) == current_label(history)


@given(histories())
def test_the_current_label_is_consistent(history: list[OracleEntry]) -> None:
    current = current_label(history)
    assert (current.label is not None) == (current.verdict is Verdict.LABEL)
    assert current.verdict is not Verdict.DELETED
    assert not (current.disputed and current.resolved)
    assert current.votes <= current.voters
    if current.label is not None:
        assert current.label in {entry.label for entry in history}


@given(histories())
def test_deleting_every_annotation_leaves_nothing(history: list[OracleEntry]) -> None:
    gone = [entry("deleted", uid=each.annotation_uid, revision=99) for each in history]
    assert current_label(history + gone) == NOTHING


@given(histories())
def test_skips_of_others_never_change_a_label(history: list[OracleEntry]) -> None:
    current = current_label(history)
    if current.voters:
        assert current_label([*history, entry("skipped", by="dee", at=9)]) == current


@given(histories())
def test_what_others_say_of_a_group_never_changes_what_was_decided_alone(history: list[OracleEntry]) -> None:
    current = current_label(history)
    if current.way is Way.SINGLE and not any(entry.ground_truth for entry in history):
        board = [entry(answer, by="dee", at=9, way=BOARD) for answer in (DEER, FOX, "unsure", "struck")]
        for later in board:
            after = current_label([*history, later])
            assert replace(after, voters=current.voters) == current
