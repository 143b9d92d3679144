"""What people say of a photograph that machines call empty, from what each of them said when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from pipeline.current_label import OracleEntry
from pipeline.records import Verdict, Way
from pipeline.store.empties import Finding, finding

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
EMPTY, DEER = 0, 1


def said(
    verdict: Verdict,
    label: int | None = None,
    *,
    by: str | None = "ann",
    minute: int = 0,
    way: Way = Way.BOARD,
    uid: str | None = None,
    revision: int = 1,
) -> OracleEntry:
    return OracleEntry(
        annotation_uid=uid or f"{by} {minute}",
        revision=revision,
        verdict=verdict,
        label=label,
        annotator=by,
        annotated_at=NOON + dt.timedelta(minutes=minute),
        way=way,
    )


SIGNED = said(Verdict.LABEL, EMPTY)
STRUCK = said(Verdict.STRUCK, by="bob", minute=1)


@pytest.mark.parametrize(
    ("history", "boxes", "expected"),
    [
        ([], [], Finding.OPEN),
        ([SIGNED], [], Finding.NO_ANIMAL),
        ([STRUCK], [], Finding.STRUCK),
        ([SIGNED, STRUCK], [], Finding.STRUCK),  # who saw something is believed
        ([STRUCK, said(Verdict.LABEL, EMPTY, minute=2)], [], Finding.STRUCK),  # others saw a small picture
        ([STRUCK, said(Verdict.LABEL, EMPTY, by="bob", minute=2)], [], Finding.NO_ANIMAL),  # bob thinks again
        ([STRUCK, said(Verdict.LABEL, EMPTY, minute=2, way=Way.SINGLE)], [], Finding.NO_ANIMAL),
        ([STRUCK, said(Verdict.UNSURE, minute=2, way=Way.SINGLE)], [], Finding.UNDECIDED),
        ([said(Verdict.LABEL, DEER)], [], Finding.ANIMAL),
        ([said(Verdict.SKIPPED)], [], Finding.UNDECIDED),
        ([said(Verdict.UNSURE)], [], Finding.UNDECIDED),
        ([SIGNED, said(Verdict.LABEL, DEER, by="bob")], [], Finding.UNDECIDED),  # disputed
        ([SIGNED, said(Verdict.DELETED, uid="ann 0", revision=2)], [], Finding.OPEN),
        ([STRUCK, said(Verdict.DELETED, uid="bob 1", revision=2), SIGNED], [], Finding.NO_ANIMAL),
        ([SIGNED], [None], Finding.ANIMAL),  # a box without a label yet
        ([SIGNED], ["deer", "empty"], Finding.ANIMAL),
        ([STRUCK], ["empty"], Finding.NO_ANIMAL),  # the box shows nothing
        ([STRUCK], ["person", "vehicle"], Finding.NO_ANIMAL),
    ],
)
def test_what_people_found(
    history: Sequence[OracleEntry], boxes: Sequence[str | None], expected: Finding
) -> None:
    assert finding(history, boxes) is expected
    assert finding(list(reversed(history)), boxes) is expected


def test_labels_of_sources_sign_nothing_off() -> None:
    imported = OracleEntry(
        annotation_uid="source",
        revision=1,
        verdict=Verdict.LABEL,
        label=EMPTY,
        annotator=None,
        annotated_at=NOON,
        source="coco:park",
    )
    assert finding([imported], []) is Finding.OPEN
