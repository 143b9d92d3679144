"""Joins the tables of a package in a scratch database: media with their events, observations and files."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from importers.reading.scratch import scratch_database
from importers.sources.camtrap_dp.rows import Medium, Observation
from pipeline.records import Box
from pipeline.store.database import chunks

BATCH = 5_000  # rows in one statement

_TABLES = """
CREATE TABLE medium (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, deployment TEXT, time TEXT, path TEXT, name TEXT,
    event TEXT, is_video INTEGER, row TEXT, frame INTEGER, frames INTEGER
);
CREATE TABLE observation (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, place TEXT, deployment TEXT, medium TEXT, event TEXT,
    start TEXT, end TEXT, kind TEXT, category TEXT, count INTEGER, x1 REAL, y1 REAL, x2 REAL, y2 REAL,
    is_machine INTEGER, annotator TEXT, at TEXT, probability REAL, box_confidence REAL, details TEXT,
    row TEXT, first INTEGER
);
CREATE TABLE member (medium INTEGER, observation INTEGER, PRIMARY KEY (medium, observation)) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
"""

# The media of an event: those with its id, else those of its deployment and period.
_EVENTS = """
CREATE INDEX observation_medium ON observation (medium);
UPDATE medium SET event = (
    SELECT min(observation.event) FROM observation WHERE observation.medium = medium.id
) WHERE event IS NULL;
CREATE INDEX medium_event ON medium (deployment, event);
CREATE INDEX medium_time ON medium (deployment, time);
INSERT INTO member SELECT medium.number, observation.number FROM observation JOIN medium
    ON medium.deployment = observation.deployment AND medium.event = observation.event
    WHERE observation.medium IS NULL;
UPDATE observation SET event = deployment || ' ' || start || ' ' || end
    WHERE medium IS NULL AND event IS NULL;
INSERT OR IGNORE INTO member SELECT medium.number, observation.number FROM observation JOIN medium
    ON medium.deployment = observation.deployment
    AND medium.time BETWEEN observation.start AND observation.end
    WHERE observation.medium IS NULL
    AND observation.number NOT IN (SELECT member.observation FROM member);
UPDATE medium SET event = (
    SELECT observation.event FROM member JOIN observation ON observation.number = member.observation
    WHERE member.medium = medium.number ORDER BY observation.start DESC, observation.end, observation.number
    LIMIT 1
) WHERE event IS NULL;
CREATE TABLE placed AS SELECT number, row_number() OVER event - 1 AS frame,
    count(*) OVER (PARTITION BY deployment, event) AS frames FROM medium WHERE event IS NOT NULL
    WINDOW event AS (PARTITION BY deployment, event ORDER BY time, coalesce(name, path), number);
UPDATE medium SET frame = placed.frame, frames = placed.frames FROM placed
    WHERE placed.number = medium.number;
