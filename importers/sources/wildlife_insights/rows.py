"""Rows of Wildlife Insights' tables as records; a bad value is left out, and costs nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from importers.reading.bad_record import BadRecord, LeaveOut
from importers.reading.classes import PEOPLE, RANKS, NamedClass, class_of_columns
from importers.reading.clocks import parse_clock_time
from importers.reading.csv_file import number_in
from pipeline.records import ANIMAL, EMPTY, LARGEST, OBSERVATION_TYPE, DeploymentRecord, Level, SourceLabel
from pipeline.vocabulary import Meaning, meaning_of

Row = Mapping[str, str]

MACHINE = frozenset({"computer vision", "cv"})  # in `identified_by`
_YES = frozenset({"1", "1.0", "yes", "true", "t", "y"})
_PERCENT = 100.0
_LAST = dt.time(23, 59, 59)  # of a day
_DEPLOYMENT = ("deployment_id", "placename", "longitude", "latitude", "start_date", "end_date")
# Columns that Camtrap DP has under another name, with its terms for their values if it has a list of them.
_SAME = {
    "sex": ("sex", {"female": "female", "male": "male"}),
    "age": ("lifeStage", {"adult": "adult", "subadult": "subadult", "juvenile": "juvenile"}),
    "behavior": ("behavior", None),
    "individual_id": ("individualID", None),
    "individual_animal_notes": ("observationComments", None),
}
_OWN = ("uncertainty", "animal_recognizable", "markings")  # further columns of an observation
_NOT_SAID = frozenset({"unknown", "none", "not known"})
OF_OBSERVATIONS = frozenset(
    {"is_blank", "identified_by", "wi_taxon_id", *RANKS, "common_name", "number_of_objects", "group_size"}
    | {"cv_confidence", *_SAME, *_OWN}
)
OF_PHOTOGRAPHS = frozenset(
    {"project_id", "deployment_id", "image_id", "filename", "timestamp", "sequence_id"}
)


def deployment_of(row: Row, camera: Row, source: str, leave_out: LeaveOut) -> DeploymentRecord:
    """The deployment of a row, with what is known of its camera. Raises BadRecord if it has no id."""
    id_ = row.get("deployment_id")
    if id_ is None:
        raise BadRecord("deployment", "it has no deployment_id")
    start, end = _time(row, "start_date", leave_out, dt.time()), _time(row, "end_date", leave_out, dt.time())
    if end is not None and end.time() == dt.time():  # they know the day alone, and it belongs to the period
        end = dt.datetime.combine(end.date(), _LAST)
    if start is not None and end is not None and end < start:
        leave_out("period", f"deployment {id_} ends before it starts")
        start = end = None
    latitude = number_in(row, "latitude", -90.0, 90.0, leave_out)
    longitude = number_in(row, "longitude", -180.0, 180.0, leave_out)
    has_both = latitude is not None and longitude is not None
    details = {name: value for name, value in {**camera, **row}.items() if name not in _DEPLOYMENT}
    return DeploymentRecord(
        id=id_,
        location=row.get("placename", id_),
        latitude=latitude if has_both else None,
        longitude=longitude if has_both else None,
        started_at=start,
        ended_at=end,
        source=source,
        details=details or None,
    )


def named_in(row: Row) -> NamedClass:
    """What the row names: a taxon, or a word that is none."""
    return class_of_columns(row.get("wi_taxon_id", ""), row, row.get("common_name", ""))


def label_of(row: Row, source: str, level: Level, leave_out: LeaveOut) -> SourceLabel | None:
    """The label of a row: by a person, or a weak one by Computer Vision; None if nobody answered."""
    by = row.get("identified_by")
    weak = by.lower() in MACHINE if by is not None else "cv_confidence" in row
    category = named_in(row).category
    details = _details(row, category)
    if row.get("is_blank", "").lower() in _YES:
        category = EMPTY
    elif category is None:
        meaning = meaning_of(row.get("common_name", ""))
        if meaning not in (Meaning.ANIMAL, Meaning.UNKNOWN):
            return None
        if meaning is Meaning.ANIMAL:
            details[OBSERVATION_TYPE] = ANIMAL
    column = "number_of_objects" if level is Level.IMAGE else "group_size"
    count = number_in(row, column, 0.0, LARGEST, leave_out)
    return SourceLabel(
        category=category,
        source=source,
        level=level,
        weak=weak,
        confidence=_confidence(row, leave_out) if weak else None,
        annotator=by,
        count=int(count) if count and category != EMPTY else None,
        details=details or None,
    )


def time_of(row: Row, leave_out: LeaveOut) -> dt.datetime | None:
    """When the photograph was taken, by the camera's clock."""
    return _time(row, "timestamp", leave_out)


def _details(row: Row, category: str | None) -> dict[str, str]:
    """The columns beyond the label, under the names that Camtrap DP gives them, where it does."""
    details = {column: row[column] for column in _OWN if column in row}
    for column, (name, terms) in _SAME.items():
        value = row.get(column, "unknown")
        if value.lower() in _NOT_SAID:
            continue
        if terms is None:
            details[name] = value
        elif value.lower() in terms:
            details[name] = terms[value.lower()]
        else:
            details[column] = value
    name = row.get("common_name", PEOPLE)
    if category == PEOPLE and name.lower() != PEOPLE:
        details["common_name"] = name  # a hunter, the camera trapper
    return details


def _confidence(row: Row, leave_out: LeaveOut) -> float | None:
    """How sure Computer Vision is, from 0 to 1; some downloads have percent."""
    value = number_in(row, "cv_confidence", 0.0, _PERCENT, leave_out)
    return value / _PERCENT if value is not None and value > 1.0 else value


def _time(
    row: Row, column: str, leave_out: LeaveOut, date_alone: dt.time | None = None
) -> dt.datetime | None:
    """The time in a column, by the camera's clock; None if it is missing or is none, which is counted."""
    text = row.get(column)
    if text is None:
        return None
    try:
        return parse_clock_time(text.removesuffix(" UTC"), date_alone=date_alone).replace(tzinfo=None)
    except ValueError as exc:
        leave_out(column, f"{column} {exc}")
        return None
