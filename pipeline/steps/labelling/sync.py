"""Label Studio annotations -> oracle: reconciliation, which repairs whatever webhooks missed.

Label Studio tells each event once, with a one-second limit and no retry, so a webhook is only a hint.
Every create, update and delete of an annotation moves `task.updated_at`: what changed since the
watermark is compared with the oracle, and the difference is appended.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation, moment, read
from pipeline.records import utc_now
from pipeline.steps.labelling.record import forget_tasks, record_heard
from pipeline.store import categories, oracle, projects, reviews, tasks
from pipeline.store.database import chunks
from pipeline.store.oracle import LastState
from pipeline.workspace import Workspace

# Label Studio stamps a task before it commits, and commits in another order than it stamps.
OVERLAP = dt.timedelta(seconds=60)
PAGE = 200  # tasks compared in one transaction

log = logging.getLogger(__name__)

Task = Mapping[str, Any]  # as Label Studio tells it


class Source(Protocol):
    """What reconciliation asks of Label Studio."""

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterable[Task]:
        """Tasks that somebody touched after the moment (None: ever), each with its annotations."""

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterable[Task]:
        """These tasks with their annotations' unique ids, which the list of tasks leaves out."""

    def task_count(self, project_id: int) -> int:
        """How many tasks the project has."""

    def task_ids(self, project_id: int) -> Iterable[int]:
        """The id of every task of the project."""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What a reconciliation found."""

    tasks: int = 0  # looked at
    new: int = 0  # states that the oracle lacked, retractions among them
    tasks_deleted: int = 0  # tasks of ours that Label Studio has no more
    foreign: int = 0  # annotations of tasks that show no detection of ours
    unreadable: int = 0  # tasks left as they are, for an annotation of an unknown form
    disputed: int = 0  # detections whose labels tie, in all


def reset_watermark(workspace: Workspace, project_id: int) -> None:
    """Let the project's next sync look at every annotation and task, as its first one does."""
    with workspace.database.write() as conn:
        projects.reset_watermark(conn, project_id)


def sync(workspace: Workspace, client: Source, project_id: int) -> SyncReport:
    """Make the oracle equal to Label Studio for the project; rerunning changes nothing more.

    Looks at what changed since the watermark; without one, at every annotation and task. Raises
    LabelStudioError and StoreError; what was recorded until then stays, and is not asked for again.
    """
    began = utc_now()
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        ours = set(tasks.ids(conn, project_id)) | set(reviews.ids(conn, project_id))
    since = None if project.watermark is None else project.watermark - OVERLAP
    report = SyncReport()
    watermark = project.watermark
    listed: set[int] = set()
    for page in chunks(client.tasks_updated_since(project_id, since), PAGE):
        report = _reconcile(workspace, client, project_id, page, began, report)
        listed.update(int(task["id"]) for task in page)
        newest = max(moment(task["updated_at"]) for task in page)
        watermark = newest if watermark is None else max(watermark, newest)
    if since is None:
        report = _retract_unlisted(workspace, project_id, listed, began, report)
    if since is None or client.task_count(project_id) < len(ours):
        gone = ours.difference(client.task_ids(project_id))
        retracted = forget_tasks(workspace, project_id, gone, fetched_at=began)
        report = replace(report, new=report.new + retracted, tasks_deleted=len(gone))
    with workspace.database.write() as conn:
        projects.move_watermark(
            conn, project_id, former=project.watermark, new=watermark, synced_at=utc_now()
        )
        return replace(report, disputed=len(oracle.disputed(conn, project_id)))


def _reconcile(
    workspace: Workspace,
    client: Source,
    project_id: int,
    page: Sequence[Task],
    began: dt.datetime,
    report: SyncReport,
) -> SyncReport:
    """Record the difference between a page of tasks and the oracle."""
    with workspace.database.read() as conn:
        stored = _by_task(
            oracle.active_annotations(conn, project_id, task_ids=[int(task["id"]) for task in page])
        )
        names = categories.names(conn)
    unknown: list[int] = []
    gone: list[LastState] = []
    unreadable = 0
    for task in page:
        annotations = _annotations(task)
        if annotations is None:
            unreadable += 1
            continue
        alive = {_told(one) for one in annotations}
        known = {_stored(state, names): state for state in stored.get(int(task["id"]), [])}
        if alive - known.keys():
            unknown.append(int(task["id"]))
        else:
            gone.extend(state for told, state in known.items() if told not in alive)
    heard: list[Annotation] = []
    for task in client.exported_tasks(project_id, unknown) if unknown else []:
        annotations = _annotations(task)
        if annotations is None:
            unreadable += 1
            continue
        heard.extend(annotations)
        uids = {one.uid for one in annotations}
        states = stored.get(int(task["id"]), [])
        gone.extend(state for state in states if state.annotation.annotation_uid not in uids)
    recorded = record_heard(
        workspace, project_id, heard, shows=_shows(page), retracted=gone, fetched_at=began
    )
    return replace(
        report,
        tasks=report.tasks + len(page),
        new=report.new + recorded.new,
        foreign=report.foreign + recorded.foreign,
        unreadable=report.unreadable + unreadable,
    )


def _retract_unlisted(
    workspace: Workspace, project_id: int, listed: set[int], began: dt.datetime, report: SyncReport
) -> SyncReport:
    """After a look at every annotation: a task that was not listed has none."""
    with workspace.database.read() as conn:
        gone = [
            one for one in oracle.active_annotations(conn, project_id) if one.annotation.task_id not in listed
        ]
    recorded = record_heard(workspace, project_id, [], retracted=gone, fetched_at=began)
    return replace(report, new=report.new + recorded.new)


def _annotations(task: Task) -> list[Annotation] | None:
    """The task's annotations; None where one of them cannot be read."""
    number = int(task["id"])
    try:
        return [read({"task": number, **one}) for one in task.get("annotations") or []]
    except LabelStudioError as exc:
        log.warning("task %d is left as it is: %s", number, exc)
        return None


def _shows(page: Iterable[Task]) -> dict[int, str]:
    """The detection that each task's own data names."""
    claims = ((int(task["id"]), (task.get("data") or {}).get("detection_id")) for task in page)
    return {number: claim for number, claim in claims if isinstance(claim, str)}


def _by_task(states: Iterable[LastState]) -> dict[int, list[LastState]]:
    found: dict[int, list[LastState]] = defaultdict(list)
    for state in states:
        if state.annotation.task_id is not None:
            found[state.annotation.task_id].append(state)
    return found


def _told(one: Annotation) -> tuple[object, ...]:
    """What tells one state from another where no unique id is told."""
    return one.id, one.updated_at, one.verdict, one.choice, one.ground_truth


def _stored(state: LastState, names: Mapping[int, str]) -> tuple[object, ...]:
    one = state.annotation
    choice = None if one.label is None else names[one.label]
    return one.annotation_id, one.annotated_at, one.verdict, choice, one.ground_truth
