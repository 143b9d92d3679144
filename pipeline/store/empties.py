"""Photographs that machines alone call empty, and the random sample of them that people sign off.

The sample is drawn in the order of the ids, which are digests: each draw is a simple random sample, and
photographs that are imported later have the same chance. A photograph of the sample has a detection of its
whole frame, which carries what people say in the oracle. It is no crop.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from pipeline.current_label import OracleEntry, current_label
from pipeline.identity import NO_DETECTOR, ROWS_ONLY
from pipeline.records import (
    ANIMAL,
    DRAWN_DETECTOR,
    EMPTY,
    LABEL_STUDIO_SOURCE,
    OBSERVATION_TYPE,
    SIGN_OFF_DETECTOR,
    UNCLASSIFIED,
    DetectionRecord,
    ImageRecord,
    Role,
    Verdict,
)
from pipeline.store import detections, images, oracle
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import category, detection, image, image_label, scan, sign_off
from pipeline.store.schema import oracle as oracle_rows
from pipeline.vocabulary import kind_of

_EMPTY_ID = 0  # of the category EMPTY


class Finding(StrEnum):
    """What people say of a photograph that machines call empty."""

    OPEN = "open"  # nobody has looked at it
    NO_ANIMAL = "no animal"  # signed off, or what was found on it is no animal
    STRUCK = "struck"  # there is something: a box must be drawn
    ANIMAL = "animal"  # a box is drawn, or a species named
    UNDECIDED = "undecided"  # skipped, unsure or disputed


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """A photograph of the sample."""

    image_id: str
    detection_id: str  # of its whole frame
    frame_path: str | None  # the reduced photograph, below the data folder; None: it could not be read
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many photographs machines alone call empty."""

    covered: int  # that were called so when the sample was last drawn from
    later: int  # that came since


def called_empty() -> sa.ColumnElement[bool]:
    """Whether detectors looked at a photograph of the target pool and nobody says that there is anything.

    People have said nothing of it, other than by signing it off or drawing boxes on it, and machines have
    neither a box nor a label other than `empty`.
    """
    by_machine = detection.c.detector.not_in((SIGN_OFF_DETECTOR, DRAWN_DETECTOR))
    is_empty = sa.func.coalesce(category.c.merged_into, category.c.id, -1) == _EMPTY_ID
    is_unclassified = sa.and_(
        image_label.c.category_id.is_(None),
        sa.func.coalesce(image_label.c.details[OBSERVATION_TYPE].as_string(), "") == UNCLASSIFIED,
    )
    says_otherwise = (
        sa.select(image_label.c.id)
        .outerjoin(category, category.c.id == image_label.c.category_id)
        .where(
            image_label.c.image_id == image.c.id,
            sa.not_(is_unclassified),
            sa.not_(sa.and_(image_label.c.weak, is_empty)),
        )
    )
    return sa.and_(
        image.c.role == Role.TARGET,
        sa.func.coalesce(image.c.failure, "") == "",  # SQLite would search most rows by the index of failures
        ~_of_image(detection, by_machine),  # first what rules most out
        _of_image(scan, _by_detector()),
        ~sa.exists(says_otherwise.correlate(image)),
        ~images.superseded(),
    )


def is_drawn(conn: sa.Connection) -> bool:
    """Whether a sample was ever drawn."""
    return conn.execute(sa.select(sign_off.c.image_id).limit(1)).first() is not None


def counts(conn: sa.Connection) -> Counts:
    """The photographs that machines alone call empty, by whether the last draw chose among them."""
    drawn_at = conn.execute(sa.select(sa.func.max(sign_off.c.drawn_at))).scalar_one()
    came_before = _of_image(scan, _by_detector(), scan.c.scanned_at <= drawn_at)
    is_covered = sa.or_(came_before, _of_image(sign_off))  # what was drawn, whatever clocks say
    covered = sa.func.sum(sa.case((is_covered, 1), else_=0))
    query = sa.select(sa.func.count(), covered).select_from(image).where(called_empty())
    total, before = conn.execute(query).one()
    return Counts(covered=before or 0, later=total - (before or 0))


def next_to_draw(conn: sa.Connection, count: int) -> list[ImageRecord]:
    """The next `count` photographs that the sample takes, in order.

    More if so many came since the last draw that have a place before its end: without them, the sample would
    have fewer of those than of earlier ones.
    """
    query = sa.select(image).where(called_empty(), ~_of_image(sign_off)).order_by(image.c.id)
    last = conn.execute(sa.select(sa.func.max(sign_off.c.image_id))).scalar_one()
    if last is not None:
        late = sa.select(sa.func.count()).select_from(image)
        late = late.where(called_empty(), ~_of_image(sign_off), image.c.id < last)
        count = max(count, int(conn.execute(late).scalar_one()))
    return [images.from_row(row) for row in conn.execute(query.limit(count)).mappings()]


def without_frame(conn: sa.Connection) -> list[ImageRecord]:
    """The photographs of the sample that could not be read when they were drawn."""
    query = (
        sa.select(image)
        .join(sign_off, sign_off.c.image_id == image.c.id)
        .join(detection, detection.c.id == sign_off.c.detection_id)
        .where(detection.c.frame_path.is_(None), called_empty())
        .order_by(image.c.id)
    )
    return [images.from_row(row) for row in conn.execute(query).mappings()]


