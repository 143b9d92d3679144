"""The species list: a text file with one name per line, or a CSV table of taxa."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.label_studio.species_table import (
    DELIMITERS,
    NO_DELIMITER,
    Row,
    delimiter_of,
    named,
    table,
    written_as,
)
from pipeline.records import EMPTY, UNSURE, Taxon
from pipeline.taxonomy import HIGHER
from pipeline.vocabulary import Meaning, meaning_of, names_no_species

MAX_NAME = 80  # characters: a longer name is probably a mistake, and does not fit on the screen
_TABLES = (".csv", ".tsv")  # endings of a table


@dataclass(frozen=True, kw_only=True)
class SpeciesList:
    """The choices of a project, and what the list says of them as taxa."""

    names: Sequence[str]  # the choices in the order of the file, in lower case
    notes: Sequence[str] = ()  # a sentence for each line that was ignored, and for what was proposed
    taxa: Sequence[Taxon] = ()  # of the choices of which more than the name is known
    other_names: Mapping[str, str] = field(default_factory=dict)  # the choice of each, in lower case


def read_species(path: Path) -> SpeciesList:
    """Read `path`: text with one name per line, or a CSV table.

    In text, `#` starts a comment and blank lines are ignored. A table has a header that names one column at
    least: a common name, a scientific name, both; it may have rank, parent, taxon id, and class to genus.
    The choice is the first common name, else the scientific name; all others are other names of it.
    Repeated names, in any letter case, count once. "empty" and "unsure" are always offered and need not be
    listed. Raises SourceError, with file and line, if a name cannot be a choice or is of two species.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise SourceError(f"the species list {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"the species list {path} is not UTF-8 text", remedy="save it as UTF-8") from exc
    return parse_species(text, str(path))


def parse_species(text: str, source: str) -> SpeciesList:
    """Like `read_species`, for the content of a file; `source` is its name in errors and notes."""
    notes: list[str] = []
    listed: list[Row] = []
    claimed: dict[str, Row] = {}
    for row in _rows(text, source, notes):
        for name in row.names:
            check_name(name, f"{source}, line {row.line}")
        offered = _always_offered(row.names[0])
        if offered is not None:
            notes.append(f"{source}, line {row.line}: {row.names[0]!r}{offered} is always offered")
            continue
        first = claimed.get(row.names[0])
        if first is not None and (first.names, first.taxon) == (row.names, row.taxon):
            notes.append(f"{source}, line {row.line}: {row.names[0]!r} is already in line {first.line}")
            continue
        for name in row.names:
            if name in claimed:
                raise _twice(name, claimed[name], row, source)
        notes += [
            f"{source}, line {row.line}: {name!r} names no species: no other name of {row.names[0]!r}"
            for name in row.names[1:]
            if not _is_species(name)
        ]
        claimed |= dict.fromkeys(row.names, row)
        listed.append(row)
    if not listed:
        raise SourceError(
            f"the species list {source} has no species", remedy="write one name per line, or a CSV table"
        )
    higher = [f"{row.names[0]} ({row.taxon.rank})" for row in listed if row.taxon.rank in HIGHER]
    if higher:
        notes.append(f"{source}: higher taxa, each a class of its own: {', '.join(higher)}")
    return SpeciesList(
        names=[row.names[0] for row in listed],
        notes=notes,
        taxa=[row.taxon for row in listed if row.taxon != Taxon(category=row.taxon.category)],
        other_names={name: row.names[0] for row in listed for name in row.names[1:] if _is_species(name)},
    )


def can_be_listed(name: str) -> bool:
    """Whether a table can offer `name`, which is in lower case."""
    try:
        check_name(name, "")
    except SourceError:
        return False
    return bool(name) and name == written_as(name) and not name.startswith("#")


def _rows(text: str, source: str, notes: list[str]) -> Iterator[Row]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    delimiter = delimiter_of(first)
    if delimiter == NO_DELIMITER:
        text = "\n".join(map(_without_comment, lines))
    if delimiter is not None:
        return table(text, source, delimiter, notes)
    if source.lower().endswith(_TABLES) and any(mark in first for mark in DELIMITERS):
        raise SourceError(
            f"{source}: the first line names no column of species: {first.strip()[:80]}",
            remedy="name one column common_name or scientific_name",
        )
    rows = (named(_without_comment(line), number) for number, line in enumerate(lines, start=1))
    return (row for row in rows if row is not None)


def _always_offered(name: str) -> str | None:
    """Why a name need not be listed, as a part of a sentence; None if it names something to list."""
    if name in (EMPTY, UNSURE):
        return ""
    if meaning_of(name) is Meaning.BLANK:
        return f" means {EMPTY!r}, which"
    return f" names no species: {UNSURE!r}" if names_no_species(name) else None


def _is_species(name: str) -> bool:
    return meaning_of(name) is not Meaning.BLANK and not names_no_species(name)


def _twice(name: str, first: Row, row: Row, source: str) -> SourceError:
    whose = "" if first.names[0] == name else f" of {first.names[0]!r}"
    return SourceError(
        f"{source}, line {row.line}: {name!r} is already a name{whose} in line {first.line}",
        remedy="make them one row, or leave the name to one of them",
    )


def _without_comment(line: str) -> str:
    """The line without its comment: a `#` starts one at the beginning of the line or after a space."""
    for position, character in enumerate(line):
        if character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def check_name(name: str, where: str) -> None:
    """Raise SourceError, which begins with `where`, if the name cannot be a choice."""
    if name.startswith("$"):
        raise SourceError(
            f"{where}: {name!r} begins with $, which Label Studio reserves for fields of the task",
            remedy="remove the $",
        )
    if len(name) > MAX_NAME:
        raise SourceError(
            f"{where}: {name[:30]!r}... has more than {MAX_NAME} characters", remedy="shorten the name"
        )
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co"):
            raise SourceError(
                f"{where}: {name!r} contains the character {character!r}, which cannot be displayed",
                remedy="remove the character",
            )
