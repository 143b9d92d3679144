"""The columns of a CSV of Timelapse: those that it always has, and those of the user's template."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from importers.reading import csv_file
from importers.reading.clocks import parse_clock_time
from importers.reading.paths import as_text
from pipeline.camtrap_dp import number_of
from pipeline.errors import SourceError
from pipeline.records import LARGEST

REQUIRED = ("File", "RelativePath")
_OWN = frozenset(  # columns of Timelapse itself, of all its versions
    {"RootFolder", "File", "RelativePath", "Folder", "DateTime", "UtcOffset", "Date", "Time"}
    | {"ImageQuality", "DeleteFlag"}
)
_SPECIES = re.compile(r"species\d*", re.IGNORECASE)  # a name that says what it is
_LIKELY = re.compile(r"species|taxon|animal|common.?name", re.IGNORECASE)
_YES = frozenset({"true", "1", "yes"})
_NO = frozenset({"false", "no"})
_MONTH_NAMED = "%d-%b-%Y %H:%M:%S"  # as older versions write times
_DIGITS = "0123456789"
_MOST_DIGITS = 12  # of a counter that are read
_MOST_OFFSET = 24  # hours
_METHOD, _PROBABILITY = "ClassificationMethod", "Probability"  # beside each species in Wildloop's exports
_BESIDE = frozenset({"ScientificName"})  # also there: no answer of its own

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SpeciesField:
    """A field of the template that says what a photograph shows, with those that belong to it."""

    name: str
    count: str | None  # individuals
    method: str | None  # "machine" if a machine answered
    probability: str | None  # of the machine


def fields_of(
    table: Path, species: Sequence[str], count: str | None
) -> tuple[tuple[SpeciesField, ...], frozenset[str]]:
    """The fields that were named, and the names of all further ones of the template.

    If none was named, those that are called Species, with Count. Of `Species2`, the fields that belong to
    it end in 2 as well. Raises SourceError if the table is none of Timelapse's, or has no such field; it
    proposes one.
    """
    first = next(csv_file.rows(table, REQUIRED), None)
    where = as_text(str(table))
    if first is None:
        raise SourceError(f"{where} lists no photograph", remedy="export it again")
    own = [as_text(name) for name in first[1] if name and name not in _OWN]
    likely = [name for name in own if _LIKELY.search(name) and name not in _BESIDE]
    remedy = f"name it: --species-field '{likely[0] if likely else 'NAME'}'"
    listed = f"the template has {', '.join(own) or 'none'}"
    if not species:
        species = [name for name in own if _SPECIES.fullmatch(name)]
        count = count or next((name for name in own if name.lower() == "count"), None)
    if not species:
        raise SourceError(f"{where}: it is not known which field names the species; {listed}", remedy=remedy)
    for name in (*species, *([count] if count is not None else [])):
        if name not in own:
            raise SourceError(f"{where} has no field {name}; {listed}", remedy=remedy)
    fields = [
        SpeciesField(
            name=name,
            count=count if len(species) == 1 else _beside(count, name, own),
            method=_beside(_METHOD, name, own),
            probability=_beside(_PROBABILITY, name, own),
        )
        for name in species
    ]
    used = {each for field in fields for each in (field.name, field.count, field.method, field.probability)}
    return tuple(fields), frozenset(own) - used


def _beside(name: str | None, species: str, own: Sequence[str]) -> str | None:
    """The field of this name with the number at the end of a field of species; None without one."""
    if name is None:
        return None
    number = species[len(species.rstrip(_DIGITS)) :]
    found = name.rstrip(_DIGITS) + number
    return found if found in own else None


def is_deleted(row: Row) -> bool:
    """Whether somebody marked the photograph for deletion."""
    return row.get("DeleteFlag", "").lower() in _YES


def answer_in(row: Row, field: SpeciesField) -> tuple[str, int | None] | None:
    """The word of a field and the number of individuals; None for an empty field, which is no answer.

    A flag or a counter is named after what it flags or counts: `Empty` true, `Deer` 2.
    """
    value = row.get(field.name, "")
    if not value or value.lower() in _NO:
        return None
    if value.isascii() and value.isdigit():
        number = int(value[:_MOST_DIGITS])
        return (field.name, min(number, LARGEST)) if number else None
    if value.lower() in _YES:
        return field.name, None
    return value, None


def time_of(row: Row) -> dt.datetime | None:
    """When the photograph was taken, by the camera's clock; None without one. Raises ValueError."""
    text = row.get("DateTime") or " ".join(part for part in (row.get("Date"), row.get("Time")) if part)
    if not text:
        return None
    with suppress(ValueError):
        text = dt.datetime.strptime(text, _MONTH_NAMED).isoformat()
    time = parse_clock_time(text)
    if time.tzinfo is not None and time.utcoffset() == dt.timedelta() and row.get("UtcOffset"):
        hours = number_of(row["UtcOffset"])
        if hours is None or abs(hours) > _MOST_OFFSET:
            raise ValueError(f"{text[:40]!r} has the UtcOffset {row['UtcOffset'][:40]!r}, which is no offset")
        time += dt.timedelta(hours=hours)
    return time.replace(tzinfo=None)
