"""What people said, appended and never changed, and the current labels that follow from it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from pipeline.oracle import CurrentLabel, OracleEntry, current_label
from pipeline.records import (
    LABEL_STUDIO_SOURCE,
    AnnotationRecord,
    DetectionKind,
    DetectionRecord,
    Role,
    Verdict,
    utc_now,
)
from pipeline.store.database import IN_ROWS, chunks, insert_new, lock
from pipeline.store.schema import detection, image, oracle, task

RESOLVED = (DetectionKind.CONFIRMED, DetectionKind.USER)


@dataclass(frozen=True, kw_only=True)
class LastState:
    """The newest revision of one annotation."""

    annotation: AnnotationRecord  # without its result
    revision: int
    recorded_at: dt.datetime  # our clock


def append(
    conn: sa.Connection,
    annotations: Iterable[AnnotationRecord],
    *,
    fetched_at: dt.datetime | None = None,
) -> int:
    """Add the states that are new, each as its annotation's next revision; returns how many were.

    A state is new where the annotation is unknown, or the state is later than the newest one stored.
    `fetched_at` says when a reconciliation began to read Label Studio: what it saw then also overrules
    a deletion, or other content of the same moment, that was recorded before. States may come in any
    order, twice, and from several processes at once.
    """
    given = sorted(annotations, key=lambda one: one.annotated_at)
    lock(conn, "oracle")
    last = _last_states(conn, oracle.c.annotation_uid, {one.annotation_uid for one in given})
    now = utc_now()
    rows = []
    for one in given:
        known = last.get(one.annotation_uid)
        if not _is_new(one, known, fetched_at):
            continue
        if known is not None and one.verdict is Verdict.DELETED:
            one = replace(one, annotated_at=max(one.annotated_at, known.annotation.annotated_at))
        revision = known.revision + 1 if known else 1
        last[one.annotation_uid] = LastState(annotation=one, revision=revision, recorded_at=now)
        rows.append(_row(one, revision, now))
    if rows:
        conn.execute(sa.insert(oracle), rows)
    return len(rows)


def add_first(conn: sa.Connection, annotations: Iterable[AnnotationRecord]) -> int:
    """Insert annotations of detections that are new themselves; returns how many were new.

    Quicker than `append`, and without `refresh`: the detections were stored with what follows.
    """
    now = utc_now()
    return insert_new(conn, oracle, (_row(one, 1, now) for one in annotations))


def active_annotations(
    conn: sa.Connection,
    project_id: int,
    *,
    task_ids: Iterable[int] | None = None,
    annotation_ids: Iterable[int] | None = None,
) -> list[LastState]:
    """Annotations of the project that were not taken back: of these tasks, of these ids, or all."""
    mine = oracle.c.project_id == project_id
    if task_ids is not None:
        last = _last_states(conn, oracle.c.task_id, set(task_ids), mine)
    elif annotation_ids is not None:
        last = _last_states(conn, oracle.c.annotation_id, set(annotation_ids), mine)
    else:
        last = _newest(conn.execute(_STATE.where(mine)))
    return [state for state in last.values() if state.annotation.verdict is not Verdict.DELETED]


def refresh(conn: sa.Connection, detection_ids: Iterable[str]) -> None:
    """Write the rule's answer for these detections into `detection.kind` and `category_id`."""
    for ids in chunks(sorted(set(detection_ids)), IN_ROWS):
        answers = {one: current_label(entries) for one, entries in histories(conn, ids).items()}
        stored = conn.execute(
            sa.select(
                detection.c.id, detection.c.kind, detection.c.category_id, detection.c.category_confidence
            ).where(detection.c.id.in_(ids))
        )
        stale = []
        for row in stored:
            answer = answers.get(row.id, CurrentLabel(verdict=None))
            kind = _kind(answer)
            if (row.kind, row.category_id, row.category_confidence) != (
                kind,
                answer.label,
                answer.confidence,
            ):
                stale.append(
                    {
                        "key": row.id,
                        "kind": int(kind),
                        "category_id": answer.label,
                        "category_confidence": answer.confidence,
                    }
                )
        if stale:
            conn.execute(
                sa.update(detection)
                .where(detection.c.id == sa.bindparam("key"))
                .values(
                    {name: sa.bindparam(name) for name in ("kind", "category_id", "category_confidence")}
                ),
                sorted(stale, key=lambda row: str(row["key"])),
            )


