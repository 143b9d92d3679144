"""The Label Studio tasks that ask about detections."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from pipeline.records import Box, Purpose, TaskKind, TaskRecord, utc_now
from pipeline.store.database import IN_ROWS, chunks, insert_new
from pipeline.store.schema import detection, image, task, task_crop


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How many tasks people have answered since the last of a kind."""

    audit: int
    board: int
    confirmation: int


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """What the task of a detection shows."""

    detection_id: str
    image_id: str
    box: Box
    path: str  # of the photograph
    crop_path: str  # below the data folder; of a detection that is no crop, its frame
    frame_path: str | None
    bbox_confidence: float | None
    file_name: str
    location: str | None
    datetime: dt.datetime | None  # by the camera's clock
    sequence: str | None


_CONTENT: sa.Select[Any] = (
    sa.select(
        detection.c.id.label("detection_id"),
        detection.c.image_id,
        detection.c.bbox_X1.label("x1"),
        detection.c.bbox_Y1.label("y1"),
        detection.c.bbox_X2.label("x2"),
        detection.c.bbox_Y2.label("y2"),
        image.c.path,
        sa.func.coalesce(detection.c.crop_path, detection.c.frame_path).label("crop_path"),
        detection.c.frame_path,
        detection.c.bbox_confidence,
        image.c.file_name,
        image.c.location,
        image.c.datetime,
        image.c.seq_id.label("sequence"),
    )
    .join(image, image.c.id == detection.c.image_id)
    .where(sa.func.coalesce(detection.c.crop_path, detection.c.frame_path).is_not(None))
)


def add(conn: sa.Connection, records: Iterable[TaskRecord]) -> int:
    """Insert the tasks that are not stored yet, with their detections; returns their number."""
    listed = list(records)
    now = utc_now()
    added = insert_new(conn, task, (_row(record, now) for record in listed))
    insert_new(
        conn,
        task_crop,
        (
            {
                "project_id": record.project_id,
                "task_id": record.task_id,
                "detection_id": detection_id,
                "position": position,
            }
            for record in listed
            for position, detection_id in enumerate(record.detections)
        ),
    )
    return added


def ids(conn: sa.Connection, project_id: int) -> list[int]:
    """The ids of all tasks of the project that are in Label Studio."""
    return list(conn.scalars(sa.select(task.c.task_id).where(_present(project_id))))


def count(conn: sa.Connection, project_id: int) -> int:
    """The number of tasks of the project in Label Studio."""
    query = sa.select(sa.func.count()).select_from(task).where(_present(project_id))
    return int(conn.execute(query).scalar_one())


def get(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, TaskRecord]:
    """Those of these tasks that were ever created, by id, deleted ones included."""
    records: dict[int, TaskRecord] = {}
    for batch in chunks(task_ids, IN_ROWS):
        records |= _select(conn, task.c.project_id == project_id, task.c.task_id.in_(batch))
    return records


def of_detections(
    conn: sa.Connection, project_id: int, detection_ids: Iterable[str]
) -> dict[str, list[TaskRecord]]:
    """The tasks in Label Studio that ask about each of these detections, oldest first."""
    found: dict[str, list[TaskRecord]] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        asks = sa.select(task_crop.c.task_id).where(
            task_crop.c.project_id == project_id, task_crop.c.detection_id.in_(batch)
        )
        wanted = set(batch)
        for record in _select(conn, _present(project_id), task.c.task_id.in_(asks)).values():
            for detection_id in wanted.intersection(record.detections):
                found.setdefault(detection_id, []).append(record)
    return found


def open_tasks(conn: sa.Connection, project_id: int) -> list[TaskRecord]:
    """The stock: the tasks in the label stream that nobody has answered, oldest first."""
    return list(_select(conn, _is_open(project_id)).values())


def of_purpose(conn: sa.Connection, project_id: int, purpose: Purpose) -> list[TaskRecord]:
    """All tasks that were ever created for this purpose, oldest first, deleted ones included."""
    conditions = (task.c.project_id == project_id, task.c.purpose == purpose.value)
    return list(_select(conn, *conditions).values())


