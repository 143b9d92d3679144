"""The annotations of a project that count, by task, annotator, time and the way they were made."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import Verdict, Way
from pipeline.store.oracle import LatestRevision, active_annotations
from pipeline.store.schema import oracle


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which annotations are meant; what is left open excludes none."""

    task_ids: frozenset[int] = frozenset()
    annotator: str | None = None  # a user's id in Label Studio
    since: dt.datetime | None = None  # with a time zone
    until: dt.datetime | None = None  # not included
    ways: frozenset[Way] = frozenset()

    def has(self, states: list[LatestRevision]) -> bool:
        """Whether the annotation with these states is meant. It was made when its newest state was."""
        newest = max((state.annotation for state in states), key=lambda annotation: annotation.annotated_at)
        return (
            (not self.task_ids or newest.task_id in self.task_ids)
            and (self.annotator is None or newest.annotator == self.annotator)
            and (self.since is None or newest.annotated_at >= self.since)
            and (self.until is None or newest.annotated_at < self.until)
            and (not self.ways or newest.way in self.ways)
        )


def select(conn: sa.Connection, project_id: int, selection: Selection) -> dict[str, list[LatestRevision]]:
    """The annotations that are meant, oldest first: by unique id, the state of each of their detections."""
    may_match = sa.select(oracle.c.task_id).where(
        oracle.c.project_id == project_id, oracle.c.verdict != Verdict.DELETED.value
    )
    if selection.annotator is not None:
        may_match = may_match.where(oracle.c.annotator == selection.annotator)
    if selection.since is not None:
        may_match = may_match.where(oracle.c.annotated_at >= selection.since)
    if selection.ways:
        may_match = may_match.where(oracle.c.way.in_([way.value for way in selection.ways]))
    task_ids = selection.task_ids or set(conn.scalars(may_match.distinct()))
    by_uid: dict[str, list[LatestRevision]] = defaultdict(list)
    for state in active_annotations(conn, project_id, task_ids=task_ids):
        by_uid[state.annotation.annotation_uid].append(state)
    meant = [states for states in by_uid.values() if selection.has(states)]
    meant.sort(key=lambda states: max(state.annotation.annotated_at for state in states))
    return {states[0].annotation.annotation_uid: states for states in meant}
