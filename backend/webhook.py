"""Webhooks of Label Studio, stored in the oracle at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from backend.payloads import PayloadError, ids, items, project_number
from pipeline import jobs
from pipeline.errors import LabelStudioError
from pipeline.label_studio.annotations import Annotation, read
from pipeline.records import RunKind, TaskRecord
from pipeline.steps.labelling.choices import see_choices
from pipeline.steps.labelling.record import claimed, delete_annotations, forget_tasks, record_annotations
from pipeline.store import projects, runs
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)

Payload = Mapping[str, Any]
START_TRAINING = "START_TRAINING"
_LABELLING = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")


def receive(workspace: Workspace, payload: Any, on_labels: Callable[[int], object]) -> dict[str, Any]:
    """Handle one webhook; returns the answer. Raises PayloadError if the payload is invalid.

    Other actions and other projects than Wildloop's are ignored. `on_labels` is called with the project's
    id if there are new labels.
    """
    if not isinstance(payload, Mapping) or not isinstance(payload.get("action"), str):
        raise PayloadError("a webhook must be an object with an `action`")
    action = payload["action"]
    handle = _HANDLERS.get(action)
    if handle is None:
        return {"status": "ignored"}
    project_id = project_number(payload.get("project"))
    if project_id is None:
        raise PayloadError(f"{action} must have a `project` with an id")
    with workspace.database.read() as conn:
        if project_id not in {project.id for project in projects.all(conn)}:
            return {"status": "ignored"}
    answer = handle(workspace, project_id, payload)
    if action in _LABELLING and answer["new"]:
        on_labels(project_id)
    return answer


def _annotated(workspace: Workspace, project_id: int, payload: Payload) -> dict[str, Any]:
    annotations: list[Annotation] = []
    received = items(payload, "annotation")
    for item in received:
        try:
            annotation = read(item)
            if annotation.uid is None:
                raise LabelStudioError(f"annotation {annotation.id} has no `unique_id`")
            annotations.append(annotation)
        except LabelStudioError as exc:
            if len(received) == 1:
                raise PayloadError(str(exc)) from exc
            log.warning("project %d: skipping one of %d annotations: %s", project_id, len(received), exc)
    recorded = record_annotations(workspace, project_id, annotations, claims=_claims(project_id, payload))
    if recorded.boxes and recorded.new:
        jobs.request(workspace, project_id, RunKind.EMBED, trigger=runs.BY_LABELS)
    return {"status": "recorded", "new": recorded.new}


def _retracted(workspace: Workspace, project_id: int, payload: Payload) -> dict[str, Any]:
    return {
        "status": "recorded",
        "new": delete_annotations(workspace, project_id, ids(payload, "annotations")),
    }


def _tasks_deleted(workspace: Workspace, project_id: int, payload: Payload) -> dict[str, Any]:
    return {"status": "recorded", "new": forget_tasks(workspace, project_id, ids(payload, "tasks"))}


def _train(workspace: Workspace, project_id: int, _payload: Payload) -> dict[str, Any]:
    return {"status": "queued", "run": jobs.request(workspace, project_id, RunKind.TRAIN, trigger="button")}


def _project_updated(workspace: Workspace, project_id: int, payload: Payload) -> dict[str, Any]:
    """Somebody has changed the project's settings: perhaps what can be chosen in it."""
    project = payload["project"]
    label_config = project.get("label_config") if isinstance(project, Mapping) else None
    if not isinstance(label_config, str):
        return {"status": "ignored"}
    try:
        change = see_choices(workspace, project_id, label_config)
    except LabelStudioError as exc:
        log.error("project %d: %s", project_id, exc)
        return {"status": "ignored"}
    return {"status": "recorded", "new": 0 if change is None else len(change.added) + len(change.removed)}


_HANDLERS: dict[str, Callable[[Workspace, int, Payload], dict[str, Any]]] = {
    **dict.fromkeys(_LABELLING, _annotated),
    "ANNOTATIONS_DELETED": _retracted,
    "TASKS_DELETED": _tasks_deleted,
    "PROJECT_UPDATED": _project_updated,
    START_TRAINING: _train,
}


def _claims(project_id: int, payload: Payload) -> dict[int, TaskRecord]:
    """What the tasks in the payload say of themselves, by id."""
    found = (claimed(project_id, task) for task in (items(payload, "task") if payload.get("task") else []))
    return {claim.task_id: claim for claim in found if claim is not None}
