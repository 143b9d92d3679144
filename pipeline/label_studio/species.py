"""The project manager's list of species: a text file, one name a line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import EMPTY, UNSURE, category_name
from pipeline.vocabulary import Meaning, meaning_of

LONGEST = 80  # characters: a name that long is a slip, and breaks the screen


@dataclass(frozen=True, kw_only=True)
class SpeciesList:
    """The names in the order of the file, in lower case, and what was merged on the way."""

    names: Sequence[str]
    notes: Sequence[str]  # a sentence for each line that added no name


def read_species(path: Path) -> SpeciesList:
    """Read `path`: a name a line, `#` begins a comment, blank lines are passed over.

    A name that stands twice, whatever its case, is kept once; "empty" and "unsure" are always offered
    and may be listed or not. Raises SourceError, naming file and line, for what cannot be a choice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise SourceError(f"the species list {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"the species list {path} is not UTF-8 text", remedy="save it as UTF-8") from exc
    return parse_species(text, str(path))


def parse_species(text: str, source: str) -> SpeciesList:
    """`read_species` of a file's content; `source` names it in errors and notes."""
    first_line: dict[str, int] = {}
    notes: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        name = category_name(_without_comment(line))
        if not name:
            continue
        _check(name, f"{source}, line {number}")
        if name in (EMPTY, UNSURE):
            notes.append(f"{source}, line {number}: {name!r} is always offered")
        elif meaning_of(name) is Meaning.BLANK:
            notes.append(f"{source}, line {number}: {name!r} means {EMPTY!r}, which is always offered")
        elif name in first_line:
            notes.append(f"{source}, line {number}: {name!r} stands in line {first_line[name]} already")
        else:
            first_line[name] = number
    if not first_line:
        raise SourceError(f"the species list {source} names no species", remedy="write one name a line")
    return SpeciesList(names=list(first_line), notes=notes)


def _without_comment(line: str) -> str:
    """The line up to a `#` that begins it or follows a space: `white-tailed deer # the common one`."""
    for position, character in enumerate(line):
        if character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def _check(name: str, where: str) -> None:
    if name.startswith("$"):
        raise SourceError(
            f"{where}: {name!r} begins with $, by which Label Studio means a field of the task",
            remedy="write the name without it",
        )
    if len(name) > LONGEST:
        raise SourceError(f"{where}: {name[:30]!r}... has more than {LONGEST} characters")
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co"):
            raise SourceError(f"{where}: {name!r} has the character {character!r}, which no screen can show")
