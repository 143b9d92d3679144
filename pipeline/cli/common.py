"""What several commands share: choosing a project, and carrying out a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline import jobs
from pipeline.records import RunKind, RunState
from pipeline.store import projects

if TYPE_CHECKING:
    from pipeline.errors import WildloopError
    from pipeline.records import ProjectRecord, RunKind, RunRecord
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


@contextmanager
def quiet_jobs() -> Iterator[None]:
    """Keep failures of runs out of the log: the command prints them, once."""
    logger = logging.getLogger("pipeline.jobs")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def run_now(workspace: Workspace, project_id: int, kind: RunKind, error: type[WildloopError]) -> RunRecord:
    """Carry out a run of `kind` here and wait for it. Raises `error` if it fails."""
    with quiet_jobs():
        run = jobs.run_now(workspace, project_id, kind, trigger="command", progress=True)
    if run.state is RunState.FAILED:
        raise error(run.error or f"run {run.id} ({kind}) failed without an error message")
    return run
