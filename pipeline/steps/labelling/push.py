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
from pipeline.steps.labelling.choices import see_choices
from pipeline.store import candidates, categories, choices, models, predictions, projects, reviews, tasks
from pipeline.store.database import chunks
from pipeline.store.reviews import Review
from pipeline.workspace import Workspace

CALL_PREDICTIONS = 1_000
# Label Studio refuses an annotation whose prediction was deleted, so the predictions of a replaced
# version stay for annotators who still have such a task open. Nobody else sees them: the queue follows
# one version.
OPEN_TASK = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """What a push did."""

    version: str
    pushed: int  # predictions of the version that were sent
    missing: int  # predictions for detections whose task was deleted in Label Studio
    removed: int  # predictions of replaced versions that were deleted
    waiting: int  # published crops that wait for a label


def push(
    workspace: Workspace, client: QueueClient, project_id: int, *, open_task: dt.timedelta = OPEN_TASK
) -> PushReport:
    """Make the queue in Label Studio that of the project's current version; a second run changes nothing.

    Sends the predictions that are not there yet, and those of waiting reviews; a prediction of a category
    that the project does not offer comes without a suggestion. Sets the project's
    version; and deletes the predictions of versions that were replaced at least `open_task` ago. Versions
    of other tools are left alone. Raises StoreError if the project has no version, and LabelStudioError;
    the next push continues where this one failed.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        if version is None:
            raise StoreError(
                f"project {project_id} has no model version yet", remedy="run `wildloop publish`"
            )
        own_versions = {record.version for record in models.all(conn, project_id)}
    project = client.project(project_id)
    see_choices(workspace, project_id, str(project["label_config"]))
    with workspace.database.read() as conn:
        waiting = predictions.unpushed(conn, version)
        waiting_reviews = reviews.unanswered(conn, project_id)
    pushed = missing = 0
    pushed_at = client.prediction_versions(project_id)
    if waiting or (waiting_reviews and version not in pushed_at):
        if version in pushed_at:
            # A push was interrupted, or the version was current before: send the whole queue again.
            client.delete_version(project_id, version)
            with workspace.database.read() as conn:
                waiting = predictions.queue(conn, version)
        pushed = _send(workspace, client, project_id, version, waiting, waiting_reviews)
        missing = len(waiting) - pushed
        pushed_at = client.prediction_versions(project_id)
    wanted = version if version in pushed_at else ""
    if (client.project(project_id)["model_version"] or "") != wanted:  # deleting predictions changes it
        client.update_project(project_id, model_version=wanted)
    with workspace.database.write() as conn:
        predictions.mark_pushed(conn, version, (record.detection_id for record in waiting))
    own = {name: moment for name, moment in pushed_at.items() if name in own_versions}
    removed = sum(client.delete_version(project_id, name) for name in _expired(own, version, open_task))
    with workspace.database.read() as conn:
        unlabelled = candidates.waiting_count(conn)
    return PushReport(version=version, pushed=pushed, missing=missing, removed=removed, waiting=unlabelled)


def review_row(review: Review, version: str) -> dict[str, Any]:
    """The prediction that puts a review before the queue, without a suggestion that would bias people."""
    return {"task": review.task_id, "model_version": version, "score": review.score, "result": []}


def _send(
    workspace: Workspace,
    client: QueueClient,
    project_id: int,
    version: str,
    queue: Sequence[PredictionRecord],
    waiting_reviews: Sequence[Review],
) -> int:
    """Send the predictions of tasks that still exist in Label Studio; returns how many of the queue."""
    with workspace.database.read() as conn:
        task_of = tasks.by_detection(conn, project_id, (record.detection_id for record in queue))
        numbers, offered = categories.resolved(conn), choices.offered(conn, project_id)
    existing = client.existing_tasks(
        project_id, [*task_of.values(), *(review.task_id for review in waiting_reviews)]
    )
    first = [review_row(review, version) for review in waiting_reviews if review.task_id in existing]
    rows = [
        _row(task_of[record.detection_id], version, record, _word(record, numbers, offered))
        for record in queue
        if task_of.get(record.detection_id) in existing
    ]
    for batch in chunks(first + rows, CALL_PREDICTIONS):
        client.import_predictions(project_id, batch)
    return len(rows)


def _word(record: PredictionRecord, numbers: Mapping[int, int], offered: Mapping[int, str]) -> str | None:
    """The choice that the prediction suggests; None if it suggests none, or one that the project lacks."""
    return None if record.category_id is None else offered.get(numbers[record.category_id])


def _row(task_id: int, version: str, record: PredictionRecord, word: str | None) -> dict[str, Any]:
    """A prediction as Label Studio takes it: `score` is the order, the probability is in the result."""
    result = [] if word is None else choice_result(word, record.probability)
    return {"task": task_id, "model_version": version, "score": record.score, "result": result}


def _expired(pushed_at: Mapping[str, dt.datetime], version: str, open_task: dt.timedelta) -> list[str]:
    """The versions that were replaced at least `open_task` ago: when the next version was pushed."""
    if version not in pushed_at:
        return []
    order = sorted(pushed_at, key=lambda name: pushed_at[name])
    now = max(utc_now(), *pushed_at.values())  # Label Studio's clock may be ahead of ours
    return [
        name
        for name, successor in pairwise(order)
        if name != version and now - pushed_at[successor] >= open_task
    ]
