"""Detections with a crop -> tasks of a Label Studio project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import TaskClient
from pipeline.records import TaskRecord
from pipeline.steps.labelling.record import forget_tasks
from pipeline.steps.labelling.task_data import mend_tasks, task_data
from pipeline.store import detections, projects, reviews, tasks
from pipeline.store.tasks import TaskContent
from pipeline.workspace import Workspace

CALL_TASKS = 5_000  # tasks in one call, which takes Label Studio about a second and a half


@dataclass(frozen=True, kw_only=True)
class PublishReport:
    """What a publication did."""

    published: int  # new tasks
    recovered: int  # tasks that were in Label Studio but not in the store: an earlier run was killed
    vanished: int  # tasks deleted in Label Studio; their crops are published again
    mended: int  # older tasks that showed a former address of their pictures, or a former location
    total: int  # tasks of the project that show detections of the store


def publish(
    workspace: Workspace,
    client: TaskClient,
    project_id: int,
    *,
    call_tasks: int = CALL_TASKS,
    progress: bool = False,
) -> PublishReport:
    """Create a task for every detection that has a crop but no task. A second run publishes nothing twice.

    Tasks are created `call_tasks` at a time, and stored before the next call. If the process is killed
    between a call and its storing, the next run recovers the tasks by the detection that each names.
    If the address of the pictures has changed, such as with the path below which Label Studio runs, or the
    location of photographs, the tasks of earlier runs get the present one. Raises LabelStudioError; tasks
    created until then stay.
    """
    recovered, vanished = _reconcile(workspace, client, project_id)
    served = ServedFiles.of(workspace.settings, client.browser_path())
    mended = mend_tasks(workspace, client, project_id, served)
    with workspace.database.read() as conn:
        unpublished = tasks.unpublished_count(conn, project_id)
    published, after = 0, ""
    hidden = None if progress and unpublished else True  # None: shown on a terminal alone
    with tqdm(total=unpublished, unit="task", desc="publish", disable=hidden) as bar:
        while True:
            with workspace.database.read() as conn:
                batch = tasks.unpublished(conn, project_id, after, call_tasks)
            if not batch:
                break
            _publish_batch(workspace, client, project_id, served, batch)
            published, after = published + len(batch), batch[-1].detection_id
            bar.update(len(batch))
    with workspace.database.read() as conn:
        total = tasks.count(conn, project_id)
    return PublishReport(
        published=published, recovered=recovered, vanished=vanished, mended=mended, total=total
    )


def _publish_batch(
    workspace: Workspace,
    client: TaskClient,
    project_id: int,
    served: ServedFiles,
    batch: Sequence[TaskContent],
) -> None:
    task_ids = client.import_tasks(project_id, [task_data(served, content) for content in batch])
    with workspace.database.write() as conn:
        tasks.add(
            conn,
            (
                TaskRecord(project_id=project_id, detections=(content.detection_id,), task_id=task_id)
                for content, task_id in zip(batch, task_ids, strict=True)
            ),
        )


def _reconcile(workspace: Workspace, client: TaskClient, project_id: int) -> tuple[int, int]:
    """Make the stored tasks equal to Label Studio's if their counts differ.

    Returns how many tasks were recovered and how many had vanished.
    """
    with workspace.database.read() as conn:
        projects.get(conn, project_id)  # raises StoreError for an unknown project
        stored = set(tasks.ids(conn, project_id))
    if client.task_count(project_id) == len(stored):
        return 0, 0
    claims: dict[int, str] = {}
    present: set[int] = set()
    for task in client.tasks(project_id):
        task_id, claim = int(task["id"]), task["data"].get("detection_id")
        present.add(task_id)
        if task_id not in stored and isinstance(claim, str) and not task["data"].get(reviews.MARK):
            claims[task_id] = claim
    vanished = stored - present
    if vanished:
        forget_tasks(workspace, project_id, vanished)
    with workspace.database.write() as conn:
        existing = detections.get(conn, sorted(set(claims.values())))
        recovered = tasks.add(
            conn,
            (
                TaskRecord(project_id=project_id, detections=(claim,), task_id=task_id)
                for task_id, claim in claims.items()
                if claim in existing
            ),
        )
    return recovered, len(vanished)
