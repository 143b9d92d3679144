"""A table of deployments: coordinates and time zones for photographs that came without."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from importers.ingest.report import ImportReport
from importers.reading import csv_file
from importers.reading.bad_record import BadRecord
from importers.reading.clocks import on_clock, parse_clock_time, zone_name
from importers.reading.paths import as_text
from pipeline.errors import SourceError
from pipeline.records import DeploymentRecord
from pipeline.store import deployments
from pipeline.timezones import zone_of
from pipeline.workspace import Workspace

PLACES = ("location", "locationName", "locationID", "deploymentID")  # the first that has a value
STARTS, ENDS = ("start", "deploymentStart"), ("end", "deploymentEnd")


@dataclass(kw_only=True)
class DeploymentsReport:
    """What became of the table."""

    rows: ImportReport  # refusals alone
    new: int = 0
    updated: int = 0  # known before: what the table tells is brought up to date
    without_zone: int = 0
    locations: set[str] = field(default_factory=set)

    @property
    def nothing_taken(self) -> bool:
        """Whether no row of the table is in the store."""
        return self.new + self.updated == 0


def import_deployments(workspace: Workspace, table: Path) -> DeploymentsReport:
    """Take the table in: each row a deployment, or a location where it names none.

    A row without a deploymentID also gives its coordinates and zone to the deployments that the store
    has at its location and that lack them. A broken row is refused singly. Raises SourceError, before
    anything is written, where the table cannot be read or lacks a column.
    """
    report = DeploymentsReport(rows=ImportReport(source=as_text(str(table))))
    given: dict[str, DeploymentRecord] = {}
    for where, row in _rows(table):
        try:
            one = _record(row)
            if one.id in given:
                raise BadRecord("duplicate", f"{one.id} is named a second time")
            given[one.id] = one
        except BadRecord as exc:
            report.rows.refuse(where, exc.kind, exc.what)
    with workspace.database.write() as conn:
        known = deployments.all(conn)
        report.new = deployments.add(conn, given.values())
        deployments.add(conn, _completed(given.values(), known))
    report.updated = len(given) - report.new
    report.without_zone = sum(one.timezone is None for one in given.values())
    report.locations = {one.location for one in given.values()}
    return report


def _completed(
    given: Iterable[DeploymentRecord], known: Mapping[str, DeploymentRecord]
) -> Iterator[DeploymentRecord]:
    """The known deployments that a row for their whole location tells more of."""
    of_locations = {one.location: one for one in given if one.id == one.location}
    for one in known.values():
        row = of_locations.get(one.location)
        if row is None or one.id == row.id:
            continue
        has_place = one.latitude is not None and one.longitude is not None
        yield replace(
            one,
            latitude=one.latitude if has_place else row.latitude,
            longitude=one.longitude if has_place else row.longitude,
            timezone=one.timezone or row.timezone,
        )


def _rows(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row by column with where it stands. Raises SourceError."""
    for line, row in csv_file.rows(table, ("latitude", "longitude")):
        if not any(name in row for name in PLACES):
            raise SourceError(
                f"{as_text(str(table))} has no column location",
                remedy=f"name one of {', '.join(PLACES)} in the first line",
            )
        yield f"line {line}", {name: as_text(value) for name, value in row.items() if value}


def _record(row: Mapping[str, str]) -> DeploymentRecord:
    """The deployment of a row. Raises BadRecord."""
    location = next((row[name] for name in PLACES if name in row), None)
    if location is None:
        raise BadRecord("location", "it names no location")
    start, end = _moment(row, STARTS), _moment(row, ENDS, dt.time(23, 59, 59))
    zone = row.get("timezone") or (zone_name(start) if start is not None else None)
    try:
        clock = zone_of(zone) if zone is not None else None
    except ValueError as exc:
        raise BadRecord("timezone", f"{exc}: an IANA name such as Europe/Brussels, or +02:00") from exc
    try:
        started = on_clock(start, clock) if start is not None else None
        ended = on_clock(end, clock) if end is not None else None
    except ValueError as exc:
        raise BadRecord("period", str(exc)) from exc
    if started is not None and ended is not None and ended < started:
        raise BadRecord("period", "it ends before it starts")
    return DeploymentRecord(
        id=row.get("deploymentID", location),
        location=location,
        latitude=_degrees(row, "latitude", 90.0),
        longitude=_degrees(row, "longitude", 180.0),
        timezone=zone,
        started_at=started,
        ended_at=ended,
    )


def _degrees(row: Mapping[str, str], column: str, most: float) -> float:
    try:
        value = float(row.get(column, ""))
    except ValueError:
        value = math.nan
    if not -most <= value <= most:
        raise BadRecord(
            column, f"{column} {row.get(column, '')[:40]!r} is not from {-most:g} to {most:g} degrees"
        )
    return value


def _moment(
    row: Mapping[str, str], columns: Iterable[str], of_day: dt.time = dt.time()
) -> dt.datetime | None:
    """The moment in the first of these columns; `of_day` is the time where only a date is given."""
    text = next((row[name] for name in columns if name in row), None)
    if text is None:
        return None
    try:
        return parse_clock_time(text, date_alone=of_day)
    except ValueError as exc:
        raise BadRecord("period", str(exc)) from exc