CREATE INDEX member_observation ON member (observation);
UPDATE observation SET first = (
    SELECT medium.number FROM member JOIN medium ON medium.number = member.medium
    WHERE member.observation = observation.number ORDER BY medium.frame, medium.number LIMIT 1
) WHERE medium IS NULL;
CREATE INDEX observation_first ON observation (first);
UPDATE medium SET event = deployment || '/' || event WHERE event IN (
    SELECT event FROM medium GROUP BY event HAVING min(deployment) < max(deployment)
);
CREATE INDEX medium_name ON medium (name, deployment);
CREATE INDEX file_name ON file (name);
"""


@dataclass(frozen=True, kw_only=True)
class JoinedMedium:
    """A medium with its place in its sequence, and the observations of it and of its event."""

    medium: Medium  # its event is the id of the sequence
    frame: int | None  # from 0
    frames: int | None  # in the sequence
    observations: tuple[Observation, ...]
    events: tuple[Mapping[str, str], ...]  # rows of the observations of events that begin with this medium


class ScratchTables:
    """The scratch tables of one import."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLES)
        connection.execute("BEGIN")  # until `join`: one transaction for all rows

    def add_media(self, media: Iterable[tuple[str, Medium]]) -> Iterator[tuple[str, Medium]]:
        """Add media with their places; yields those whose id another medium has."""
        statement = (
            "INSERT OR IGNORE INTO medium (id, deployment, time, path, name, event, is_video, row) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        for where, medium in media:
            values = (
                *(medium.id, medium.deployment, _text(medium.time)),
                *(medium.path, medium.name, medium.event, medium.is_video, json.dumps(dict(medium.row))),
            )
            if not self._connection.execute(statement, values).rowcount:
                yield where, medium

    def add_observations(
        self, observations: Iterable[tuple[str, Observation]]
    ) -> Iterator[tuple[str, Observation]]:
        """Add observations with their places; yields those whose id another observation has."""
        statement = f"INSERT OR IGNORE INTO observation VALUES (NULL{', ?' * 21}, NULL)"
        for where, row in observations:
            box = (row.box.x1, row.box.y1, row.box.x2, row.box.y2) if row.box else (None,) * 4
            values = (
                *(row.id, where, row.deployment, row.medium, row.event, _text(row.start), _text(row.end)),
                *(row.kind, row.category, row.count, *box, row.is_machine),
                *(row.annotator, _text(row.annotated_at), row.probability, row.box_confidence),
                json.dumps(row.details) if row.details else None,
                json.dumps(dict(row.row)),
            )
            if not self._connection.execute(statement, values).rowcount:
                yield where, row

    def add_files(self, names: Iterable[str]) -> None:
        """Add the names of files, which may be photographs, with forward slashes."""
        rows = ((name, name.rpartition("/")[2]) for name in names)
        for batch in chunks(rows, BATCH):
            self._connection.executemany("INSERT OR IGNORE INTO file VALUES (?, ?)", batch)

    def join(self) -> None:
        """Find the events of the media, after the last row is added; files can still be added."""
        self._connection.executescript(_EVENTS)

    def of_unknown_media(self) -> Iterator[tuple[str, str]]:
        """The places of observations of unknown media, with the id of the medium."""
        yield from self._connection.execute(
            "SELECT place, medium FROM observation WHERE medium IS NOT NULL "
            "AND medium NOT IN (SELECT id FROM medium) ORDER BY number"
        )

    def events_without_media(self) -> int:
        """The number of observations of events without media."""
        return self._count(
            "SELECT count(*) FROM observation WHERE medium IS NULL "
            "AND number NOT IN (SELECT observation FROM member)"
        )

    def rows_without_media(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The deployment and the row of every observation of an event without media."""
        found = self._connection.execute(
            "SELECT deployment, row FROM observation WHERE medium IS NULL AND first IS NULL ORDER BY number"
        )
        yield from ((deployment, json.loads(row)) for deployment, row in found)

    def species(self) -> list[str]:
        """The names of all species that were observed, as they are spelled."""
        found = self._connection.execute(
            "SELECT DISTINCT category FROM observation WHERE kind = 'animal' AND category IS NOT NULL"
        )
        return [name for (name,) in found]

    def without_deployment(self, deployments: Container[str]) -> int:
        """The number of media whose deployment is not one of these."""
        counts = self._connection.execute("SELECT deployment, count(*) FROM medium GROUP BY deployment")
        return sum(number for deployment, number in counts if deployment not in deployments)

    def media(self) -> int:
        """The number of media."""
        return self._count("SELECT count(*) FROM medium")

    def has_urls(self) -> bool:
        """Whether any medium has a URL."""
        return bool(self._count("SELECT EXISTS (SELECT 1 FROM medium WHERE path LIKE '%://%')"))

    def media_named(self, name: str, deployment: str | None = None) -> int:
        """The number of media with this file name, of a deployment if one is given."""
        if deployment is None:
            return self._count("SELECT count(*) FROM medium WHERE name = ?", name)
        return self._count("SELECT count(*) FROM medium WHERE name = ? AND deployment = ?", name, deployment)

    def has_file(self, path: str) -> bool:
        """Whether this file was added."""
        return bool(self._count("SELECT count(*) FROM file WHERE path = ?", path))

    def files(self, name: str, most: int = 1_000) -> list[str]:
        """The first files with this name, in any folder."""
        rows = self._connection.execute(
            "SELECT path FROM file WHERE name = ? ORDER BY path LIMIT ?", (name, most)
        )
        return [row[0] for row in rows]

    def __iter__(self) -> Iterator[JoinedMedium]:
        """Every medium, in the order of its table."""
        media = self._connection.execute(
            "SELECT id, deployment, time, path, name, event, is_video, frame, frames, number, row "
            "FROM medium ORDER BY number"
        )
        for row in media:
            medium = Medium(
                id=row[0],
                deployment=row[1],
                time=None if row[2] is None else dt.datetime.fromisoformat(row[2]),
                path=row[3],
                name=row[4],
                event=row[5],
                is_video=bool(row[6]),
                row=json.loads(row[10]),
            )
            events = self._connection.execute(
                "SELECT row FROM observation WHERE first = ? ORDER BY number", (row[9],)
            )
            yield JoinedMedium(
                medium=medium,
                frame=row[7],
                frames=row[8],
                observations=tuple(self._observations(row[0], row[9])),
                events=tuple(json.loads(event) for (event,) in events),
            )

    def _observations(self, medium: str, number: int) -> Iterator[Observation]:
        """The observations of a medium, then those of its event."""
        yield from map(
            _observation,
            self._connection.execute(f"{_OBSERVED} WHERE medium = ? ORDER BY number", (medium,)),
        )
        of_events = (
            f"{_OBSERVED} WHERE number IN (SELECT observation FROM member WHERE member.medium = ?) "
            "ORDER BY number"
        )
        yield from map(_observation, self._connection.execute(of_events, (number,)))

    def _count(self, query: str, *values: str) -> int:
        (number,) = self._connection.execute(query, values).fetchone()
        return int(number)


_OBSERVED = (
    "SELECT id, deployment, medium, event, kind, category, count, x1, y1, x2, y2, is_machine, annotator, "
    "at, probability, box_confidence, details, row FROM observation"
)


@contextmanager
def opened() -> Iterator[ScratchTables]:
    """Scratch tables for the duration of the block. Raises StoreError if the disk is full."""
    with scratch_database() as connection:
        yield ScratchTables(connection)


def _observation(row: tuple[Any, ...]) -> Observation:
    x1, y1, x2, y2 = (None if side is None else float(side) for side in row[7:11])
    box = None
    if x1 is not None and y1 is not None and x2 is not None and y2 is not None:
        box = Box(x1=x1, y1=y1, x2=x2, y2=y2)
    return Observation(
        id=row[0],
        deployment=row[1],
        medium=row[2],
        event=row[3],
        start=None,
        end=None,
        kind=row[4],
        category=row[5],
        count=None if row[6] is None else int(row[6]),
        box=box,
        is_machine=bool(row[11]),
        annotator=row[12],
        annotated_at=None if row[13] is None else dt.datetime.fromisoformat(row[13]),
        probability=None if row[14] is None else float(row[14]),
        box_confidence=None if row[15] is None else float(row[15]),
        details=None if row[16] is None else json.loads(row[16]),
        row=json.loads(row[17]),
    )


def _text(moment: dt.datetime | None) -> str | None:
    """A moment as text that sorts by time."""
    return None if moment is None else moment.isoformat(timespec="microseconds")
