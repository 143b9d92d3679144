"""Label Studio's annotations -> oracle: a sync, which repairs whatever webhooks missed.

Label Studio sends each webhook once, with a timeout of one second and no retry, so a webhook may be
lost. Every creation, update and deletion of an annotation changes `task.updated_at`: a sync compares the
tasks that changed since the watermark with the oracle, and appends the difference. Tasks that Wildloop itself
creates, changes or deletes in Label Studio are no work of people: they add and take back nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation, moment, read
from pipeline.records import TaskRecord, utc_now
from pipeline.steps.labelling.choices import see_choices
from pipeline.steps.labelling.record import audited_in_groups, claimed, forget_tasks, record_annotations
from pipeline.steps.labelling.votes import is_marker, votes
from pipeline.store import categories, oracle, projects, tasks
from pipeline.store.database import chunks
from pipeline.store.oracle import LatestRevision
from pipeline.workspace import Workspace

# Label Studio sets `updated_at` before it commits, and commits in another order than it sets it.
OVERLAP = dt.timedelta(seconds=60)
PAGE = 200  # tasks compared in one transaction

log = logging.getLogger(__name__)

Task = Mapping[str, Any]  # Label Studio's JSON


class Source(Protocol):
    """What a sync needs of Label Studio."""

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterable[Task]:
        """The tasks changed after `moment` (None: at any time), each with its annotations."""

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterable[Task]:
        """These tasks with their annotations' unique ids, which the list of tasks leaves out."""

    def project(self, project_id: int) -> dict[str, Any]:
        """The project, with its label config and how many tasks it has."""

    def task_ids(self, project_id: int) -> Iterable[int]:
        """The id of every task of the project."""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What a sync found."""

    tasks: int = 0  # tasks compared, of those with annotations, or with some that were deleted
    new: int = 0  # revisions that the oracle lacked, one for each detection, deletions included
    tasks_deleted: int = 0  # stored tasks that Label Studio no longer has
    foreign: int = 0  # annotations of tasks that show no detection of the store
    unreadable: int = 0  # tasks left unchanged because an annotation has an unknown format
    disputed: int = 0  # disputed detections, in all


def reset_watermark(workspace: Workspace, project_id: int) -> None:
    """Make the project's next sync compare every annotation and task, as its first sync does."""
    with workspace.database.write() as conn:
        projects.reset_watermark(conn, project_id)


def sync(workspace: Workspace, client: Source, project_id: int) -> SyncReport:
    """Make the oracle equal to Label Studio's annotations; a second sync changes nothing more.

    Compares what changed since the watermark, or without one, every annotation and task. Raises
    LabelStudioError and StoreError; what was recorded until then stays.
    """
    started_at = utc_now()
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        stored = set(tasks.ids(conn, project_id))
    see_choices(workspace, project_id, str(client.project(project_id)["label_config"]))
    since = None if project.watermark is None else project.watermark - OVERLAP
    report = SyncReport()
    watermark = project.watermark
    listed: set[int] = set()
    for page in chunks(client.tasks_updated_since(project_id, since), PAGE):
        report = _compare(workspace, client, project_id, page, started_at, report)
        listed.update(int(task["id"]) for task in page)
        newest = max(moment(task["updated_at"]) for task in page)
        watermark = newest if watermark is None else max(watermark, newest)
    if since is None:
        report = _delete_unlisted(workspace, project_id, listed, started_at, report)
    if since is None or int(client.project(project_id)["task_number"]) < len(stored):
        gone = stored.difference(client.task_ids(project_id))
        deleted = forget_tasks(workspace, project_id, gone, fetched_at=started_at)
        report = replace(report, new=report.new + deleted, tasks_deleted=len(gone))
    with workspace.database.write() as conn:
        projects.move_watermark(
            conn, project_id, former=project.watermark, new=watermark, synced_at=utc_now()
        )
        return replace(report, disputed=len(oracle.disputed_ids(conn, project_id)))


