"""Choosing a project."""

from __future__ import annotations

from pipeline.store import projects
from pipeline.workspace import Workspace


def chosen(workspace: Workspace, project: int | None) -> int:
    """The id of the project; None means the only one. Raises StoreError, which lists the projects."""
    with workspace.database.read() as conn:
        return projects.choose(conn, project).id
