"""The species list: repeated names are merged, and invalid names are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.label_studio.species import parse_species, read_species


def test_names_come_in_the_order_of_the_file_in_lower_case() -> None:
    listed = parse_species("Red Fox\nwhite-tailed  deer\n", "s.txt")
    assert (listed.names, listed.notes) == (["red fox", "white-tailed deer"], [])


def test_comments_and_blank_lines_are_ignored() -> None:
    listed = parse_species("# the park\n\n  \nfox # the red one\n#deer\ncamp #4\n", "s.txt")
    assert listed.names == ["fox", "camp"]


def test_a_hash_inside_a_word_is_part_of_the_name() -> None:
    assert parse_species("site#4 vole", "s.txt").names == ["site#4 vole"]


def test_windows_line_ends_and_byte_order_marks_are_not_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "species.txt"
    path.write_bytes("﻿fox\r\ndeer\r\n".encode())
    assert read_species(path).names == ["fox", "deer"]


def test_a_repeated_name_counts_once_and_is_noted_with_file_and_lines() -> None:
    listed = parse_species("fox\ndeer\nFOX\n", "s.txt")
    assert listed.names == ["fox", "deer"]
    assert listed.notes == ["s.txt, line 3: 'fox' is already in line 1"]


def test_reserved_names_may_be_listed_and_are_offered_once() -> None:
    listed = parse_species("Empty\nfox\nunsure\n", "s.txt")
    assert listed.names == ["fox"]
    assert listed.notes == [
        "s.txt, line 1: 'empty' is always offered",
        "s.txt, line 3: 'unsure' is always offered",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no species"),
        ("# nothing\nempty\n", "has no species"),
        ("fox\n$crop\n", r"line 2: '\$crop' begins with \$"),
        ("fox\nde\x07er\n", "line 2: .* contains the character"),
        ("fox\n" + "x" * 81, "line 2: .* more than 80 characters"),
    ],
)
def test_a_name_that_cannot_be_a_choice_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_species(text, "s.txt")


def test_a_list_that_cannot_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_species(tmp_path / "absent.txt")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("bärenmaki".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        read_species(latin)


def test_words_that_name_no_species_are_noted_and_people_and_vehicles_can_be_chosen() -> None:
    listed = parse_species("Animal\nred fox\nunidentifiable\nhuman\nvehicle\nNothing here\n", "s.txt")
    assert listed.names == ["red fox", "human", "vehicle"]
    assert listed.notes == [
        "s.txt, line 1: 'animal' names no species: 'unsure' is always offered",
        "s.txt, line 3: 'unidentifiable' names no species: 'unsure' is always offered",
        "s.txt, line 6: 'nothing here' means 'empty', which is always offered",
    ]
