"""The species list: what a manager writes, merged where that is safe and refused where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.label_studio.species import parse_species, read_species


def test_names_come_in_the_order_of_the_file_in_lower_case() -> None:
    listed = parse_species("Red Fox\nwhite-tailed  deer\n", "s.txt")
    assert (listed.names, listed.notes) == (["red fox", "white-tailed deer"], [])


def test_comments_and_blank_lines_name_nothing() -> None:
    listed = parse_species("# the park\n\n  \nfox # the red one\n#deer\ncamp #4\n", "s.txt")
    assert listed.names == ["fox", "camp"]


def test_a_hash_inside_a_word_is_part_of_the_name() -> None:
    assert parse_species("site#4 vole", "s.txt").names == ["site#4 vole"]


def test_windows_line_ends_and_byte_order_marks_are_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "species.txt"
    path.write_bytes("﻿fox\r\ndeer\r\n".encode())
    assert read_species(path).names == ["fox", "deer"]


def test_a_repetition_is_kept_once_and_said_so_with_file_and_lines() -> None:
    listed = parse_species("fox\ndeer\nFOX\n", "s.txt")
    assert listed.names == ["fox", "deer"]
    assert listed.notes == ["s.txt, line 3: 'fox' stands in line 1 already"]


def test_reserved_names_may_be_listed_and_are_offered_once() -> None:
    listed = parse_species("Empty\nfox\nunsure\n", "s.txt")
    assert listed.names == ["fox"]
    assert listed.notes == [
        "s.txt, line 1: 'empty' is always offered",
        "s.txt, line 3: 'unsure' is always offered",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no species"),
        ("# nothing\nempty\n", "names no species"),
        ("fox\n$crop\n", r"line 2: '\$crop' begins with \$"),
        ("fox\nde\x07er\n", "line 2: .* has the character"),
        ("fox\n" + "x" * 81, "line 2: .* more than 80 characters"),
    ],
)
def test_what_cannot_be_a_choice_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        parse_species(text, "s.txt")


def test_a_list_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_species(tmp_path / "absent.txt")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("bärenmaki".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        read_species(latin)
