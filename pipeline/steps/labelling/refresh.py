"""Refresh: bring a project's queue and stock up to date, after a change of labels, crops or version."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import LabelStudioError
from pipeline.records import ModelRecord
from pipeline.steps.labelling.instructions import renew_instructions
from pipeline.steps.labelling.stock import StockReport, top_up
from pipeline.steps.learning import activate as versions
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.train import TOO_FEW, train
from pipeline.store import candidates, models, projects
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """What a refresh did."""

    record: ModelRecord  # the version that is current now
    reason: str | None  # why it is a cold start; None after a training
    stock: StockReport


def refresh(workspace: Workspace, project_id: int) -> Refresh:
    """Train, or make a cold start where nothing can be trained; then top the stock up.

    Raises EmbedderChangedError if the project's embedder changes meanwhile: the project then stays as it
    is. Raises LabelStudioError if the top-up fails: the new version is current even then. Raises StoreError
    for a project that was replaced.
    """
    with workspace.database.read() as conn:
        projects.active_one(conn, project_id)
    record = train(workspace, project_id)
    reason = None
    if record is None:
        record, reason = cold_start(workspace, project_id), TOO_FEW
    stock = _top_up(workspace, record)
    renew_instructions(workspace, workspace.label_studio(), project_id)
    return Refresh(record=record, reason=reason, stock=stock)


def lacks_order(workspace: Workspace, project_id: int) -> bool:
    """Whether embedded crops of the project have no order yet.

    Before a version has a head, its queue covers the whole pool: new crops change it.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
        if current is not None and current.path is not None:
            return False
        embedder = projects.get(conn, project_id).embedder
        embedded = candidates.embedded_count(conn, embedder)
    if current is None:
        return embedded > 0
    return embedded > int(current.metrics.get("embedded", current.metrics["pool"]))  # as earlier releases


def activate(workspace: Workspace, project_id: int, version: str) -> StockReport | None:
    """Make `version` current with a new queue, as `learning.activate.activate` does; then top the stock up.

    Returns as `top_up_stock`.
    """
    return top_up_stock(workspace, versions.activate(workspace, project_id, version))


def refill(workspace: Workspace, project_id: int, version: str) -> StockReport | None:
    """Give the current version a new queue, of the crops that wait now, and top the stock up.

    Returns as `top_up_stock`.
    """
    return top_up_stock(workspace, versions.refill(workspace, project_id, version))


def top_up_stock(workspace: Workspace, current: ModelRecord) -> StockReport | None:
    """Top the stock of the version's project up; None without a key for Label Studio.

    Raises LabelStudioError if that fails; the version stays current.
    """
    if workspace.settings.label_studio_api_key is None:
        return None
    return _top_up(workspace, current)


def _top_up(workspace: Workspace, current: ModelRecord) -> StockReport:
    try:
        return top_up(workspace, workspace.label_studio(), current.project_id)
    except LabelStudioError as exc:
        raise LabelStudioError(
            f"{current.version} is current, but its queue did not reach Label Studio: {exc}",
            remedy="the worker's next sync tries again",
        ) from exc