def open_count(conn: sa.Connection, project_id: int) -> int:
    """The number of tasks in the stock."""
    query = sa.select(sa.func.count()).select_from(task).where(_is_open(project_id))
    return int(conn.execute(query).scalar_one())


def newest_id(conn: sa.Connection, project_id: int) -> int | None:
    """The highest id of the project's tasks in Label Studio; None if there are none."""
    number: int | None = conn.execute(
        sa.select(sa.func.max(task.c.task_id)).where(_present(project_id))
    ).scalar_one()
    return number


def parked(conn: sa.Connection, project_id: int, before: dt.datetime) -> list[TaskRecord]:
    """The unanswered tasks in Label Studio that were parked before this moment."""
    conditions = (_present(project_id), task.c.parked_at < before, task.c.answered_at.is_(None))
    return list(_select(conn, *conditions).values())


def answered_since(conn: sa.Connection, project_id: int) -> Answered:
    """How many tasks of the project people have answered since the last audit crop, board, confirmation."""
    answered = sa.and_(task.c.project_id == project_id, task.c.answered_at.is_not(None))

    def since(condition: sa.ColumnElement[bool]) -> int:
        last = conn.execute(
            sa.select(sa.func.max(task.c.answered_at)).where(answered, condition)
        ).scalar_one()
        later = answered if last is None else sa.and_(answered, task.c.answered_at > last)
        return int(conn.execute(sa.select(sa.func.count()).where(later)).scalar_one())

    return Answered(
        audit=since(task.c.purpose == Purpose.AUDIT),
        board=since(task.c.kind == TaskKind.BOARD),
        confirmation=since(task.c.purpose == Purpose.CONFIRMATION),
    )


def set_answered(conn: sa.Connection, project_id: int, moments: Mapping[int, dt.datetime | None]) -> None:
    """Set when each of these tasks was answered; None: no annotation of it counts any more."""
    rows = [{"key": number, "moment": moment} for number, moment in sorted(moments.items())]
    if rows:
        this = sa.update(task).where(task.c.project_id == project_id, task.c.task_id == sa.bindparam("key"))
        conn.execute(this.values(answered_at=sa.bindparam("moment")), rows)


def first_count(conn: sa.Connection, project_id: int, version: str | None = None) -> int:
    """The number of tasks in the stock that ask for first labels.

    With `version`, only those with a place in its queue.
    """
    query = sa.select(sa.func.count()).select_from(task)
    query = query.where(_is_open(project_id), task.c.purpose.in_((Purpose.QUEUE.value, Purpose.AUDIT.value)))
    if version is not None:
        query = query.where(task.c.model_version == version, task.c.score.is_not(None))
    return int(conn.execute(query).scalar_one())


def set_places(conn: sa.Connection, project_id: int, version: str, scores: Mapping[int, float]) -> None:
    """Record the places of tasks in the queue of this version: the score of each."""
    rows = [{"key": number, "place": score} for number, score in sorted(scores.items())]
    if rows:
        this = sa.update(task).where(task.c.project_id == project_id, task.c.task_id == sa.bindparam("key"))
        conn.execute(this.values(model_version=version, score=sa.bindparam("place")), rows)


