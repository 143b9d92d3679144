"""Photographs in the store, and which detector has looked at which."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.records import ImageRecord, Role, utc_now
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection, image, scan

_FIELDS = tuple(field.name for field in fields(ImageRecord))
# Never emptied by a later import.
_KEPT = ("width", "height", "location", "datetime", "deployment_id", "source_id")
_SEQUENCE = ("seq_id", "frame_num", "seq_num_frames")  # one fact, which a source tells whole


@dataclass(frozen=True, kw_only=True)
class Known:
    """A photograph that the store already has, the scans that were made of it, and its detections."""

    record: ImageRecord
    scans: frozenset[str]
    boxes: frozenset[str]  # ids of detections


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What places a photograph in a sequence."""

    id: str
    file_name: str
    datetime: dt.datetime
    seq_id: str | None
    frame_num: int | None
    seq_num_frames: int | None


def add(conn: sa.Connection, records: Iterable[ImageRecord]) -> None:
    """Insert the records, or bring the rows of the same id up to date.

    A failure never overwrites a photograph that was once read: that row stays as it is.
    """
    latest = {record.id: record for record in records}  # one statement may touch a row only once
    now = utc_now()
    stored = set()
    for ids in chunks(latest, IN_ROWS):
        stored |= set(conn.scalars(sa.select(image.c.id).where(image.c.id.in_(ids))))
    insert_new(
        conn, image, ({**vars(latest[id_]), "imported_at": now} for id_ in latest if id_ not in stored)
    )
    if stored:
        known = [{**vars(latest[id_]), "imported_at": now} for id_ in latest if id_ in stored]
        conn.execute(_upsert(conn), known)


def _upsert(conn: sa.Connection) -> Any:
    make = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    statement = make(image)
    new = statement.excluded
    changes: dict[str, Any] = {"imported_at": new.imported_at}
    for name in _FIELDS:
        if name in _SEQUENCE:
            changes[name] = sa.case((new.seq_id.is_not(None), new[name]), else_=image.c[name])
        elif name in _KEPT:
            changes[name] = sa.func.coalesce(new[name], image.c[name])
        elif name not in ("id", "role"):  # a photograph stays in its pool
            changes[name] = new[name]
    return statement.on_conflict_do_update(
        index_elements=[image.c.id],
        set_=changes,
        where=sa.or_(new.failure.is_(None), image.c.failure.is_not(None)),
    )


def get(conn: sa.Connection, ids: Iterable[str]) -> dict[str, ImageRecord]:
    """The records of these ids; an unknown id has no entry."""
    found: dict[str, ImageRecord] = {}
    for batch in chunks(ids, IN_ROWS):
        rows = conn.execute(sa.select(image).where(image.c.id.in_(batch))).mappings()
        found.update((row["id"], from_row(row)) for row in rows)
    return found


def at_paths(conn: sa.Connection, paths: Iterable[str]) -> dict[str, list[Known]]:
    """What the store has of the files at these paths: several where a file changed since, newest last."""
    found: dict[str, list[Known]] = {}
    query = sa.select(image).order_by(image.c.imported_at, image.c.id)
    for batch in chunks(paths, IN_ROWS):
        records = [from_row(row) for row in conn.execute(query.where(image.c.path.in_(batch))).mappings()]
        scans = scans_of(conn, (record.id for record in records))
        boxes: dict[str, set[str]] = {}
        for ids in chunks((record.id for record in records), IN_ROWS):
            own = sa.select(detection.c.image_id, detection.c.id).where(detection.c.image_id.in_(ids))
            for row in conn.execute(own):
                boxes.setdefault(row.image_id, set()).add(row.id)
        for record in records:
            known = Known(
                record=record,
                scans=frozenset(scans.get(record.id, ())),
                boxes=frozenset(boxes.get(record.id, ())),
            )
            found.setdefault(record.path, []).append(known)
    return found


def scans_of(conn: sa.Connection, ids: Iterable[str]) -> dict[str, set[str]]:
    """The scans that were made of each of these photographs; one without has no entry."""
    found: dict[str, set[str]] = {}
    for batch in chunks(ids, IN_ROWS):
        query = sa.select(scan.c.image_id, scan.c.detector).where(scan.c.image_id.in_(batch))
        for row in conn.execute(query):
            found.setdefault(row.image_id, set()).add(row.detector)
    return found


def scanned(conn: sa.Connection, scans: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these pairs of image id and detector that are recorded already."""
    asked = set(scans)
    made = scans_of(conn, {id_ for id_, _ in asked})
    return {(id_, detector) for id_, detector in asked if detector in made.get(id_, ())}


def mark_scanned(conn: sa.Connection, scans: Iterable[tuple[str, str]]) -> None:
    """Record that detectors have looked at photographs: pairs of image id and detector."""
    now = utc_now()
    rows = ({"image_id": id_, "detector": detector, "scanned_at": now} for id_, detector in scans)
    insert_new(conn, scan, rows)


def forget_failed(conn: sa.Connection, ids: Iterable[str]) -> None:
    """Remove the rows of failures that are no more: the file was mended or found."""
    for batch in chunks(ids, IN_ROWS):
        conn.execute(sa.delete(image).where(image.c.id.in_(batch), image.c.failure.is_not(None)))


def frames_at(conn: sa.Connection, location: str, own_prefix: str) -> list[Frame]:
    """The photographs of a location with a time whose sequence, if any, begins with `own_prefix`.

    In the order of the camera's clock. Sequences that a source named are left alone.
    """
    columns = [image.c[field.name] for field in fields(Frame)]
    query = (
        sa.select(*columns)
        .where(
            image.c.location == location,
            image.c.datetime.is_not(None),
            image.c.failure.is_(None),
            sa.or_(image.c.seq_id.is_(None), image.c.seq_id.startswith(own_prefix, autoescape=True)),
        )
        .order_by(image.c.datetime, image.c.id)
    )
    return [Frame(**row) for row in conn.execute(query).mappings()]


def set_sequences(conn: sa.Connection, frames: Sequence[Frame]) -> None:
    """Write the sequence columns of these photographs."""
    columns = ("seq_id", "frame_num", "seq_num_frames")
    _update(
        conn, [{"row_id": frame.id, **{name: getattr(frame, name) for name in columns}} for frame in frames]
    )


def counts(conn: sa.Connection) -> dict[str, Any]:
    """`photographs` that could be read, and `failed`: how many of each kind of failure."""
    query = sa.select(image.c.failure, sa.func.count()).group_by(image.c.failure)
    by_kind: dict[str | None, int] = {row[0]: row[1] for row in conn.execute(query)}
    readable = by_kind.pop(None, 0)
    return {"photographs": readable, "failed": dict(sorted(by_kind.items(), key=lambda item: str(item[0])))}


def _update(conn: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set the columns that the rows name, of the photographs whose id is `row_id`."""
    if rows:
        conn.execute(sa.update(image).where(image.c.id == sa.bindparam("row_id")), rows)


def from_row(row: Mapping[Any, Any]) -> ImageRecord:
    """The record of a row of `image`, whatever other columns it has."""
    return ImageRecord(**{name: row[name] for name in _FIELDS if name != "role"}, role=Role(row["role"]))
