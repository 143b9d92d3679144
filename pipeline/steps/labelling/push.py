"""The current version's queue -> predictions in Label Studio, which serves the lowest score first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pipeline.errors import StoreError
from pipeline.label_studio.results import choice_result
from pipeline.label_studio.roles import QueueClient
from pipeline.records import PredictionRecord, utc_now
from pipeline.store import categories, models, predictions, projects, reviews, tasks
from pipeline.store.database import chunks
from pipeline.store.reviews import Review
from pipeline.workspace import Workspace

CALL_PREDICTIONS = 1_000
# Label Studio refuses an annotation whose prediction is gone, so those of a version that was replaced
# stay for whoever still has such a task open. Nobody else sees them: the queue follows one version.
OPEN_TASK = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """What a push did."""

    version: str
    pushed: int  # predictions of the version sent now
    missing: int  # of detections whose task was deleted in Label Studio
    removed: int  # predictions of replaced versions taken out


def push(
    workspace: Workspace, client: QueueClient, project_id: int, *, open_task: dt.timedelta = OPEN_TASK
) -> PushReport:
    """Make Label Studio's queue that of the project's current version. Rerunning changes nothing more.

    Sends what of the queue is not there yet, and the reviews that wait before it, points the project at
    the version, and removes the predictions of versions replaced at least `open_task` ago. Versions that
    are not Wildloop's are left alone. Raises LabelStudioError; the next push begins where this one ended.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        if version is None:
            raise StoreError(
                f"project {project_id} has no model version yet", remedy="run `wildloop publish`"
            )
        waiting = predictions.unpushed(conn, version)
        asked_again = reviews.unanswered(conn, project_id)
        ours = {record.version for record in models.all(conn, project_id)}
    pushed = missing = 0
    stored = client.prediction_versions(project_id)
    if waiting or (asked_again and version not in stored):
        if version in stored:
            # A push was cut short, or the version was current before: its order is made anew.
            client.delete_version(project_id, version)
            with workspace.database.read() as conn:
                waiting = predictions.queue(conn, version)
        pushed = _send(workspace, client, project_id, version, waiting, asked_again)
        missing = len(waiting) - pushed
        stored = client.prediction_versions(project_id)
    wanted = version if version in stored else ""
    if (client.project(project_id)["model_version"] or "") != wanted:
        client.update_project(project_id, model_version=wanted)
    with workspace.database.write() as conn:
        predictions.mark_pushed(conn, version, (record.detection_id for record in waiting))
    former = {name: moment for name, moment in stored.items() if name in ours}
    removed = sum(client.delete_version(project_id, name) for name in _outlived(former, version, open_task))
    return PushReport(version=version, pushed=pushed, missing=missing, removed=removed)


def _send(
    workspace: Workspace,
    client: QueueClient,
    project_id: int,
    version: str,
    queue: Sequence[PredictionRecord],
    asked_again: Sequence[Review],
) -> int:
    """Import the predictions of tasks that Label Studio still has; returns how many of the queue."""
    with workspace.database.read() as conn:
        task_of = tasks.by_detection(conn, project_id, (record.detection_id for record in queue))
        names = categories.names(conn)
    present = client.existing_tasks(project_id, [*task_of.values(), *(one.task_id for one in asked_again)])
    first = [review_row(one, version) for one in asked_again if one.task_id in present]
    rows = [
        _row(task_of[record.detection_id], version, record, names)
        for record in queue
        if task_of.get(record.detection_id) in present
    ]
    for batch in chunks(first + rows, CALL_PREDICTIONS):
        client.import_predictions(project_id, batch)
    return len(rows)


def review_row(review: Review, version: str) -> dict[str, Any]:
    """The prediction that puts a review before the queue; without an answer, so that the look is fresh."""
    return {"task": review.task_id, "model_version": version, "score": review.score, "result": []}


def _row(task_id: int, version: str, record: PredictionRecord, names: Mapping[int, str]) -> dict[str, Any]:
    """A prediction in Label Studio's words: its `score` is the order, the probability is in the result."""
    result = (
        [] if record.category_id is None else choice_result(names[record.category_id], record.probability)
    )
    return {"task": task_id, "model_version": version, "score": record.score, "result": result}


def _outlived(stored: Mapping[str, dt.datetime], version: str, open_task: dt.timedelta) -> list[str]:
    """Versions replaced at least `open_task` ago: so old are the predictions of the next one."""
    if version not in stored:
        return []
    order = sorted(stored, key=lambda name: stored[name])
    now = max(utc_now(), *stored.values())  # Label Studio's clock may be ahead of ours
    return [
        name
        for name, successor in pairwise(order)
        if name != version and now - stored[successor] >= open_task
    ]
