"""What several commands share: choosing a project, and pushing its queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.store import projects

if TYPE_CHECKING:
    from pipeline.records import ProjectRecord
    from pipeline.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])


def project_option(command: Command) -> Command:
    """`--project ID`, which the command receives as `project: int | None`."""
    return click.option(
        "--project",
        type=int,
        metavar="ID",
        help="The Label Studio project. Needed only if there are several.",
    )(command)


def chosen_project(workspace: Workspace, project: int | None) -> ProjectRecord:
    """The project that `--project` names, or the only one. Raises StoreError, which lists the projects."""
    with workspace.database.read() as conn:
        return projects.choose(conn, project)


def push_queue(workspace: Workspace, project_id: int) -> str:
    """Push the queue of the project's current version if there is a key for Label Studio.

    Returns what was done, for people to read.
    """
    from pipeline.steps.labelling.push import push

    if workspace.settings.label_studio_api_key is None:
        return "its queue waits for `wildloop push`: LABEL_STUDIO_API_KEY is not set"
    push(workspace, workspace.label_studio(), project_id)
    return "its queue is pushed"
