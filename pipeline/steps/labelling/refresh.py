"""Refresh: bring a project's queue up to date and push it, after a change of labels, crops or version."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import LabelStudioError
from pipeline.label_studio.client import LabelStudio
from pipeline.records import ModelRecord
from pipeline.steps.labelling.publish import PublishReport
from pipeline.steps.labelling.push import PushReport, push
from pipeline.steps.learning import activate as versions
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.train import TOO_FEW, train
from pipeline.store import models
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """What a refresh did."""

    record: ModelRecord  # the version that is current now
    reason: str | None  # why it is a cold start; None after a training
    push: PushReport


def refresh(workspace: Workspace, project_id: int) -> Refresh:
    """Train, or make a cold start where nothing can be trained; then push the queue.

    Raises EmbedderChangedError if the project's embedder changes meanwhile: the project then stays as it
    is. Raises LabelStudioError if the push fails: the new version is current even then.
    """
    record = train(workspace, project_id)
    reason = None
    if record is None:
        record, reason = cold_start(workspace, project_id), TOO_FEW
    return Refresh(record=record, reason=reason, push=_push(workspace, record))


def refresh_published(
    workspace: Workspace, client: LabelStudio, project_id: int, published: PublishReport
) -> PushReport:
    """After publishing: make a cold start if no version has a head yet and there are new tasks; then push.

    A project without any version gets one in any case. Raises ModelError if no published crop is
    embedded, and LabelStudioError if the push fails.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
    new_tasks = published.published + published.recovered
    if current is None or (current.path is None and new_tasks):
        cold_start(workspace, project_id)
    return push(workspace, client, project_id)


def activate(workspace: Workspace, project_id: int, version: str) -> PushReport | None:
    """Make `version` current with a new queue, as `learning.activate.activate` does; then push the queue.

    Returns as `push_queue`.
    """
    return push_queue(workspace, versions.activate(workspace, project_id, version))


def refill(workspace: Workspace, project_id: int, version: str) -> PushReport | None:
    """Give the current version a new queue, of the crops that wait now, and push it.

    Returns as `push_queue`.
    """
    return push_queue(workspace, versions.refill(workspace, project_id, version))


def push_queue(workspace: Workspace, current: ModelRecord) -> PushReport | None:
    """Push the queue of the project's current version; None without a key for Label Studio.

    Raises LabelStudioError if the push fails; the version stays current.
    """
    if workspace.settings.label_studio_api_key is None:
        return None
    return _push(workspace, current)


def _push(workspace: Workspace, current: ModelRecord) -> PushReport:
    try:
        return push(workspace, workspace.label_studio(), current.project_id)
    except LabelStudioError as exc:
        raise LabelStudioError(
            f"{current.version} is current, but its queue did not reach Label Studio: {exc}",
            remedy="the worker's next sync pushes it",
        ) from exc
