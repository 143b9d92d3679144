"""Rows of the Camtrap DP tables as records.

A value that the standard does not take is left out, and its row used without it; only a row that says too
little is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from importers.reading.bad_record import BadRecord
from importers.reading.clocks import on_clock, parse_clock_time, zone_name
from importers.reading.paths import VIDEO_SUFFIXES, suffix_of
from pipeline.camtrap_dp import (
    FURTHER,
    LEVELS,
    SIDES,
    TABLES,
    TIMES,
    TYPES,
    box_of,
    category_of,
    number_of,
    side_of,
)
from pipeline.records import OBSERVATION_TYPE, Box, DeploymentRecord

VIDEO = ("video", "only photographs are imported; extract frames of it")
BOX_CONFIDENCE = "bboxConfidence"  # the key of it among the tags in Wildloop's exports
_UNCHECKED = ("filePath", "observationLevel", "observationType", *SIDES)  # columns with a rule of their own

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The values of a row that the standard takes, and what is wrong with each of the others."""

    texts: Row  # as the standard writes them
    times: Mapping[str, dt.datetime]  # aware if the row names the zone
    wrong: list[tuple[str, str]] = field(default_factory=list)  # column and reason

    def number(self, column: str) -> float | None:
        """The number in a column, None if there is none."""
        return number_of(self.texts.get(column, ""))

    def leave_out(self, column: str, value: str, says: str) -> None:
        """Note a value that is not used."""
        self.wrong.append((column, f"{column} {value[:40]!r} is not {says}: left out"))


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment, with the time zone of its clock if the package has one."""

    record: DeploymentRecord
    zone: dt.tzinfo | None
    folders: frozenset[str]  # names of folders that may have its photographs


@dataclass(frozen=True, kw_only=True)
class Medium:
    """A row of the media table."""

    id: str
    deployment: str
    time: dt.datetime | None  # the deployment's clock
    path: str  # filePath
    name: str | None  # fileName
    event: str | None
    is_video: bool
    row: Row  # as it came


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A row of the observations table."""

    id: str
    deployment: str
    medium: str | None  # None if it is of an event
    event: str | None
    start: dt.datetime | None  # the deployment's clock; only of events
    end: dt.datetime | None
    kind: str  # the observationType
    category: str | None  # None if it names no species
    count: int | None
    box: Box | None
    is_machine: bool
    annotator: str | None
    annotated_at: dt.datetime | None  # aware
    probability: float | None
    box_confidence: float | None  # from the tags of Wildloop's exports
    details: Mapping[str, str] | None  # further columns by name
    row: Row  # as it came


def cells_of(table: str, row: Row) -> Cells:
    """The values of a row of a table, each read as its column demands."""
    columns = TABLES[table]
    texts: dict[str, str] = {}
    times: dict[str, dt.datetime] = {}
    cells = Cells(texts=texts, times=times)
    for name, text in row.items():
        column = columns.get(name)
        if name in TIMES:
            try:
                times[name] = parse_clock_time(text, date_alone=dt.time())
            except ValueError as exc:
                cells.wrong.append((name, f"{name} {exc}: left out"))
        elif column is None or name in _UNCHECKED:
            texts[name] = text
        else:
            value = column.takes(text)
            if value is None:
                cells.leave_out(name, text, column.says)
            else:
                texts[name] = value
    return cells


def deployment_of(cells: Cells, row: Row, source: str) -> Deployment:
    """The deployment of a row, which came as `row`. Raises BadRecord."""
    texts = cells.texts
    id_ = _required(texts, "deploymentID")
    ends = (cells.times.get(name) for name in ("deploymentStart", "deploymentEnd"))
    zoned = next((time for time in ends if time is not None and time.tzinfo is not None), None)
    zone = zoned.tzinfo if zoned is not None else None
    latitude, longitude = cells.number("latitude"), cells.number("longitude")
    has_place = latitude is not None and longitude is not None
    record = DeploymentRecord(
        id=id_,
        location=texts.get("locationName") or texts.get("locationID") or id_,
        latitude=latitude if has_place else None,
        longitude=longitude if has_place else None,
        timezone=zone_name(zoned) if zoned is not None else None,
        started_at=_on_clock(cells, "deploymentStart", zone),
        ended_at=_on_clock(cells, "deploymentEnd", zone),
        source=source,
        details={"deployments": dict(row)},
    )
    names = {id_, texts.get("locationName"), texts.get("locationID")}
    return Deployment(record=record, zone=zone, folders=frozenset(name for name in names if name))


