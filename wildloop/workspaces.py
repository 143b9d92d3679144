"""Opening a workspace, and reading what is in it."""

from __future__ import annotations

from pathlib import Path

from pipeline import workspace as pipeline_workspace
from pipeline.records import ProjectRecord
from pipeline.settings import Settings, child_environ
from pipeline.steps.operations import status as status_step
from pipeline.steps.operations.status import Status
from pipeline.store import projects as project_store
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

__all__ = [
    "Pool",
    "ProjectRecord",
    "Settings",
    "Status",
    "Workspace",
    "open_pool",
    "open_workspace",
    "projects",
    "status",
]


def open_workspace(data_dir: str | Path | None = None, *, settings: Settings | None = None) -> Workspace:
    """Open a workspace; its folder and its database are created if they do not exist.

    Without arguments, the settings come from the environment, as on the command line. `data_dir` is the
    folder of a workspace with a SQLite database of its own; other settings still come from the environment.
    `settings` replaces all of them. Raises SettingsError and StoreError.
    """
    if settings is None and data_dir is not None:
        # An empty variable counts as unset, so the database is the one in the folder.
        changes = {"WILDLOOP_DATA_DIR": str(data_dir), "WILDLOOP_DATABASE_URL": ""}
        settings = Settings.from_environ(child_environ(changes))
    return pipeline_workspace.open_workspace(settings)


def status(workspace: Workspace) -> Status:
    """How many photographs, crops, embeddings and labels there are, and the recent errors."""
    return status_step.status(workspace)


def projects(workspace: Workspace) -> list[ProjectRecord]:
    """The labelling projects of the workspace."""
    with workspace.database.read() as conn:
        return project_store.all(conn)


def open_pool(workspace: Workspace, embedder: str) -> Pool:
    """All embeddings of an embedder, by its id.

    `pool.vectors` is a float16 array (N, D), memory-mapped, and `pool.ids` names the detection of each row.
    Raises StoreError if the embedder is unknown.
    """
    return workspace.pool(embedder)