def add(conn: sa.Connection, records: Iterable[DetectionRecord], drawn_at: dt.datetime) -> int:
    """Add photographs to the sample, by the detections of their whole frames.

    Those that it has get the frame that they lacked. Returns the number of new ones.
    """
    listed = list(records)
    detections.add(conn, listed)
    detections.set_frames(conn, listed)
    return insert_new(
        conn,
        sign_off,
        ({"image_id": record.image_id, "detection_id": record.id, "drawn_at": drawn_at} for record in listed),
    )


def sample(conn: sa.Connection) -> list[SignOff]:
    """The photographs of the sample that machines alone still call empty, in the order of drawing."""
    query = (
        sa.select(sign_off.c.image_id, sign_off.c.detection_id, detection.c.frame_path)
        .join(image, image.c.id == sign_off.c.image_id)
        .join(detection, detection.c.id == sign_off.c.detection_id)
        .where(called_empty())
        .order_by(sign_off.c.image_id)
    )
    rows = conn.execute(query).all()
    histories = oracle.histories(conn, (row.detection_id for row in rows))
    drawn = drawn_labels(conn, (row.image_id for row in rows))
    return [
        SignOff(
            image_id=row.image_id,
            detection_id=row.detection_id,
            frame_path=row.frame_path,
            finding=finding(histories.get(row.detection_id, ()), drawn.get(row.image_id, ())),
        )
        for row in rows
    ]


def struck_ids(conn: sa.Connection) -> set[str]:
    """The whole frames of the sample that somebody struck out and that wait for a box."""
    query = (
        sa.select(sign_off.c.detection_id, sign_off.c.image_id)
        .join(oracle_rows, oracle_rows.c.detection_id == sign_off.c.detection_id)
        .where(oracle_rows.c.verdict == Verdict.STRUCK.value)
        .distinct()
    )
    image_of = {row.detection_id: row.image_id for row in conn.execute(query)}
    histories = oracle.histories(conn, image_of)
    drawn = drawn_labels(conn, image_of.values())
    return {
        id_
        for id_, image_id in image_of.items()
        if finding(histories[id_], drawn.get(image_id, ())) is Finding.STRUCK
    }


def drawn_labels(conn: sa.Connection, image_ids: Iterable[str]) -> dict[str, list[str | None]]:
    """The labels of the boxes that people drew on each of these photographs; None: without a label."""
    labels: dict[str, list[str | None]] = {}
    query = (
        sa.select(detection.c.image_id, category.c.name)
        .outerjoin(category, category.c.id == detection.c.category_id)
        .where(detection.c.detector == DRAWN_DETECTOR, detection.c.replaced_by.is_(None))
        .order_by(detection.c.id)
    )
    for batch in chunks(image_ids, IN_ROWS):
        for row in conn.execute(query.where(detection.c.image_id.in_(batch))):
            labels.setdefault(row.image_id, []).append(row.name)
    return labels


def finding(history: Iterable[OracleEntry], boxes: Iterable[str | None]) -> Finding:
    """What people say of a photograph, by the oracle's rows of its whole frame.

    `boxes` are the labels of the boxes that people drew on it. A box is an animal unless somebody says that
    it is none. Whoever struck the photograph out is believed until they say otherwise, or somebody has
    looked at it alone.
    """
    labels = list(boxes)
    if any(label is None or (label != EMPTY and kind_of(label) == ANIMAL) for label in labels):
        return Finding.ANIMAL
    if labels:
        return Finding.NO_ANIMAL
    by_people = [entry for entry in history if entry.source == LABEL_STUDIO_SOURCE]
    latest = {entry.annotation_uid: entry for entry in sorted(by_people, key=lambda entry: entry.revision)}
    said = [entry for entry in latest.values() if entry.verdict is not Verdict.DELETED]
    if any(entry.verdict is Verdict.STRUCK and not _is_outdone(entry, said) for entry in said):
        return Finding.STRUCK
    current = current_label(by_people)
    if current.verdict is Verdict.LABEL:
        return Finding.NO_ANIMAL if current.label == _EMPTY_ID else Finding.ANIMAL
    return Finding.UNDECIDED if said else Finding.OPEN


def _is_outdone(strike: OracleEntry, said: Iterable[OracleEntry]) -> bool:
    """Whether whoever struck a photograph out, or somebody who saw it alone, has answered since."""
    return any(
        entry.verdict in (Verdict.LABEL, Verdict.UNSURE)
        and entry.annotated_at > strike.annotated_at
        and (entry.is_alone or (entry.annotator is not None and entry.annotator == strike.annotator))
        for entry in said
    )


def _of_image(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether a photograph has a row of this table for which the conditions hold."""
    rows = sa.select(sa.literal(1)).select_from(table).where(table.c.image_id == image.c.id, *conditions)
    return sa.exists(rows.correlate(image))


def _by_detector() -> sa.ColumnElement[bool]:
    """Whether a scan is of a detector, or of a source that has boxes."""
    nobody = (f"{NO_DETECTOR}@", f"{ROWS_ONLY}{NO_DETECTOR}@")
    return sa.and_(*(~scan.c.detector.startswith(name, autoescape=True) for name in nobody))
