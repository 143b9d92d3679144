"""After an import and after `wildloop project create`: from the crops to a queue."""

from __future__ import annotations

import click

from pipeline import jobs
from pipeline.cli.common import quiet_jobs
from pipeline.cli.output import note
from pipeline.errors import WildloopError
from pipeline.records import RunState
from pipeline.render.operations import follow_up_run
from pipeline.render.text import lines
from pipeline.store import projects
from pipeline.workspace import Workspace

follow_option = click.option(
    "--follow/--no-follow",
    default=True,
    help="Embed and publish the crops and order the queue afterwards: the worker does if one runs, else this "
    "command. [default: follow]",
)


def follow_up(workspace: Workspace, *, trigger: str, as_json: bool, project: int | None = None) -> None:
    """Embed, publish and order what projects lack: request it from a living worker, else do it here.

    `project` limits it to that one. Raises WildloopError if it fails here for one of them, once the others
    are done.
    """
    wanting = jobs.request_follow_up(workspace, trigger=trigger, project_id=project)
    if wanting and jobs.has_worker(workspace):
        names = " and ".join(f"project {number}" for number in wanting)
        told = f"the worker embeds and publishes the crops of {names}: `wildloop status` shows how far it is"
        note(lines(told, *(_where(workspace, number) for number in wanting)), as_json=as_json)
        return
    failures = [
        failure for number in wanting if (failure := _do_here(workspace, number, as_json=as_json)) is not None
    ]
    if failures:
        raise WildloopError("; ".join(failures))


def hint_without_project(workspace: Workspace, *, as_json: bool) -> None:
    """Say what comes next where there is no project whose queue the crops could join."""
    with workspace.database.read() as conn:
        if not projects.all(conn):
            note("next: `wildloop project create` makes the project and fills it", as_json=as_json)


def _do_here(workspace: Workspace, project_id: int, *, as_json: bool) -> str | None:
    """Do what the project lacks; returns what failed, if anything did."""
    with quiet_jobs():
        ended = jobs.follow_up_now(workspace, project_id, progress=True)
    for run in ended:
        note(follow_up_run(run), as_json=as_json)
    if ended and ended[-1].state is RunState.FAILED:
        return (
            f"the queue of project {project_id} is not complete; `wildloop worker` or this command again "
            f"continues. The {ended[-1].kind} run failed: {ended[-1].error}"
        )
    if ended:
        note(_where(workspace, project_id), as_json=as_json)
    return None


def _where(workspace: Workspace, project_id: int) -> str:
    return f"label them at {workspace.settings.label_studio_url}/projects/{project_id}/data"
