"""A table of deployments: coordinates, time zones and periods for photographs that came without them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from importers.ingest.report import ImportReport
from importers.reading import csv_file
from importers.reading.bad_record import BadRecord, LeaveOut
from importers.reading.clocks import on_clock, parse_clock_time, zone_name
from importers.reading.csv_file import number_in
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
    without_coordinates: int = 0
    without_zone: int = 0
    locations: set[str] = field(default_factory=set)

    @property
    def nothing_taken(self) -> bool:
        """Whether no row of the table is in the store."""
        return self.new + self.updated == 0


def import_deployments(workspace: Workspace, table: Path) -> DeploymentsReport:
    """Import a CSV table: each row is a deployment, or a location if it has no deploymentID.

    A row for a location also completes the deployments there that lack coordinates or a time zone. What a
    row lacks, another table can bring. Bad values are left out and bad rows refused, one by one. Raises
    SourceError, before anything is written, if the table cannot be read or lacks a column.
    """
    report = DeploymentsReport(rows=ImportReport(source=as_text(str(table))))
    records: dict[str, DeploymentRecord] = {}
    for where, row in _rows(table):
        try:
            record = _record(row, partial(report.rows.leave_out, where))
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
    report.without_coordinates = sum(not _has_coordinates(record) for record in records.values())
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
        better = deployment if _has_coordinates(deployment) else row
        yield replace(
            deployment,
            latitude=better.latitude,
            longitude=better.longitude,
            timezone=deployment.timezone or row.timezone,
        )


def _has_coordinates(record: DeploymentRecord) -> bool:
    return record.latitude is not None and record.longitude is not None


def _rows(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The place and the filled columns of every row. Raises SourceError."""
    for line, row in csv_file.rows(table, ("latitude", "longitude"), missing=csv_file.NOT_AVAILABLE):
        if not any(name in row for name in LOCATIONS):
            raise SourceError(
                f"{as_text(str(table))} has no column location",
                remedy=f"name one of {', '.join(LOCATIONS)} in the first line",
            )
        yield f"line {line}", {name: as_text(value) for name, value in row.items() if value}


def _record(row: Mapping[str, str], leave_out: LeaveOut) -> DeploymentRecord:
    """The deployment of a row, without its bad values. Raises BadRecord if nothing says where it is."""
    location = next((row[name] for name in LOCATIONS if name in row), None)
    if location is None:
        raise BadRecord("location", "it has no location")
    start = _time(row, STARTS, dt.time(), leave_out)
    end = _time(row, ENDS, dt.time(23, 59, 59), leave_out)
    zone, clock = _zone(row, start, leave_out)
    started = _on_clock(start, clock, STARTS[0], leave_out)
    ended = _on_clock(end, clock, ENDS[0], leave_out)
    if started is not None and ended is not None and ended < started:
        leave_out(ENDS[0], f"it ends before it starts: {ended}")
        ended = None
    latitude = number_in(row, "latitude", -90.0, 90.0, leave_out)
    longitude = number_in(row, "longitude", -180.0, 180.0, leave_out)
    has_both = latitude is not None and longitude is not None
    return DeploymentRecord(
        id=row.get("deploymentID", location),
        location=location,
        latitude=latitude if has_both else None,
        longitude=longitude if has_both else None,
        timezone=zone,
        started_at=started,
        ended_at=ended,
    )


def _zone(
    row: Mapping[str, str], start: dt.datetime | None, leave_out: LeaveOut
) -> tuple[str | None, dt.tzinfo | None]:
    """The name of the row's time zone, else of the offset of `start`, and the zone; None if neither."""
    named = row.get("timezone")
    try:
        if named is not None:
            return named, zone_of(named)
    except ValueError as exc:
        leave_out("timezone", f"{exc}: use an IANA name such as Europe/Brussels, or an offset such as +02:00")
    offset = zone_name(start) if start is not None else None
    return (None, None) if offset is None else (offset, zone_of(offset))


def _time(
    row: Mapping[str, str], columns: Sequence[str], date_alone: dt.time, leave_out: LeaveOut
) -> dt.datetime | None:
    """The time in the first of these columns that has one; None if it is empty or left out."""
    text = next((row[name] for name in columns if name in row), None)
    if text is None:
        return None
    try:
        return parse_clock_time(text, date_alone=date_alone)
    except ValueError as exc:
        leave_out(columns[0], f"{columns[0]} {exc}: write 2024-05-31 or 2024-05-31 18:00:00")
        return None


def _on_clock(
    moment: dt.datetime | None, clock: dt.tzinfo | None, column: str, leave_out: LeaveOut
) -> dt.datetime | None:
    try:
        return on_clock(moment, clock) if moment is not None else None
    except ValueError as exc:
        leave_out(column, str(exc))
        return None