def _compare(
    workspace: Workspace,
    client: Source,
    project_id: int,
    page: Sequence[Task],
    started_at: dt.datetime,
    report: SyncReport,
) -> SyncReport:
    """Record the difference between a page of tasks and the oracle."""
    task_ids = [int(task["id"]) for task in page]
    claims = {claim.task_id: claim for task in page if (claim := claimed(project_id, task)) is not None}
    with workspace.database.read() as conn:
        stored = _by_task(oracle.active_annotations(conn, project_id, task_ids=task_ids))
        shown = claims | tasks.get(conn, project_id, task_ids)
        audited = audited_in_groups(conn, project_id, shown.values())
        numbers = categories.numbers(conn)
    by_people = [task for task in page if task.get("annotations") or int(task["id"]) in stored]
    changed: list[int] = []  # tasks with an annotation that the oracle lacks
    deleted: list[LatestRevision] = []
    unreadable = 0
    for task in by_people:
        task_id = int(task["id"])
        annotations = _annotations(task)
        if annotations is None:
            unreadable += 1
            continue
        task_shown = shown.get(task_id)
        present = {
            _listed_key(each, task_shown, audited, numbers)
            for each in annotations
            if task_shown is None or not is_marker(task_shown, each)
        }
        states = {_stored_key(of_one, task_shown): of_one for of_one in stored.get(task_id, {}).values()}
        if present - states.keys():
            changed.append(task_id)
        else:
            deleted.extend(state for key, of_one in states.items() if key not in present for state in of_one)
    exported: list[Annotation] = []
    for task in client.exported_tasks(project_id, changed) if changed else []:
        annotations = _annotations(task)
        if annotations is None:
            unreadable += 1
            continue
        exported.extend(annotations)
        uids = {annotation.uid for annotation in annotations}
        gone = stored.get(int(task["id"]), {}).keys() - uids
        deleted.extend(state for uid in gone for state in stored[int(task["id"])][uid])
    recorded = record_annotations(
        workspace, project_id, exported, claims=claims, deleted=deleted, fetched_at=started_at
    )
    return replace(
        report,
        tasks=report.tasks + len(by_people),
        new=report.new + recorded.new,
        foreign=report.foreign + recorded.foreign,
        unreadable=report.unreadable + unreadable,
    )


def _delete_unlisted(
    workspace: Workspace, project_id: int, listed: set[int], started_at: dt.datetime, report: SyncReport
) -> SyncReport:
    """After every annotation was compared: mark those of tasks that were not listed as deleted."""
    with workspace.database.read() as conn:
        deleted = [
            state
            for state in oracle.active_annotations(conn, project_id)
            if state.annotation.task_id not in listed
        ]
    recorded = record_annotations(workspace, project_id, [], deleted=deleted, fetched_at=started_at)
    return replace(report, new=report.new + recorded.new)


def _annotations(task: Task) -> list[Annotation] | None:
    """The task's annotations; None if one of them cannot be read."""
    task_id = int(task["id"])
    try:
        return [read({"task": task_id, **annotation}) for annotation in task.get("annotations") or []]
    except LabelStudioError as exc:
        log.warning("task %d is left unchanged: %s", task_id, exc)
        return None


def _by_task(states: Iterable[LatestRevision]) -> dict[int, dict[str, list[LatestRevision]]]:
    """The states by task and unique id."""
    by_task: dict[int, dict[str, list[LatestRevision]]] = defaultdict(lambda: defaultdict(list))
    for state in states:
        if state.annotation.task_id is not None:
            by_task[state.annotation.task_id][state.annotation.annotation_uid].append(state)
    return by_task


def _listed_key(
    annotation: Annotation, task: TaskRecord | None, audited: Set[str], numbers: Mapping[str, int]
) -> tuple[object, ...]:
    """What identifies a revision in the list of tasks, which leaves out unique ids.

    A choice counts as the category that it names now: a word of before a rename is no change.
    """
    cast = [] if task is None else votes(task, annotation, audited)
    said = {
        (each.detection_id, each.verdict, numbers.get(each.category or "", each.category)) for each in cast
    }
    return annotation.id, annotation.updated_at, annotation.ground_truth, frozenset(said)


def _stored_key(states: Sequence[LatestRevision], task: TaskRecord | None) -> tuple[object, ...]:
    """The `_listed_key` of the stored states of one annotation.

    What somebody corrected in a group is later than the rest of it. What was said of drawn boxes follows from
    the same moment as the rest.
    """
    newest = max((state.annotation for state in states), key=lambda annotation: annotation.annotated_at)
    said = {
        (state.annotation.detection_id, state.annotation.verdict, state.annotation.label)
        for state in states
        if task is None or state.annotation.detection_id in task.detections
    }
    return newest.annotation_id, newest.annotated_at, newest.ground_truth, frozenset(said)
