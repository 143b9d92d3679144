"""What several commands share: choosing a project, and pushing its queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.store import projects

if TYPE_CHECKING:
    from pipeline.records import ProjectRecord
    from pipeline.steps.labelling.push import PushReport
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


def queue_line(report: PushReport | None) -> str:
    """Whether the queue of the current version is in Label Studio; None: it was not pushed."""
    if report is None:
        return "its queue waits for `wildloop push`: LABEL_STUDIO_API_KEY is not set"
    return "its queue is pushed"
