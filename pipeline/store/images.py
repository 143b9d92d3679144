"""Photographs, and the scans that detectors made of them."""

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
# A later import can change these but not empty them.
_KEPT = (
    *("width", "height", "location", "datetime", "deployment_id", "source_id"),
    *("video", "video_frame", "video_frame_rate", "source", "details"),
)
_SEQUENCE = ("seq_id", "frame_num", "seq_num_frames")  # replaced together


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """A photograph in the database with its scans and detections."""

    record: ImageRecord
    scans: frozenset[str]  # names, see `pipeline.identity`
    detection_ids: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A photograph's place in its sequence, with the fields that determine it."""

    id: str
    file_name: str
    datetime: dt.datetime
    seq_id: str | None
    frame_num: int | None
    seq_num_frames: int | None


def add(conn: sa.Connection, records: Iterable[ImageRecord]) -> None:
    """Insert the records or update the rows with the same id.

    A failure never overwrites a photograph that was read before.
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
        updates = [{**vars(latest[id_]), "imported_at": now} for id_ in latest if id_ in stored]
        conn.execute(_upsert(conn), updates)


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
        elif name not in ("id", "role"):  # a photograph never changes its pool
            changes[name] = new[name]
    return statement.on_conflict_do_update(
        index_elements=[image.c.id],
        set_=changes,
        where=sa.or_(new.failure.is_(None), image.c.failure.is_not(None)),
    )


def get(conn: sa.Connection, ids: Iterable[str]) -> dict[str, ImageRecord]:
    """The records with these ids, by id; an unknown id has no entry."""
    records: dict[str, ImageRecord] = {}
    for batch in chunks(ids, IN_ROWS):
        rows = conn.execute(sa.select(image).where(image.c.id.in_(batch))).mappings()
        records.update((row["id"], from_row(row)) for row in rows)
    return records


def at_paths(conn: sa.Connection, paths: Iterable[str]) -> dict[str, list[StoredImage]]:
    """The stored photographs of the files at these paths, by path.

    A file whose content changed has several, the newest last; an unknown path has no entry.
    """
    at_path: dict[str, list[StoredImage]] = {}
    query = sa.select(image).order_by(image.c.imported_at, image.c.id)
    for batch in chunks(paths, IN_ROWS):
        records = [from_row(row) for row in conn.execute(query.where(image.c.path.in_(batch))).mappings()]
        scans = scans_of(conn, (record.id for record in records))
        detection_ids = _detection_ids(conn, (record.id for record in records))
        for record in records:
            stored = StoredImage(
                record=record,
                scans=frozenset(scans.get(record.id, ())),
                detection_ids=frozenset(detection_ids.get(record.id, ())),
            )
            at_path.setdefault(record.path, []).append(stored)
    return at_path


def _detection_ids(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = {}
    for batch in chunks(image_ids, IN_ROWS):
        query = sa.select(detection.c.image_id, detection.c.id).where(detection.c.image_id.in_(batch))
        for row in conn.execute(query):
            ids.setdefault(row.image_id, set()).add(row.id)
    return ids


def scans_of(conn: sa.Connection, ids: Iterable[str]) -> dict[str, set[str]]:
    """The names of the scans of each of these photographs; one without scans has no entry."""
    scans: dict[str, set[str]] = {}
    for batch in chunks(ids, IN_ROWS):
        query = sa.select(scan.c.image_id, scan.c.detector).where(scan.c.image_id.in_(batch))
        for row in conn.execute(query):
            scans.setdefault(row.image_id, set()).add(row.detector)
    return scans


def stored_scans(conn: sa.Connection, scans: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these pairs of image id and scan name that are stored already."""
    wanted = set(scans)
    stored = scans_of(conn, {id_ for id_, _ in wanted})
    return {(id_, name) for id_, name in wanted if name in stored.get(id_, ())}


def add_scans(conn: sa.Connection, scans: Iterable[tuple[str, str]]) -> None:
    """Store scans: pairs of image id and scan name."""
    now = utc_now()
    rows = ({"image_id": id_, "detector": name, "scanned_at": now} for id_, name in scans)
    insert_new(conn, scan, rows)


def remove_failed(conn: sa.Connection, ids: Iterable[str]) -> None:
    """Remove the rows with these ids that are failures: their files can be read now."""
    for batch in chunks(ids, IN_ROWS):
        conn.execute(sa.delete(image).where(image.c.id.in_(batch), image.c.failure.is_not(None)))


def frames_at(conn: sa.Connection, location: str, own_prefix: str) -> list[Frame]:
    """The photographs of a location with a time, sorted by the camera's clock.

    Only those without a sequence or with one whose id begins with `own_prefix`: sequences from a source
    have other ids.
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
    """Update the sequence columns of these photographs."""
    rows = [{"row_id": frame.id} | {name: getattr(frame, name) for name in _SEQUENCE} for frame in frames]
    if rows:
        conn.execute(sa.update(image).where(image.c.id == sa.bindparam("row_id")), rows)


def counts(conn: sa.Connection) -> dict[str, Any]:
    """The number of readable `photographs`, and of `failed` ones by kind of failure."""
    query = sa.select(image.c.failure, sa.func.count()).group_by(image.c.failure)
    by_kind: dict[str | None, int] = {row[0]: row[1] for row in conn.execute(query)}
    readable = by_kind.pop(None, 0)
    return {"photographs": readable, "failed": dict(sorted(by_kind.items(), key=lambda item: str(item[0])))}


def superseded() -> sa.ColumnElement[bool]:
    """Whether the same file has a newer row, or one that could be read while this one failed."""
    other = image.alias()
    return sa.exists().where(
        other.c.path == image.c.path,
        other.c.id != image.c.id,
        other.c.role == image.c.role,
        other.c.failure.is_(None),
        sa.or_(
            image.c.failure.is_not(None),
            sa.tuple_(other.c.imported_at, other.c.id) > sa.tuple_(image.c.imported_at, image.c.id),
        ),
    )


def from_row(row: Mapping[Any, Any]) -> ImageRecord:
    """The record of a row of `image`; further columns of the row are ignored."""
    return ImageRecord(**{name: row[name] for name in _FIELDS if name != "role"}, role=Role(row["role"]))
