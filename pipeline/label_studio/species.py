"""The species list: a text file with one name per line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import EMPTY, UNSURE, category_name
from pipeline.vocabulary import Meaning, meaning_of

MAX_NAME = 80  # characters: a longer name is probably a mistake, and does not fit on the screen


@dataclass(frozen=True, kw_only=True)
class SpeciesList:
    """The names in the order of the file, in lower case."""

    names: Sequence[str]
    notes: Sequence[str]  # a sentence for each line that was ignored


def read_species(path: Path) -> SpeciesList:
    """Read `path`: one name per line; `#` starts a comment; blank lines are ignored.

    Repeated names, in any letter case, count once. "empty" and "unsure" are always offered and need not
    be listed. Raises SourceError, with file and line, if a name cannot be a choice.
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
    first_line: dict[str, int] = {}
    notes: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        name = category_name(_without_comment(line))
        if not name:
            continue
        check_name(name, f"{source}, line {number}")
        if name in (EMPTY, UNSURE):
            notes.append(f"{source}, line {number}: {name!r} is always offered")
        elif meaning_of(name) is Meaning.BLANK:
            notes.append(f"{source}, line {number}: {name!r} means {EMPTY!r}, which is always offered")
        elif name in first_line:
            notes.append(f"{source}, line {number}: {name!r} is already in line {first_line[name]}")
        else:
            first_line[name] = number
    if not first_line:
        raise SourceError(f"the species list {source} has no species", remedy="write one name per line")
    return SpeciesList(names=list(first_line), notes=notes)


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
