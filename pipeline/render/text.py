"""The parts of every report: counts, shares with their interval, tables and lists."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

NOTHING = "-"  # in a cell without a value
_PLURAL_WORD = re.compile(r"\b[\w-]*[^su\W]s\b")  # not "class" or "status"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A table; `align` has one letter a column: `l` for left, `r` for right (numbers).

    A newline in a header or cell starts another line of it.
    """
    return tabulate(
        list(rows),
        header,
        tablefmt="simple",
        colalign=_aligned(align),
        headersglobalalign=None,
        disable_numparse=True,
    )


def columns(rows: Iterable[Sequence[object]], align: str) -> str:
    """Cells in columns without a header; `align` as in `table`."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return ""
    return tabulate(cells, tablefmt="plain", colalign=_aligned(align), disable_numparse=True)


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, one pair a line; a pair whose value is None is left out."""
    return columns(((name, value) for name, value in pairs if value is not None), "ll")


def tally(counts: Iterable[tuple[int, str]]) -> str:
    """Counted things, one a line; a count of 0 is left out. Each phrase is as in `count`."""
    return columns(((f"{number:,}", _agreeing(number, phrase)) for number, phrase in counts if number), "rl")


def count(number: int, phrase: str) -> str:
    """`1 photograph`, `1,204 photographs`: the phrase is in the plural, and its first noun agrees."""
    return f"{number:,} {_agreeing(number, phrase)}"


def share(value: float | None) -> str:
    """A share from 0 to 1 in percent."""
    return NOTHING if value is None else f"{value:.0%}"


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its limits: `87% (80% to 92%)`."""
    if value is None or low is None or high is None:
        return share(value)
    return f"{value:.0%} ({low:.0%} to {high:.0%})"


def decimal(value: float | None, digits: int = 2) -> str:
    """A figure that is no share of anything, such as macro-F1."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def by_kind(counts: Mapping[str, int]) -> str:
    """`3 truncated, 1 missing`, the most frequent first; a single kind without its number."""
    ordered = sorted(((number, kind) for kind, number in counts.items() if number), key=lambda item: -item[0])
    if len(ordered) == 1:
        return ordered[0][1]
    return ", ".join(f"{number:,} {kind}" for number, kind in ordered)


def moment(at: dt.datetime | None) -> str:
    """Date and time on this machine's clock."""
    return "never" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def indented(text: str) -> str:
    """Two spaces before every line."""
    return textwrap.indent(text, "  ")


def paragraphs(*parts: str | None) -> str:
    """The parts that have text, a blank line between them."""
    return "\n\n".join(part for part in parts if part)


def lines(*parts: str | None) -> str:
    """The parts that have text, each on a line of its own."""
    return "\n".join(part for part in parts if part)


def printable(name: str) -> str:
    """The name with its control characters escaped, so that it stays on one line."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


def _agreeing(number: int, phrase: str) -> str:
    return phrase if number != 1 else _PLURAL_WORD.sub(lambda word: _singular(word[0]), phrase, count=1)


def _singular(noun: str) -> str:
    if noun == "species":
        return noun
    for plural, ending in (("sses", "ss"), ("xes", "x"), ("ies", "y"), ("s", "")):
        if noun.endswith(plural):
            return noun.removesuffix(plural) + ending
    return noun


def _aligned(align: str) -> tuple[str, ...]:
    return tuple({"l": "left", "r": "right"}[letter] for letter in align)