def histories(conn: sa.Connection, detection_ids: Iterable[str]) -> dict[str, list[OracleEntry]]:
    """Every entry of these detections, oldest first; a detection that nobody spoke of is absent."""
    found: dict[str, list[OracleEntry]] = defaultdict(list)
    for ids in chunks(detection_ids, IN_ROWS):
        query = _ENTRY.where(oracle.c.detection_id.in_(ids)).order_by(oracle.c.id)
        for row in conn.execute(query):
            found[row.detection_id].append(_entry(row))
    return dict(found)


def labels(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The current category of each labelled detection of the project."""
    query = sa.select(detection.c.id, detection.c.category_id).where(_labelled(project_id))
    return {row.id: row.category_id for row in conn.execute(query)}


def resolved(conn: sa.Connection, project_id: int) -> set[str]:
    """Detections of the project that leave the queue: labelled, or people are unsure of them."""
    query = sa.select(detection.c.id).where(detection.c.kind.in_(RESOLVED), _belongs(project_id))
    return set(conn.scalars(query))


def label_count(conn: sa.Connection, project_id: int) -> int:
    """How many detections `labels` would return."""
    query = sa.select(sa.func.count()).select_from(detection).where(_labelled(project_id))
    return conn.execute(query).scalar_one()


def disputed(conn: sa.Connection, project_id: int) -> set[str]:
    """Detections of the project whose labels tie: somebody has to settle them."""
    query = (
        sa.select(oracle.c.detection_id)
        .join(detection, detection.c.id == oracle.c.detection_id)
        .where(oracle.c.project_id == project_id, detection.c.kind == DetectionKind.ACTIVE)
        .distinct()
    )
    entries = histories(conn, conn.scalars(query).all())
    return {one for one, history in entries.items() if current_label(history).disputed}


def _is_new(one: AnnotationRecord, known: LastState | None, fetched_at: dt.datetime | None) -> bool:
    if known is None:
        return one.verdict is not Verdict.DELETED
    if (
        one.source != LABEL_STUDIO_SOURCE
    ):  # a source is imported again and again: only what it says makes it new
        return _content(one) != _content(known.annotation)
    seen_later = fetched_at is not None and known.recorded_at < fetched_at
    if one.verdict is Verdict.DELETED:
        return known.annotation.verdict is not Verdict.DELETED and (fetched_at is None or seen_later)
    if one.annotated_at > known.annotation.annotated_at:
        return True
    if known.annotation.verdict is Verdict.DELETED:
        return seen_later
    same_moment = one.annotated_at == known.annotation.annotated_at
    return seen_later and same_moment and _content(one) != _content(known.annotation)


def _content(one: AnnotationRecord) -> tuple[Verdict, int | None, bool, float | None]:
    return one.verdict, one.label, one.ground_truth, one.confidence


def _labelled(project_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(detection.c.kind.in_(RESOLVED), detection.c.category_id.is_not(None), _belongs(project_id))


def _belongs(project_id: int) -> sa.ColumnElement[bool]:
    """A task of the project, or a target labelled by a source: such labels serve every project."""
    published = sa.exists().where(task.c.project_id == project_id, task.c.detection_id == detection.c.id)
    sourced = sa.exists().where(
        oracle.c.detection_id == detection.c.id,
        oracle.c.project_id.is_(None),
        image.c.id == detection.c.image_id,
        image.c.role == Role.TARGET,
    )
    return sa.or_(published, sourced)


def labelled(record: DetectionRecord, answer: CurrentLabel) -> DetectionRecord:
    """The detection as the store keeps it with this answer."""
    return replace(
        record, kind=_kind(answer), category_id=answer.label, category_confidence=answer.confidence
    )


def _kind(answer: CurrentLabel) -> DetectionKind:
    if answer.verdict is Verdict.WEAK:
        return DetectionKind.MODEL
    if not answer.resolved:
        return DetectionKind.ACTIVE
    return DetectionKind.CONFIRMED if answer.confirmed else DetectionKind.USER


_ENTRY: sa.Select[Any] = sa.select(
    oracle.c.detection_id,
    oracle.c.annotation_uid,
    oracle.c.revision,
    oracle.c.verdict,
    oracle.c.label,
    oracle.c.annotator,
    oracle.c.annotated_at,
    oracle.c.ground_truth,
    oracle.c.source,
    oracle.c.confidence,
    oracle.c.shown,
)
_STATE: sa.Select[Any] = _ENTRY.add_columns(
    oracle.c.project_id,
    oracle.c.annotation_id,
    oracle.c.task_id,
    oracle.c.recorded_at,
    oracle.c.lead_time,
    oracle.c.model_version,
)


def _last_states(
    conn: sa.Connection,
    column: sa.Column[Any],
    keys: set[Any],
    *conditions: sa.ColumnElement[bool],
) -> dict[str, LastState]:
    """The newest state of each annotation whose `column` is among `keys`, by unique id."""
    last: dict[str, LastState] = {}
    for some in chunks(sorted(keys), IN_ROWS):
        last |= _newest(conn.execute(_STATE.where(column.in_(some), *conditions)))
    return last


def _newest(rows: Iterable[sa.Row[Any]]) -> dict[str, LastState]:
    newest: dict[str, sa.Row[Any]] = {}
    for row in rows:
        if row.annotation_uid not in newest or row.revision > newest[row.annotation_uid].revision:
            newest[row.annotation_uid] = row
    return {uid: _state(row) for uid, row in newest.items()}


def _state(row: sa.Row[Any]) -> LastState:
    annotation = AnnotationRecord(
        project_id=row.project_id,
        detection_id=row.detection_id,
        annotation_uid=row.annotation_uid,
        annotation_id=row.annotation_id,
        task_id=row.task_id,
        verdict=Verdict(row.verdict),
        label=row.label,
        annotator=row.annotator,
        annotated_at=row.annotated_at,
        lead_time=row.lead_time,
        ground_truth=row.ground_truth,
        model_version=row.model_version,
        shown=row.shown,
        source=row.source,
        confidence=row.confidence,
    )
    return LastState(annotation=annotation, revision=row.revision, recorded_at=row.recorded_at)


def _entry(row: sa.Row[Any]) -> OracleEntry:
    return OracleEntry(
        annotation_uid=row.annotation_uid,
        revision=row.revision,
        verdict=Verdict(row.verdict),
        label=row.label,
        annotator=row.annotator,
        annotated_at=row.annotated_at,
        ground_truth=row.ground_truth,
        source=row.source,
        confidence=row.confidence,
        shown=row.shown,
    )


def _row(one: AnnotationRecord, revision: int, recorded_at: dt.datetime) -> dict[str, Any]:
    return {
        "detection_id": one.detection_id,
        "label": one.label,
        "project_id": one.project_id,
        "annotation_uid": one.annotation_uid,
        "revision": revision,
        "annotation_id": one.annotation_id,
        "task_id": one.task_id,
        "verdict": one.verdict.value,
        "annotator": one.annotator,
        "annotated_at": one.annotated_at,
        "recorded_at": recorded_at,
        "lead_time": one.lead_time,
        "ground_truth": one.ground_truth,
        "model_version": one.model_version,
        "shown": one.shown,
        "source": one.source,
        "confidence": one.confidence,
        "result": one.result,
    }
