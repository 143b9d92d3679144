"""Labelling projects: to and from Label Studio.

Each function takes the project's id as `project`; without it, the only project of the workspace is meant.
Label Studio's address and API key come from the settings.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import jobs
from pipeline.errors import LabelStudioError
from pipeline.label_studio.species import SpeciesList, read_species
from pipeline.records import ProjectRecord, RunKind, RunState
from pipeline.steps.labelling import project as project_step
from pipeline.steps.labelling import propose as propose_step
from pipeline.steps.labelling import refresh as refresh_step
from pipeline.steps.labelling import review as review_step
from pipeline.steps.labelling import species as species_step
from pipeline.steps.labelling import sync as sync_step
from pipeline.steps.labelling.propose import Proposal
from pipeline.steps.labelling.refresh import Refresh
from pipeline.steps.labelling.review import ReviewReport
from pipeline.steps.labelling.species import SpeciesChange
from pipeline.steps.labelling.stock import StockReport
from pipeline.steps.labelling.sync import SyncReport
from pipeline.workspace import Workspace
from wildloop._default_project import chosen

__all__ = [
    "Proposal",
    "Refresh",
    "ReviewReport",
    "SpeciesChange",
    "SpeciesList",
    "StockReport",
    "SyncReport",
    "add_species",
    "create_project",
    "forget_project",
    "merge_species",
    "propose_species",
    "publish",
    "read_species",
    "refresh",
    "rename_species",
    "review",
    "sync",
]


def create_project(
    workspace: Workspace,
    title: str,
    species: SpeciesList | Sequence[str],
    *,
    embedder: str | None = None,
    project: int | None = None,
    connect_backend: bool = True,
) -> ProjectRecord:
    """Create a labelling project in Label Studio, or update the one of this title.

    `species` is a result of `read_species`, a proposal's `listed`, or the names alone. `embedder` is a
    specification as in `load_embedder`; by default an existing project keeps its own, and a
    new one gets the one that has embedded crops, else that of the settings. `project` updates the project of
    this id instead. `connect_backend` connects the ML backend, which must be running. Crops that were
    imported before are embedded and published by a worker, or by `embed`, `publish` and `refresh`. Raises
    LabelStudioError, SettingsError, SourceError, EmbedderError and ModelError.
    """
    client = workspace.label_studio()
    record, _ = project_step.create_project(
        workspace,
        client,
        title=title,
        species=species,
        embedder_id=project_step.project_embedder(workspace, client, title, project, embedder),
        project_id=project,
        connect_backend=connect_backend,
    )
    jobs.request_follow_up(workspace, trigger="project", project_id=record.id)
    return record


def propose_species(workspace: Workspace, source: str) -> Proposal:
    """The species that a source of labels names, most frequent first, with their taxa.

    `source` is provenance such as coco:ena24, what stands before its colon, or "all". `listed` of the
    result is for `create_project`; `write` makes a CSV file that people can edit. Raises SourceError if no
    such source names a species.
    """
    return propose_step.propose_species(workspace, source)


def forget_project(workspace: Workspace, project: int) -> int:
    """Forget a project that was deleted in Label Studio; returns how many labels it has, which stay.

    `create_project` with `project` takes it up again. Raises StoreError for an unknown project.
    """
    return project_step.forget_project(workspace, project)


def add_species(workspace: Workspace, names: Sequence[str], *, project: int | None = None) -> SpeciesChange:
    """Let annotators choose further species; one that was merged is separated again.

    Raises StoreError for a name that they can choose already, SourceError for one that cannot be a choice,
    and LabelStudioError.
    """
    client = workspace.label_studio()
    return species_step.add_species(workspace, client, chosen(workspace, project), names)


def rename_species(workspace: Workspace, old: str, new: str, *, project: int | None = None) -> SpeciesChange:
    """Give a species another name; its labels follow. Raises StoreError, SourceError and LabelStudioError."""
    client = workspace.label_studio()
    return species_step.rename_species(workspace, client, chosen(workspace, project), old, new)


def merge_species(
    workspace: Workspace, names: Sequence[str], into: str, *, project: int | None = None
) -> SpeciesChange:
    """Make `names` part of the species `into`; their labels follow.

    Raises StoreError for a name that is unknown, SourceError and LabelStudioError.
    """
    client = workspace.label_studio()
    return species_step.merge_species(workspace, client, chosen(workspace, project), names, into)


def publish(workspace: Workspace, *, project: int | None = None) -> StockReport:
    """Top up what Label Studio asks people; makes the first queue if there is none yet.

    Waits for a worker that is doing so. Raises LabelStudioError.
    """
    project_id = chosen(workspace, project)
    for kind in (RunKind.PUBLISH, RunKind.TRAIN):  # new crops without an order: the training tops up
        run = jobs.run_now(workspace, project_id, kind, trigger="command")
        if run.state is RunState.FAILED:
            raise LabelStudioError(run.error or f"run {run.id} failed without an error message")
        stock = run.result.get("stock")
        if stock is not None:
            return StockReport(**stock)
    raise LabelStudioError(run.result["reason"])


def refresh(workspace: Workspace, *, project: int | None = None) -> Refresh:
    """Train on the labels there are, or make a cold start if there are none, and top the stock up.

    Raises LabelStudioError if the top-up fails: the new version is current even then. Raises ModelError if no
    crop is embedded.
    """
    return refresh_step.refresh(workspace, chosen(workspace, project))


def sync(workspace: Workspace, *, project: int | None = None, full: bool = False) -> SyncReport:
    """Fetch annotations from Label Studio: those changed since the last sync, or with `full` all of them.

    Raises LabelStudioError.
    """
    project_id = chosen(workspace, project)
    if full:
        sync_step.reset_watermark(workspace, project_id)
    return sync_step.sync(workspace, workspace.label_studio(), project_id)


def review(workspace: Workspace, *, project: int | None = None) -> ReviewReport:
    """The labels that are expected to be wrong, most probable first. Changes nothing."""
    return review_step.review(workspace, chosen(workspace, project))
