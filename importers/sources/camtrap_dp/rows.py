"""Rows of the Camtrap DP tables as records; rows that break the standard are refused with the reason."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from importers.reading.bad_record import BadRecord
from importers.reading.clocks import on_clock, parse_clock_time, zone_name
from importers.reading.paths import VIDEO_SUFFIXES, suffix_of
from pipeline.records import EMPTY, OBSERVATION_TYPE, Box, DeploymentRecord
from pipeline.vocabulary import names_no_species

TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
LEVELS = ("media", "event")
VIDEO = ("video", "only photographs are imported; extract frames of it")
BOX_CONFIDENCE = "bboxConfidence"  # the key of it among the tags in Wildloop's exports
DETAILS = (  # columns that are kept unchanged
    "cameraSetupType",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "observationTags",
    "observationComments",
)
_SIDES = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
_MOST_COUNT = 2_147_483_647  # the largest integer that every database stores

Row = Mapping[str, str]


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
    time: dt.datetime  # the deployment's clock
    path: str  # filePath
    name: str | None  # fileName
    event: str | None
    is_video: bool


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


def deployment_of(row: Row) -> Deployment:
    """The deployment of a row. Raises BadRecord."""
    id_ = _required(row, "deploymentID")
    started = _time(row, "deploymentStart")
    ended = _time(row, "deploymentEnd")
    zone = started.tzinfo if started is not None else None
    record = DeploymentRecord(
        id=id_,
        location=row.get("locationName") or row.get("locationID") or id_,
        latitude=_number(row, "latitude", -90.0, 90.0),
        longitude=_number(row, "longitude", -180.0, 180.0),
        timezone=zone_name(started) if started is not None else None,
        started_at=_on_clock(started, zone) if started is not None else None,
        ended_at=_on_clock(ended, zone) if ended is not None else None,
    )
    names = {id_, row.get("locationName"), row.get("locationID")}
    return Deployment(record=record, zone=zone, folders=frozenset(name for name in names if name))


def medium_of(row: Row, deployments: Mapping[str, Deployment]) -> Medium:
    """The medium of a row, with its time on the clock of its deployment. Raises BadRecord."""
    deployment = _required(row, "deploymentID")
    path = _required(row, "filePath")
    time = _time(row, "timestamp")
    if time is None:
        raise BadRecord("time", "it has no timestamp")
    name = row.get("fileName")
    kind = row.get("fileMediatype", "").lower()
    return Medium(
        id=_required(row, "mediaID"),
        deployment=deployment,
        time=_on_clock(time, _zone(deployments, deployment)),
        path=path,
        name=name.replace("\\", "/").rpartition("/")[2] if name else None,
        event=row.get("eventID"),
        is_video=kind.startswith("video") or suffix_of(name or path) in VIDEO_SUFFIXES,
    )


def observation_of(row: Row, deployments: Mapping[str, Deployment]) -> Observation:
    """The observation of a row. Raises BadRecord."""
    id_ = _required(row, "observationID")
    deployment = _required(row, "deploymentID")
    level, kind = row.get("observationLevel"), row.get("observationType")
    if level not in LEVELS:
        raise BadRecord("level", f"observationLevel {level!r} is neither media nor event")
    if kind not in TYPES:
        raise BadRecord("type", f"observationType {kind!r} is not one of {', '.join(TYPES)}")
    of_event = level == "event"
    start = end = None
    if of_event:
        zone = _zone(deployments, deployment)
        started, ended = _time(row, "eventStart"), _time(row, "eventEnd")
        if started is None or ended is None:
            raise BadRecord("time", "it lacks eventStart or eventEnd")
        start, end = _on_clock(started, zone), _on_clock(ended, zone)
    method = row.get("classificationMethod")
    if method not in (None, "human", "machine"):
        raise BadRecord("method", f"classificationMethod {method!r} is neither human nor machine")
    category = _category(kind, row.get("scientificName"))
    return Observation(
        id=id_,
        deployment=deployment,
        medium=None if of_event else _required(row, "mediaID"),
        event=row.get("eventID"),
        start=start,
        end=end,
        kind=kind,
        category=category,
        count=_count(row),
        box=None if of_event else _box(row),
        is_machine=method == "machine",
        annotator=row.get("classifiedBy"),
        annotated_at=_in_utc(_time(row, "classificationTimestamp")),
        probability=_number(row, "classificationProbability", 0.0, 1.0),
        box_confidence=_box_confidence(row.get("observationTags", "")),
        details=_details(row, kind, category),
    )


def _category(kind: str, species: str | None) -> str | None:
    if kind == "animal":
        return None if species is None or names_no_species(species) else species
    return {"human": "human", "vehicle": "vehicle", "blank": EMPTY}.get(kind)


def _details(row: Row, kind: str, category: str | None) -> dict[str, str] | None:
    """The columns beyond the label, with the type or the name if the label does not have them."""
    details = {column: row[column] for column in DETAILS if column in row}
    if category is None and kind != "unknown":
        details[OBSERVATION_TYPE] = kind
    name = row.get("scientificName")
    if name is not None and kind != "animal" and (kind, name) != ("human", "Homo sapiens"):
        details["scientificName"] = name
    return details or None


def _required(row: Row, column: str) -> str:
    """The value of a column. Raises BadRecord if it is missing."""
    value = row.get(column)
    if value is None:
        raise BadRecord("incomplete", f"it has no {column}")
    return value


def _number(row: Row, column: str, least: float, most: float) -> float | None:
    """The number in a column, None if it is missing. Raises BadRecord."""
    text = row.get(column)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadRecord(column, f"{column} {text[:40]!r} is not a number from {least:g} to {most:g}")
    return value


def _count(row: Row) -> int | None:
    text = row.get("count")
    if text is None:
        return None
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    if not 1 <= value <= _MOST_COUNT:
        raise BadRecord("count", f"count {text[:40]!r} is not a number of individuals")
    return value


def _box(row: Row) -> Box | None:
    columns = [_number(row, column, 0.0, 1.0) for column in _SIDES]
    sides = [side for side in columns if side is not None]
    if not sides:
        return None
    box = Box.from_xywh(sides) if len(sides) == len(columns) else None
    if box is None:
        raise BadRecord("box", "its box lacks a column, or has no area within the frame")
    return box


def _box_confidence(tags: str) -> float | None:
    """The confidence of the box among the tags, `key:value | key:value`; None if it is missing or bad."""
    for tag in tags.split("|"):
        key, _, value = tag.strip().partition(":")
        if key == BOX_CONFIDENCE:
            try:
                return _number({key: value}, key, 0.0, 1.0)
            except BadRecord:
                return None
    return None


def _time(row: Row, column: str) -> dt.datetime | None:
    """The time in a column, None if it is missing. Raises BadRecord."""
    text = row.get(column)
    if text is None:
        return None
    try:
        return parse_clock_time(text, date_alone=dt.time())
    except ValueError as exc:
        raise BadRecord("time", f"{column} {exc}") from exc


def _zone(deployments: Mapping[str, Deployment], id_: str) -> dt.tzinfo | None:
    return deployments[id_].zone if id_ in deployments else None


def _on_clock(moment: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """The moment as the clock of the deployment shows it. Raises BadRecord."""
    try:
        return on_clock(moment, zone)
    except ValueError as exc:
        raise BadRecord("time", str(exc)) from exc


def _in_utc(moment: dt.datetime | None) -> dt.datetime | None:
    """The moment in UTC; None if it has no zone. Raises BadRecord."""
    if moment is None or moment.tzinfo is None:
        return None
    return _on_clock(moment, dt.UTC).replace(tzinfo=dt.UTC)
