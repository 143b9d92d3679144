"""Detections with a crop -> tasks of a Label Studio project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import TaskClient
from pipeline.records import TaskRecord
from pipeline.steps.labelling.record import forget_tasks
from pipeline.store import detections, projects, reviews, tasks
from pipeline.store.tasks import TaskContent
from pipeline.workspace import Workspace

CALL_TASKS = 5_000  # about a second and a half of Label Studio's time


@dataclass(frozen=True, kw_only=True)
class PublishReport:
    """What a publication did."""

    published: int  # new tasks
    recovered: int  # tasks that Label Studio had and the store did not: an earlier run was killed
    vanished: int  # tasks deleted in Label Studio since; their crops are published again
    total: int  # tasks of the project now, as far as they show detections of the store


def publish(
    workspace: Workspace,
    client: TaskClient,
    project_id: int,
    *,
    call_tasks: int = CALL_TASKS,
    progress: bool = False,
) -> PublishReport:
    """Make a task of every detection that has a crop and none yet. Rerunning publishes nothing twice.

    Tasks are imported `call_tasks` a call, and each call is noted in the store before the next; what a
    kill between the two left behind is found by the detection that each task names. Raises
    LabelStudioError; tasks imported until then stay and are known.
    """
    served = ServedFiles.of(workspace.settings)
    recovered, vanished = _reconcile(workspace, client, project_id)
    with workspace.database.read() as conn:
        todo = tasks.unpublished_count(conn, project_id)
    published, after = 0, ""
    with tqdm(total=todo, unit="task", desc="publish", disable=None if progress and todo else True) as bar:
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
    return PublishReport(published=published, recovered=recovered, vanished=vanished, total=total)


def task_data(served: ServedFiles, each: TaskContent) -> dict[str, Any]:
    """What a task shows. Texts are never null: the label config puts each on the screen."""
    return {
        "detection_id": each.detection_id,
        "crop": served.address(each.crop_path),
        "frame": served.address(each.frame_path or each.crop_path),
        "location": each.location or "",
        "datetime": each.datetime.isoformat(" ", "seconds") if each.datetime else "",
        "file_name": each.file_name,
        "sequence": each.sequence or "",
        "bbox_confidence": each.bbox_confidence,
    }


def _publish_batch(
    workspace: Workspace,
    client: TaskClient,
    project_id: int,
    served: ServedFiles,
    batch: Sequence[TaskContent],
) -> None:
    numbers = client.import_tasks(project_id, [task_data(served, each) for each in batch])
    with workspace.database.write() as conn:
        tasks.add(
            conn,
            (
                TaskRecord(project_id=project_id, detection_id=each.detection_id, task_id=number)
                for each, number in zip(batch, numbers, strict=True)
            ),
        )


def _reconcile(workspace: Workspace, client: TaskClient, project_id: int) -> tuple[int, int]:
    """Make the store's tasks Label Studio's where their numbers differ: how many came and went."""
    with workspace.database.read() as conn:
        projects.get(conn, project_id)
        known = set(tasks.ids(conn, project_id)) | set(reviews.ids(conn, project_id))
    if client.task_count(project_id) == len(known):
        return 0, 0
    claims: dict[int, str] = {}
    present: set[int] = set()
    for task in client.tasks(project_id):
        number, claim = int(task["id"]), task["data"].get("detection_id")
        present.add(number)
        if number not in known and isinstance(claim, str) and not task["data"].get(reviews.MARK):
            claims[number] = claim
    vanished = known - present
    if vanished:
        forget_tasks(workspace, project_id, vanished)
    with workspace.database.write() as conn:
        ours = detections.get(conn, sorted(set(claims.values())))
        recovered = tasks.add(
            conn,
            (
                TaskRecord(project_id=project_id, detection_id=claim, task_id=number)
                for number, claim in claims.items()
                if claim in ours
            ),
        )
    return recovered, len(vanished)
