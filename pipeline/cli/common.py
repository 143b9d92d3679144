"""What several commands share: which project is meant, and how a choice of it is offered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

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
        help="The Label Studio project; needed only where the store knows several.",
    )(command)


def chosen_project(workspace: Workspace, project: int | None) -> ProjectRecord:
    """The project that `--project` names, or the only one in the store.

    Raises StoreError, naming the projects there are, where the choice is not clear.
    """
    from pipeline.errors import StoreError
    from pipeline.store import projects

    with workspace.database.read() as conn:
        known = {record.id: record for record in projects.all(conn)}
    if not known:
        raise StoreError("the store knows no project yet", remedy="run `wildloop project create` first")
    there = ", ".join(f"{record.id} ({record.title})" for record in known.values())
    if project is None:
        if len(known) > 1:
            raise StoreError(f"the store knows several projects: {there}", remedy="choose with --project ID")
        return next(iter(known.values()))
    if project not in known:
        raise StoreError(f"the store knows no project {project}, only {there}", remedy="see --project")
    return known[project]


def tell_queue(report: PushReport | None) -> None:
    """Say whether the queue of the current version is in Label Studio; None: it was not pushed."""
    if report is None:
        click.echo("its queue waits for `wildloop push`: LABEL_STUDIO_API_KEY is not set")
    else:
        click.echo("its queue is pushed")
