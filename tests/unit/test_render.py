"""The parts that every report is made of, and reports as JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.output import plain
from pipeline.render import text


@pytest.mark.parametrize(
    ("phrase", "singular"),
    [
        ("photographs", "1 photograph"),
        ("new photographs", "1 new photograph"),
        ("categories", "1 category"),
        ("boxes of `empty`", "1 box of `empty`"),
        ("class labels", "1 class label"),
        ("species", "1 species"),
        ("images whose id is a number", "1 image whose id is a number"),
        ("audit crops", "1 audit crop"),
    ],
)
def test_a_phrase_agrees_with_its_number(phrase: str, singular: str) -> None:
    assert text.count(1, phrase) == singular
    assert text.count(0, phrase) == f"0 {phrase}"
    assert text.count(1204, phrase) == f"1,204 {phrase}"


def test_tables_are_aligned_with_numbers_to_the_right() -> None:
    table = text.table(("name", "labels to\nreach"), [("a", "1"), ("random", "1,200")], "lr")
    assert table.splitlines() == [
        "name      labels to",
        "              reach",
        "------  -----------",
        "a                 1",
        "random        1,200",
    ]


def test_text_that_looks_like_a_number_stays_as_it_is() -> None:
    assert text.columns([("007", "1e3"), ("True", "")], "ll").splitlines() == ["007   1e3", "True"]


def test_a_tally_leaves_out_what_did_not_happen() -> None:
    lines = text.tally([(1200, "crops"), (0, "boxes"), (1, "sequences")]).splitlines()
    assert lines == ["1,200  crops", "    1  sequence"]
    assert text.tally([(0, "crops")]) == ""


def test_kinds_come_with_their_numbers_unless_there_is_one_kind() -> None:
    assert text.by_kind(Counter(missing=1, truncated=3)) == "3 truncated, 1 missing"
    assert text.by_kind(Counter(missing=4)) == "missing"


def test_shares_are_in_percent_and_a_missing_one_is_a_dash() -> None:
    assert text.interval(0.871, 0.8, 0.92) == "87% (80% to 92%)"
    assert text.interval(0.871, None, None) == "87%"
    assert text.interval(None, None, None) == text.decimal(None) == "-"


def test_control_characters_of_a_name_are_escaped() -> None:
    assert text.printable("a/b\nc\t é.jpg") == "a/b\\nc\\t é.jpg"


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    path: Path
    at: dt.datetime | None


def test_json_has_plain_types_alone() -> None:
    moment = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    report = {
        "parts": (Part(Path("a/b"), moment), Part(Path("c"), None)),
        "colours": {Colour.RED: 1},
        "pairs": Counter({("deer", "train"): 3, ("deer", "test"): 1}),
        "set": {3, 1},
        "share": np.float32(0.5),
        "whole": np.int64(7),
        "row": np.arange(2),
        "none": float("nan"),
        "is": True,
    }
    assert json.loads(json.dumps(plain(report))) == {
        "parts": [{"path": "a/b", "at": "2026-03-04T05:06:07+00:00"}, {"path": "c", "at": None}],
        "colours": {"red": 1},
        "pairs": {"deer": {"train": 3, "test": 1}},
        "set": [1, 3],
        "share": 0.5,
        "whole": 7,
        "row": [0, 1],
        "none": None,
        "is": True,
    }


def test_what_has_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        plain(object())
