"""A table of deployments: coordinates, time zones and periods for photographs that came without them."""

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

LOCATIONS = ("location", "locationName", "locationID", "deploymentID")  # the first that has a value counts
STARTS, ENDS = ("start", "deploymentStart"), ("end", "deploymentEnd")


@dataclass(kw_only=True)
class DeploymentsReport:
    """The counts of an import of deployments."""

    rows: ImportReport  # the refused rows
    new: int = 0
    updated: int = 0  # known before, and updated from the table
    without_zone: int = 0
    locations: set[str] = field(default_factory=set)

    @property
    def nothing_taken(self) -> bool:
        """Whether no row of the table is in the store."""
        return self.new + self.updated == 0


def import_deployments(workspace: Workspace, table: Path) -> DeploymentsReport:
    """Import a CSV table: each row is a deployment, or a location if it has no deploymentID.

    A row for a location also completes the deployments there that lack coordinates or a time zone. Bad rows
    are refused one by one. Raises SourceError, before anything is written, if the table cannot be read or
    lacks a column.
    """
    report = DeploymentsReport(rows=ImportReport(source=as_text(str(table))))
    records: dict[str, DeploymentRecord] = {}
    for where, row in _rows(table):
        try:
            record = _record(row)
            if record.id in records:
                raise BadRecord("duplicate", f"{record.id} is listed a second time")
            records[record.id] = record
        except BadRecord as exc:
            report.rows.refuse(where, exc.kind, exc.what)
    with workspace.database.write() as conn:
        stored = deployments.all(conn)
        report.new = deployments.add(conn, records.values())
        deployments.add(conn, _completed(records.values(), stored))
    report.updated = len(records) - report.new
    report.without_zone = sum(record.timezone is None for record in records.values())
    report.locations = {record.location for record in records.values()}
    return report


def _completed(
    records: Iterable[DeploymentRecord], stored: Mapping[str, DeploymentRecord]
) -> Iterator[DeploymentRecord]:
    """The stored deployments at a location that has a row of its own, completed from that row."""
    of_locations = {record.location: record for record in records if record.id == record.location}
    for deployment in stored.values():
        row = of_locations.get(deployment.location)
        if row is None or deployment.id == row.id:
            continue
        has_coordinates = deployment.latitude is not None and deployment.longitude is not None
        yield replace(
            deployment,
            latitude=deployment.latitude if has_coordinates else row.latitude,
            longitude=deployment.longitude if has_coordinates else row.longitude,
            timezone=deployment.timezone or row.timezone,
        )


def _rows(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The place and the filled columns of every row. Raises SourceError."""
    for line, row in csv_file.rows(table, ("latitude", "longitude")):
        if not any(name in row for name in LOCATIONS):
            raise SourceError(
                f"{as_text(str(table))} has no column location",
                remedy=f"name one of {', '.join(LOCATIONS)} in the first line",
            )
        yield f"line {line}", {name: as_text(value) for name, value in row.items() if value}


def _record(row: Mapping[str, str]) -> DeploymentRecord:
    """The deployment of a row. Raises BadRecord."""
    location = next((row[name] for name in LOCATIONS if name in row), None)
    if location is None:
        raise BadRecord("location", "it has no location")
    start, end = _time(row, STARTS, dt.time()), _time(row, ENDS, dt.time(23, 59, 59))
    zone = row.get("timezone") or (zone_name(start) if start is not None else None)
    try:
        clock = zone_of(zone) if zone is not None else None
    except ValueError as exc:
        raise BadRecord(
            "timezone", f"{exc}: use an IANA name such as Europe/Brussels, or an offset such as +02:00"
        ) from exc
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
    """The degrees in a column. Raises BadRecord unless they are from -`most` to `most`."""
    text = row.get(column, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -most <= value <= most:
        raise BadRecord(column, f"{column} {text[:40]!r} is not between {-most:g} and {most:g} degrees")
    return value


def _time(row: Mapping[str, str], columns: Iterable[str], date_alone: dt.time) -> dt.datetime | None:
    """The time in the first of these columns that has one. Raises BadRecord if it cannot be read."""
    text = next((row[name] for name in columns if name in row), None)
    if text is None:
        return None
    try:
        return parse_clock_time(text, date_alone=date_alone)
    except ValueError as exc:
        raise BadRecord("period", str(exc)) from exc
