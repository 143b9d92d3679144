"""Rows of packages as they came in, which come out again where they still hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.camtrap_dp import PROVENANCE, SIDES, TABLES, TIMES, box_of, has_standard_form
from pipeline.records import DeploymentRecord, ImageRecord

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SourceRows:
    """What a package says of one medium."""

    source: str
    medium: Row
    observations: tuple[Row, ...]  # of the medium
    events: tuple[Row, ...]  # of events that begin with it

    def own(self, id_: str) -> Row | None:
        """The row of an observation of the medium."""
        return next((row for row in self.observations if row.get("observationID") == id_), None)

    @property
    def event(self) -> str | None:
        """The eventID that the package gives the medium."""
        rows = (self.medium, *self.observations, *self.events)
        return next((row["eventID"] for row in rows if row.get("eventID")), None)


def of_image(image: ImageRecord) -> SourceRows | None:
    """The rows of a photograph; None if it came from no package."""
    details = image.details
    if details is None or image.source is None or not image.source.startswith(PROVENANCE):
        return None
    return SourceRows(
        source=image.source,
        medium=_row(details.get("media")),
        observations=_rows(details.get("observations")),
        events=_rows(details.get("events")),
    )


def of_deployment(record: DeploymentRecord) -> tuple[Row, tuple[Row, ...]]:
    """The row of a deployment, and those of its observations of events without media."""
    details = record.details or {}
    return _row(details.get("deployments", details)), _rows(details.get("observations"))


def cells(table: str, row: Row, zone: dt.tzinfo) -> dict[str, str]:
    """Every column of a table: what the standard takes of a row, empty where it takes nothing.

    Times without a zone are on a clock in `zone`.
    """
    written = {
        name: ((time_cell(row[name], zone) if name in TIMES else column.takes(row[name])) or "")
        if name in row
        else ""
        for name, column in TABLES[table].items()
    }
    if "bboxX" in written and not all(written[side] for side in SIDES):
        box = box_of(row)
        values = (box.x1, box.y1, box.width, box.height) if box is not None else (None,) * 4
        written |= {side: number(value) for side, value in zip(SIDES, values, strict=True)}
    return written


def time_cell(text: str, zone: dt.tzinfo, moment: dt.datetime | None = None) -> str | None:
    """A time as the standard writes it, in its own zone, else in `zone`.

    None if it cannot be read, or is not `moment` on a clock in `zone`.
    """
    try:
        at = dt.datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        if moment is not None and at.astimezone(zone).replace(tzinfo=None) != moment:
            return None
    except (ValueError, OverflowError):
        return None
    return text if has_standard_form(text) else stamp(at, at.tzinfo or zone)


def stamp(time: dt.datetime, zone: dt.tzinfo) -> str:
    """A time of a clock in `zone`, to the second, with the offset to the minute."""
    whole = time.replace(microsecond=0, tzinfo=None)
    offset = whole.replace(tzinfo=zone).utcoffset() or dt.timedelta()
    minutes = dt.timedelta(minutes=round(offset.total_seconds() / 60))  # before 1900, it had seconds
    return whole.replace(tzinfo=dt.timezone(minutes)).isoformat()


def number(value: float | None) -> str:
    """A number as a cell of a table."""
    return "" if value is None else f"{value:.10g}"


def _row(given: Any) -> Row:
    if not isinstance(given, Mapping):
        return {}
    return {name: text for name, text in given.items() if isinstance(text, str)}


def _rows(given: Any) -> tuple[Row, ...]:
    return tuple(map(_row, given)) if isinstance(given, list) else ()
