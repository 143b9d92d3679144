"""The oracle's rows, which are added and never changed, and the current labels derived from them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from pipeline.current_label import GROUPS, CurrentLabel, OracleEntry, current_label
from pipeline.records import (
    LABEL_STUDIO_SOURCE,
    SIGN_OFF_DETECTOR,
    AnnotationRecord,
    DetectionKind,
    DetectionRecord,
    Role,
    Verdict,
    Way,
    utc_now,
)
from pipeline.store.database import IN_ROWS, chunks, insert_new, lock
from pipeline.store.schema import category, detection, image, oracle, project

RESOLVED = (DetectionKind.CONFIRMED, DetectionKind.USER)  # out of the queue: labelled or unsure


Key = tuple[str, str]  # unique id of an annotation, and one of the detections that it speaks of


@dataclass(frozen=True, kw_only=True)
class LatestRevision:
    """The newest revision of what one annotation says of one detection."""

    annotation: AnnotationRecord  # without its result
    revision: int
    recorded_at: dt.datetime  # by this machine's clock


def append(
    conn: sa.Connection,
    annotations: Iterable[AnnotationRecord],
    *,
    fetched_at: dt.datetime | None = None,
) -> int:
    """Add each new state as the next revision of its annotation; returns the number of new states.

    An annotation has a state for each detection that its task asks about. A state is new if there is none of
    this annotation and detection, or if it is later than the newest stored one. Of an annotation of a group
    of detections it must also differ: whoever corrects one crop of a board repeats nothing of the others.
    `fetched_at` is the time at which a sync began to read Label Studio: the states that it read also
    overrule a deletion, or other content with the same time, that was recorded before. States may come in
    any order, repeatedly, and from several processes at the same time. The `result` of an annotation of a
    group, which all its states share, is stored with the first new one of them.
    """
    states = sorted(annotations, key=lambda state: state.annotated_at)
    lock(conn, "oracle")
    latest = _latest_by_key(conn, oracle.c.annotation_uid, {state.annotation_uid for state in states})
    now = utc_now()
    rows = []
    with_result: set[tuple[str, dt.datetime]] = set()  # of groups
    for state in states:
        stored = latest.get(_key(state))
        if not _is_new(state, stored, fetched_at):
            continue
        if stored is not None and state.verdict is Verdict.DELETED:
            state = replace(state, annotated_at=max(state.annotated_at, stored.annotation.annotated_at))
        revision = stored.revision + 1 if stored else 1
        latest[_key(state)] = LatestRevision(annotation=state, revision=revision, recorded_at=now)
        if state.way in GROUPS:
            moment = state.annotation_uid, state.annotated_at
            state = replace(state, result=None) if moment in with_result else state
            with_result.add(moment)
        rows.append(_row(state, revision, now))
    if rows:
        conn.execute(sa.insert(oracle), rows)
    return len(rows)


def add_first_revisions(conn: sa.Connection, annotations: Iterable[AnnotationRecord]) -> int:
    """Insert annotations of new detections; returns the number of new annotations.

    Faster than `append`, and needs no `update_labels`: new detections are stored with their labels.
    """
    now = utc_now()
    return insert_new(conn, oracle, (_row(annotation, 1, now) for annotation in annotations))


def active_annotations(
    conn: sa.Connection,
    project_id: int,
    *,
    task_ids: Iterable[int] | None = None,
    annotation_ids: Iterable[int] | None = None,
) -> list[LatestRevision]:
    """The annotations of the project that are not deleted: of these tasks, with these ids, or all.

    An annotation of a group of detections is as many. Those of a former project with the same id
    (`projects.renew`) are not among them.
    """
    in_project = _of_project(project_id)
    if task_ids is not None:
        latest = _latest_by_key(conn, oracle.c.task_id, set(task_ids), in_project)
    elif annotation_ids is not None:
        latest = _latest_by_key(conn, oracle.c.annotation_id, set(annotation_ids), in_project)
    else:
        latest = _latest(conn.execute(_REVISION.where(in_project)))
    return [state for state in latest.values() if state.annotation.verdict is not Verdict.DELETED]


def latest(conn: sa.Connection, annotation_uids: Iterable[str]) -> dict[Key, LatestRevision]:
    """The newest state of these annotations for each detection that they spoke of, deletions included."""
    return _latest_by_key(conn, oracle.c.annotation_uid, set(annotation_uids))


def answered_at(conn: sa.Connection, project_id: int, task_ids: Iterable[int]) -> dict[int, dt.datetime]:
    """When each of these tasks was answered last, by an annotation that counts; others have no entry.

    Whoever skips a task in Label Studio leaves it to others, which is no answer. Submitting it blank is one.
    """
    later = oracle.alias()
    is_superseded = sa.exists().where(
        later.c.annotation_uid == oracle.c.annotation_uid,
        later.c.detection_id == oracle.c.detection_id,
        later.c.revision > oracle.c.revision,
    )
    is_left = sa.and_(
        oracle.c.verdict == Verdict.SKIPPED.value,
        sa.func.coalesce(sa.cast(oracle.c.attributes, sa.Text), "").not_like('%"blank": true%'),
    )
    query = (
        sa.select(oracle.c.task_id, sa.func.max(oracle.c.annotated_at).label("moment"))
        .where(_of_project(project_id), oracle.c.verdict != Verdict.DELETED.value, ~is_left, ~is_superseded)
        .group_by(oracle.c.task_id)
    )
    found: dict[int, dt.datetime] = {}
    for batch in chunks(sorted(task_ids), IN_ROWS):
        found |= {row.task_id: row.moment for row in conn.execute(query.where(oracle.c.task_id.in_(batch)))}
    return found


def update_labels(conn: sa.Connection, detection_ids: Iterable[str]) -> None:
    """Write the current label of these detections into their rows of `detection`."""
    for batch in chunks(sorted(set(detection_ids)), IN_ROWS):
        current = {id_: current_label(history) for id_, history in histories(conn, batch).items()}
        stored = conn.execute(
            sa.select(detection.c.id, *(detection.c[name] for name in _LABEL_COLUMNS)).where(
                detection.c.id.in_(batch)
            )
        )
        stale = []
        for row in stored.mappings():
            columns = _label_columns(current.get(row["id"], CurrentLabel(verdict=None)))
            if any(row[name] != value for name, value in columns.items()):
                stale.append({"key": row["id"], **columns})
        if stale:
            conn.execute(
                sa.update(detection)
                .where(detection.c.id == sa.bindparam("key"))
                .values({name: sa.bindparam(name) for name in _LABEL_COLUMNS}),
                sorted(stale, key=lambda row: str(row["key"])),
            )


def with_label(record: DetectionRecord, current: CurrentLabel) -> DetectionRecord:
    """The record with the fields that the current label determines."""
    return replace(
        record, kind=_kind(current), category_id=current.label, category_confidence=current.confidence
    )


_LABEL_COLUMNS = ("kind", "category_id", "category_confidence")


def _label_columns(current: CurrentLabel) -> dict[str, Any]:
    return {
        "kind": int(_kind(current)),
        "category_id": current.label,
        "category_confidence": current.confidence,
    }


def _kind(current: CurrentLabel) -> DetectionKind:
    if current.verdict is Verdict.WEAK:
        return DetectionKind.MODEL
    if not current.resolved:
        return DetectionKind.ACTIVE
    return DetectionKind.CONFIRMED if current.confirmed else DetectionKind.USER


def histories(
    conn: sa.Connection, detection_ids: Iterable[str], *, until: int | None = None
) -> dict[str, list[OracleEntry]]:
    """All entries of each of these detections, oldest first; one without entries is absent.

    With `until`, a row number, only the entries up to it.
    """
    by_detection: dict[str, list[OracleEntry]] = defaultdict(list)
    for batch in chunks(detection_ids, IN_ROWS):
        query = _ENTRY.where(oracle.c.detection_id.in_(batch)).order_by(oracle.c.id)
        if until is not None:
            query = query.where(oracle.c.id <= until)
        for row in conn.execute(query).mappings():
            by_detection[row["detection_id"]].append(_entry(row))
    return dict(by_detection)


def labels(conn: sa.Connection) -> dict[str, int]:
    """The current category id of each labelled detection of the project, by detection id."""
    query = sa.select(detection.c.id, detection.c.category_id).where(_labelled())
    return {row.id: row.category_id for row in conn.execute(query)}


def resolved_ids(conn: sa.Connection) -> set[str]:
    """The detections of the project that are out of the queue: labelled or unsure."""
    query = sa.select(detection.c.id).where(detection.c.kind.in_(RESOLVED), belongs())
    return set(conn.scalars(query))


def label_count(conn: sa.Connection) -> int:
    """The number of labelled detections of the project."""
    query = sa.select(sa.func.count()).select_from(detection).where(_labelled())
    return conn.execute(query).scalar_one()


def label_counts(conn: sa.Connection) -> dict[int, int]:
    """The number of labelled detections of the project by category id."""
    query = sa.select(detection.c.category_id, sa.func.count().label("labels")).where(_labelled())
    return {row.category_id: row.labels for row in conn.execute(query.group_by(detection.c.category_id))}


def labelled_as(conn: sa.Connection, numbers: Iterable[int]) -> set[str]:
    """The detections with any row of the oracle that has one of these category ids."""
    query = sa.select(oracle.c.detection_id).where(oracle.c.label.in_(list(numbers))).distinct()
    return set(conn.scalars(query))


def undecided(conn: sa.Connection, project_id: int) -> dict[str, CurrentLabel]:
    """The current label of each detection that people annotated and that still waits, by detection id.

    These are detections that are disputed, skipped or struck out, or whose annotations were deleted. Whole
    photographs that are signed off are not among them: see `store.empties`.
    """
    query = (
        sa.select(oracle.c.detection_id)
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(
            oracle.c.project_id == project_id,
            detection.c.kind == DetectionKind.ACTIVE,
            detection.c.replaced_by.is_(None),
            detection.c.detector != SIGN_OFF_DETECTOR,
        )
        .distinct()
    )
    entries = histories(conn, conn.scalars(query).all())
    return {detection_id: current_label(history) for detection_id, history in entries.items()}


def disputed_ids(conn: sa.Connection, project_id: int) -> set[str]:
    """The disputed detections of the project: somebody must decide between their labels."""
    return {id_ for id_, current in undecided(conn, project_id).items() if current.disputed}


def struck_ids(conn: sa.Connection, project_id: int) -> set[str]:
    """The detections that were struck out of a group of the project and wait to be asked about alone.

    One that somebody skipped since is not among them; one with a weak label is. Whole photographs that are
    signed off are not among them: see `store.empties`. It costs as many rows as were ever struck out.
    """
    # A literal: SQLite uses the index for no parameter.
    struck = sa.literal_column(f"'{Verdict.STRUCK.value}'", sa.Text)
    query = (
        sa.select(oracle.c.detection_id)
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(
            oracle.c.verdict == struck,
            oracle.c.project_id == project_id,
            detection.c.kind.not_in(RESOLVED),
            detection.c.replaced_by.is_(None),
            detection.c.detector != SIGN_OFF_DETECTOR,
        )
        .distinct()
    )
    entries = histories(conn, conn.scalars(query).all())
    return {id_ for id_, history in entries.items() if current_label(history).struck}


def _of_project(project_id: int) -> sa.ColumnElement[bool]:
    """Whether a row is of this project, and not of a former one with the same id (`projects.renew`)."""
    created_at = sa.select(project.c.created_at).where(project.c.id == project_id).scalar_subquery()
    return sa.and_(
        oracle.c.project_id == project_id,
        oracle.c.recorded_at >= sa.func.coalesce(created_at, oracle.c.recorded_at),
    )


def _is_new(state: AnnotationRecord, stored: LatestRevision | None, fetched_at: dt.datetime | None) -> bool:
    if stored is None:
        return state.verdict is not Verdict.DELETED
    if state.source != LABEL_STUDIO_SOURCE:  # imports repeat: only other content is a new state
        return _content(state) != _content(stored.annotation)
    read_later = fetched_at is not None and stored.recorded_at < fetched_at
    if state.verdict is Verdict.DELETED:
        return stored.annotation.verdict is not Verdict.DELETED and (fetched_at is None or read_later)
    if state.annotated_at > stored.annotation.annotated_at:
        return state.way not in GROUPS or _content(state) != _content(stored.annotation)
    if stored.annotation.verdict is Verdict.DELETED:
        return read_later
    same_time = state.annotated_at == stored.annotation.annotated_at
    return read_later and same_time and _content(state) != _content(stored.annotation)


def _content(state: AnnotationRecord) -> tuple[object, ...]:
    return state.verdict, state.label, state.ground_truth, state.confidence, state.attributes


def _key(state: AnnotationRecord) -> Key:
    return state.annotation_uid, state.detection_id


def _labelled() -> sa.ColumnElement[bool]:
    return sa.and_(detection.c.kind.in_(RESOLVED), detection.c.category_id.is_not(None), belongs())


def is_crop() -> sa.ColumnElement[bool]:
    """Whether a detection of the target pool has a crop, of which every project asks.

    A box that a person drew anew stands for the former one.
    """
    return sa.and_(_of_target(), detection.c.replaced_by.is_(None), detection.c.crop_path.is_not(None))


def belongs() -> sa.ColumnElement[bool]:
    """Whether a detection of the target pool has a crop, or a label from a source."""
    given = oracle.alias()
    from_source = sa.exists().where(given.c.detection_id == detection.c.id, given.c.project_id.is_(None))
    return sa.or_(is_crop(), sa.and_(_of_target(), detection.c.replaced_by.is_(None), from_source))


def _of_target() -> sa.ColumnElement[bool]:
    own = image.alias()
    return sa.exists().where(own.c.id == detection.c.image_id, own.c.role == Role.TARGET)


_ENTRY_FIELDS = tuple(field.name for field in fields(OracleEntry))
_ANNOTATION_FIELDS = tuple(field.name for field in fields(AnnotationRecord))


def _with_resolved_categories(*names: str) -> sa.Select[Any]:
    """A query of these columns of the oracle; merged categories have the number of their target."""
    label, shown = category.alias(), category.alias()
    resolved = {
        "label": sa.func.coalesce(label.c.merged_into, oracle.c.label).label("label"),
        "shown": sa.func.coalesce(shown.c.merged_into, oracle.c.shown).label("shown"),
    }
    return (
        sa.select(*(resolved.get(name, oracle.c[name]) for name in names))
        .join(label, label.c.id == oracle.c.label, isouter=True)
        .join(shown, shown.c.id == oracle.c.shown, isouter=True)
    )


_ENTRY = _with_resolved_categories("detection_id", *_ENTRY_FIELDS)
_REVISION = _with_resolved_categories(
    "recorded_at", "revision", *(name for name in _ANNOTATION_FIELDS if name != "result")
)


def _latest_by_key(
    conn: sa.Connection,
    column: sa.Column[Any],
    keys: set[Any],
    *conditions: sa.ColumnElement[bool],
) -> dict[Key, LatestRevision]:
    """The latest revision of each annotation whose `column` is in `keys`, by unique id and detection."""
    latest: dict[Key, LatestRevision] = {}
    for batch in chunks(sorted(keys), IN_ROWS):
        latest |= _latest(conn.execute(_REVISION.where(column.in_(batch), *conditions)))
    return latest


def _latest(rows: sa.CursorResult[Any]) -> dict[Key, LatestRevision]:
    latest: dict[Key, sa.RowMapping] = {}
    for row in rows.mappings():
        key = row["annotation_uid"], row["detection_id"]
        if key not in latest or row["revision"] > latest[key]["revision"]:
            latest[key] = row
    return {key: _revision(row) for key, row in latest.items()}


def _revision(row: sa.RowMapping) -> LatestRevision:
    values = {name: row[name] for name in _ANNOTATION_FIELDS if name != "result"}
    return LatestRevision(
        annotation=AnnotationRecord(**values | _enums(row)),
        revision=row["revision"],
        recorded_at=row["recorded_at"],
    )


def _entry(row: sa.RowMapping) -> OracleEntry:
    values = {name: row[name] for name in _ENTRY_FIELDS}
    return OracleEntry(**values | _enums(row))


def _enums(row: sa.RowMapping) -> dict[str, Any]:
    return {"verdict": Verdict(row["verdict"]), "way": None if row["way"] is None else Way(row["way"])}


def _row(annotation: AnnotationRecord, revision: int, recorded_at: dt.datetime) -> dict[str, Any]:
    values = {name: getattr(annotation, name) for name in _ANNOTATION_FIELDS}
    return values | {
        "verdict": annotation.verdict.value,
        "way": None if annotation.way is None else annotation.way.value,
        "revision": revision,
        "recorded_at": recorded_at,
    }