def set_parked(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> None:
    """Record that these tasks are out of the label stream."""
    _stamp(conn, project_id, task_ids, "parked_at")


def set_deleted(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> None:
    """Record that Wildloop deletes these tasks in Label Studio. What annotators said in them stays."""
    _stamp(conn, project_id, task_ids, "deleted_at")


def by_detection(conn: sa.Connection, project_id: int, detection_ids: Iterable[str]) -> dict[str, int]:
    """The newest task of its own in Label Studio of each of these detections; one without has no entry."""
    return {
        detection_id: alone[-1].task_id
        for detection_id, records in of_detections(conn, project_id, detection_ids).items()
        if (alone := [each for each in records if each.kind is TaskKind.SINGLE and _is_first_question(each)])
    }


def by_task(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, str]:
    """The detection that each of these tasks asks about alone; other tasks have no entry."""
    records = get(conn, project_id, task_ids)
    return {
        number: record.detections[0] for number, record in records.items() if record.kind is TaskKind.SINGLE
    }


def remove(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> int:
    """Remove tasks that somebody deleted in Label Studio; returns the number of stored ones."""
    removed = 0
    for batch in chunks(task_ids, IN_ROWS):
        crops = sa.and_(task_crop.c.project_id == project_id, task_crop.c.task_id.in_(batch))
        conn.execute(sa.delete(task_crop).where(crops))
        this = sa.delete(task).where(task.c.project_id == project_id, task.c.task_id.in_(batch))
        removed += conn.execute(this).rowcount
    return removed


def contents(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, TaskContent]:
    """The task content of each of these detections; one without a picture has no entry."""
    content_of: dict[str, TaskContent] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        for row in conn.execute(_CONTENT.where(detection.c.id.in_(batch))).mappings():
            content_of[row["detection_id"]] = _content(row)
    return content_of


def some_shown(conn: sa.Connection, project_id: int, limit: int) -> list[tuple[int, str]]:
    """The newest `limit` tasks of the project, each with its crop's path below the data folder."""
    query = (
        sa.select(task_crop.c.task_id, detection.c.crop_path)
        .join(detection, detection.c.id == task_crop.c.detection_id)
        .join(
            task, sa.and_(task.c.project_id == task_crop.c.project_id, task.c.task_id == task_crop.c.task_id)
        )
        .where(_present(project_id), task_crop.c.position == 0, detection.c.crop_path.is_not(None))
        .order_by(task_crop.c.task_id.desc())
        .limit(limit)
    )
    return [(row.task_id, row.crop_path) for row in conn.execute(query)]


def _content(row: sa.RowMapping) -> TaskContent:
    values = dict(row)
    box = Box(**{side: values.pop(side) for side in ("x1", "y1", "x2", "y2")})
    return TaskContent(box=box, **values)


def _select(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[int, TaskRecord]:
    """The tasks of one project for which these conditions hold, by id, oldest first."""
    rows = conn.execute(sa.select(task).where(*conditions).order_by(task.c.task_id)).mappings().all()
    crops: dict[int, list[str]] = {row["task_id"]: [] for row in rows}
    query = (
        sa.select(task_crop.c.task_id, task_crop.c.detection_id)
        .join(
            task, sa.and_(task.c.project_id == task_crop.c.project_id, task.c.task_id == task_crop.c.task_id)
        )
        .where(*conditions)
        .order_by(task_crop.c.task_id, task_crop.c.position)
    )
    for row in conn.execute(query):
        crops[row.task_id].append(row.detection_id)
    return {row["task_id"]: _record(row, crops[row["task_id"]]) for row in rows}


_FIELDS = tuple(field.name for field in fields(TaskRecord) if field.name != "detections")


def _row(record: TaskRecord, now: dt.datetime) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _FIELDS}
    return values | {
        "kind": record.kind.value,
        "purpose": record.purpose.value,
        "details": None if record.details is None else dict(record.details),
        "created_at": record.created_at or now,
    }


def _record(row: Mapping[Any, Any], detection_ids: Iterable[str]) -> TaskRecord:
    values = {name: row[name] for name in _FIELDS}
    values |= {"kind": TaskKind(row["kind"]), "purpose": Purpose(row["purpose"])}
    return TaskRecord(detections=tuple(detection_ids), **values)


def _stamp(conn: sa.Connection, project_id: int, task_ids: Iterable[int], column: str) -> None:
    now = utc_now()
    for batch in chunks(task_ids, IN_ROWS):
        this = sa.update(task).where(task.c.project_id == project_id, task.c.task_id.in_(batch))
        conn.execute(this.values({column: now}))


def _is_first_question(record: TaskRecord) -> bool:
    return record.purpose in (Purpose.QUEUE, Purpose.AUDIT)


def _present(project_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(task.c.project_id == project_id, task.c.deleted_at.is_(None))


def _is_open(project_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(_present(project_id), task.c.answered_at.is_(None), task.c.parked_at.is_(None))