def medium_of(cells: Cells, row: Row, deployments: Mapping[str, Deployment]) -> Medium:
    """The medium of a row, which came as `row`, with its time on its deployment's clock. Raises BadRecord."""
    texts = cells.texts
    deployment = _required(texts, "deploymentID")
    path = _required(texts, "filePath")
    name = texts.get("fileName")
    kind = row.get("fileMediatype", "").lower()
    return Medium(
        id=_required(texts, "mediaID"),
        deployment=deployment,
        time=_on_clock(cells, "timestamp", _zone(deployments, deployment)),
        path=path,
        name=name.replace("\\", "/").rpartition("/")[2] if name else None,
        event=texts.get("eventID"),
        is_video=kind.startswith("video") or suffix_of(name or path) in VIDEO_SUFFIXES,
        row=row,
    )


def observation_of(cells: Cells, row: Row, deployments: Mapping[str, Deployment]) -> Observation:
    """The observation of a row, which came as `row`. Raises BadRecord."""
    texts = cells.texts
    id_ = _required(texts, "observationID")
    deployment = _required(texts, "deploymentID")
    level, kind = (texts.get(name, "").lower() for name in ("observationLevel", "observationType"))
    if level not in LEVELS:
        raise BadRecord("level", f"observationLevel {level!r} is neither media nor event")
    if kind not in TYPES:
        raise BadRecord("type", f"observationType {kind!r} is not one of {', '.join(TYPES)}")
    of_event = level == "event"
    zone = _zone(deployments, deployment)
    start = _on_clock(cells, "eventStart", zone) if of_event else None
    end = _on_clock(cells, "eventEnd", zone) if of_event else None
    if of_event and (start is None or end is None) and "eventID" not in texts:
        raise BadRecord("time", "it has no eventID, and lacks eventStart or eventEnd")
    category = category_of(kind, texts.get("scientificName"))
    count = texts.get("count")
    return Observation(
        id=id_,
        deployment=deployment,
        medium=None if of_event else _required(texts, "mediaID"),
        event=texts.get("eventID"),
        start=start,
        end=end,
        kind=kind,
        category=category,
        count=None if count is None else int(count),
        box=None if of_event else _box(cells),
        is_machine=texts.get("classificationMethod") == "machine",
        annotator=texts.get("classifiedBy"),
        annotated_at=_in_utc(cells, "classificationTimestamp", zone),
        probability=cells.number("classificationProbability"),
        box_confidence=_box_confidence(texts.get("observationTags", "")),
        details=_details(texts, kind, category),
        row=row,
    )


def _details(row: Row, kind: str, category: str | None) -> dict[str, str] | None:
    """The columns beyond the label, with the type or the name if the label does not have them."""
    details = {column: row[column] for column in FURTHER if column in row}
    if category is None and kind != "unknown":
        details[OBSERVATION_TYPE] = kind
    name = row.get("scientificName")
    if name is not None and kind != "animal" and (kind, name) != ("human", "Homo sapiens"):
        details["scientificName"] = name
    return details or None


def _required(texts: Row, column: str) -> str:
    """The value of a column. Raises BadRecord if it is missing."""
    value = texts.get(column)
    if value is None:
        raise BadRecord("incomplete", f"it has no {column}")
    return value


def _box(cells: Cells) -> Box | None:
    """The box of a row, None if there is no good one."""
    given = {column: cells.texts[column] for column in SIDES if column in cells.texts}
    box = box_of(given)
    if box is None and given:
        bad = [column for column, text in given.items() if side_of(text) is None]
        for column in bad:
            cells.leave_out(column, given[column], "a number from 0 to 1, and with it the box")
        if not bad:
            cells.wrong.append(("box", "its box lacks a column, or has no area within the frame: left out"))
    return box


def _box_confidence(tags: str) -> float | None:
    """The confidence of the box among the tags, `key:value | key:value`; None if it is missing or bad."""
    for tag in tags.split("|"):
        key, _, value = tag.strip().partition(":")
        if key == BOX_CONFIDENCE:
            confidence = number_of(value)
            return confidence if confidence is not None and 0 <= confidence <= 1 else None
    return None


def _zone(deployments: Mapping[str, Deployment], id_: str) -> dt.tzinfo | None:
    return deployments[id_].zone if id_ in deployments else None


def _on_clock(cells: Cells, column: str, zone: dt.tzinfo | None) -> dt.datetime | None:
    """The time in a column as a clock in `zone` shows it; None if it is missing or beyond the calendar."""
    moment = cells.times.get(column)
    if moment is None:
        return None
    try:
        return on_clock(moment, zone)
    except ValueError as exc:
        cells.wrong.append((column, f"{column} {exc}: left out"))
        return None


def _in_utc(cells: Cells, column: str, zone: dt.tzinfo | None) -> dt.datetime | None:
    """The time in a column in UTC, if it has no zone by the clock of `zone`; None if that is unknown too."""
    moment = cells.times.get(column)
    if moment is None or (moment.tzinfo is None and zone is None):
        return None
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    aware = Cells(texts=cells.texts, times={column: at}, wrong=cells.wrong)
    found = _on_clock(aware, column, dt.UTC)
    return None if found is None else found.replace(tzinfo=dt.UTC)
