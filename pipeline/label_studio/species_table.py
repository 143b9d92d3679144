"""The rows of a species list: a name each, or of a CSV table with what is known of it as a taxon."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import SourceError
from pipeline.records import Taxon, category_name
from pipeline.taxonomy import (
    HIGHER,
    RANKS,
    family_named,
    from_lineage,
    proposed_rank,
    scientific_name,
    taxon_of,
)

DELIMITERS = ",;\t"
NO_DELIMITER = "\x1f"  # of a table of one column, whose names may contain any other

# Headings as people and programs write them, in lower case and without anything but letters.
_HEADINGS = {
    "scientific": (
        *("scientificname", "scientific", "latinname", "latin", "binomial", "binomialname", "taxon"),
        *("taxonname", "canonicalname", "acceptedname", "acceptedscientificname", "sciname"),
    ),
    "common": (
        *("commonname", "commonnames", "common", "vernacularname", "vernacularnames", "vernacular"),
        *("name", "englishname", "label", "category", "choice"),
    ),
    "rank": ("rank", "taxonrank", "taxonomicrank", "taxonlevel", "taxonomylevel"),
    "parent": ("parent", "parenttaxon", "parentname", "parentnameusage", "highertaxon"),
    "id": (
        *("taxonid", "witaxonid", "taxonkey", "gbifid", "gbifkey", "gbiftaxonid", "gbiftaxonkey"),
        *("inattaxonid", "itistsn", "tsn", "colid"),
    ),
    "taxonomy": ("taxonomy", "taxonomystring"),
    "species": ("species", "speciesname", "specificepithet"),  # the epithet beside a column genus
    "unused": ("photographs",),  # of a proposed list
}
_COLUMN = {heading: column for column, headings in _HEADINGS.items() for heading in headings}
_NAMES = ("scientific", "common", "species", "taxonomy")  # one of these columns makes a table
_LANGUAGE = re.compile(r"(?:vernacular|common)names?([a-z]{2,3})")  # vernacularNames.eng
_NOT_LETTERS = re.compile(r"[^a-z]")
_NONE = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_SEPARATORS = re.compile(r"[|;]")  # of several common names in a cell


@dataclass(frozen=True, kw_only=True)
class Row:
    """One species of a list."""

    line: int  # from 1
    names: tuple[str, ...]  # in lower case: the choice, then its other names
    taxon: Taxon  # its category is the choice


def delimiter_of(line: str) -> str | None:
    """The delimiter if the line is the header of a table; else None."""
    delimiter = max(DELIMITERS, key=line.count)
    delimiter = delimiter if delimiter in line else NO_DELIMITER
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return delimiter if any(_column(cell) in _NAMES for cell in cells) else None


def named(text: str, line: int) -> Row | None:
    """The row of a name, or of a taxonomy string; None if there is no name."""
    known = taxon_of(text) or Taxon(category=category_name(text))
    if not known.category:
        return None
    return _row(line, [known.category], known)


def written_as(name: str) -> str:
    """The name that is read from a cell of common names with this content alone; blank if none is."""
    return "" if name.lower() in _NONE else _SEPARATORS.split(name)[0].strip()


def table(text: str, source: str, delimiter: str, notes: list[str]) -> Iterator[Row]:
    """The rows of a table below its header; `source` is its name in errors and notes.

    A line that begins with # is a comment. Raises SourceError, with file and line, for a row without a
    name.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns: list[str | None] = []
    try:
        for values in reader:
            cells = [" ".join(value.split()) for value in values]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns:
                yield _table_row(columns, cells, reader.line_num, source, notes)
                continue
            columns = [_column(cell) for cell in cells]
            unknown = [cell for cell, column in zip(cells, columns, strict=True) if cell and not column]
            if unknown:
                notes.append(f"{source}: not used: column {', column '.join(map(repr, unknown))}")
    except csv.Error as exc:
        raise SourceError(f"{source} is not a CSV file: {exc}", remedy="export it again") from exc


def _column(heading: str) -> str | None:
    """What a column holds: a key of _HEADINGS, a rank above species, or common names by language."""
    key = _NOT_LETTERS.sub("", heading.lower())
    if key in _COLUMN or key in HIGHER:
        return _COLUMN.get(key, key)
    language = _LANGUAGE.fullmatch(key)
    return f"common {language[1]}" if language else None


def _table_row(
    columns: Sequence[str | None], cells: Sequence[str], line: int, source: str, notes: list[str]
) -> Row:
    values: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        if column is not None and cell.lower() not in _NONE:
            values.setdefault(column, cell)
    common, languages = _common_names(values)
    species, scientific = values.get("species", ""), values.get("scientific", "")
    lineage = {rank: name.capitalize() for rank, name in values.items() if rank in HIGHER}
    known = taxon_of(values.get("taxonomy", ""))
    if known is not None:
        common.append(known.category)
    elif {"genus", "species"} <= set(columns):  # blank where the row is of a higher taxon
        known = from_lineage(lineage, species)
    elif common or scientific:
        scientific = scientific or species
    else:
        common.append(species)
    known = known or Taxon(category="")
    if scientific:  # outranks what a taxonomy says
        rank_shown = proposed_rank("", scientific)
        known = replace(known, scientific_name=scientific_name(scientific), rank=rank_shown)
    rank = values.get("rank", "").lower()
    if rank and rank not in RANKS:
        notes.append(f"{source}, line {line}: {rank!r} is no rank: one of {', '.join(RANKS)}")
        rank = ""
    names = [*common, known.scientific_name or ""]
    if not any(names):
        raise SourceError(
            f"{source}, line {line}: neither a common nor a scientific name", remedy="give it a name"
        )
    taxon = replace(
        known,
        rank=rank or known.rank,
        parent=values.get("parent"),
        taxon_id=values.get("id") or known.taxon_id,
        vernacular_names=languages,
        lineage=known.lineage or lineage,
    )
    return _row(line, names, taxon)


def _common_names(values: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """All common names in the order of the columns, and the first of each language that has a column."""
    names: list[str] = []
    languages: dict[str, str] = {}
    for column, cell in values.items():
        if column.split()[0] == "common":
            several = [part.strip() for part in _SEPARATORS.split(cell) if part.strip()]
            names += several
            language = column.removeprefix("common").strip()
            if len(language) == 3 and several:  # ISO 639-3
                languages[language] = several[0]
    return names, languages


def _row(line: int, names: Sequence[str], taxon: Taxon) -> Row:
    """The row with these names, of which some may be blank, and with what their form shows of the taxon."""
    choice = next(filter(None, map(category_name, names)))
    scientific = taxon.scientific_name or family_named(choice)
    distinct = dict.fromkeys(filter(None, map(category_name, [choice, *names, scientific or ""])))
    rank = taxon.rank or proposed_rank(choice, scientific or "")
    taxon = replace(taxon, category=choice, scientific_name=scientific, rank=rank)
    return Row(line=line, names=tuple(distinct), taxon=taxon)
