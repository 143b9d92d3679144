"""What follows an import by itself: embed the new crops, make the first order, and top the stock up."""

from __future__ import annotations

import time

import sqlalchemy as sa

from pipeline.jobs import scheduler
from pipeline.jobs.enqueue import request
from pipeline.jobs.execute import perform
from pipeline.records import ProjectRecord, RunKind, RunRecord, RunState
from pipeline.store import candidates, embeddings, projects, runs, workers
from pipeline.workspace import Workspace

KINDS = (RunKind.EMBED, RunKind.PUBLISH, RunKind.TRAIN)  # each requests the next
POLL_SECONDS = 0.5


def request_follow_up(workspace: Workspace, *, trigger: str, project_id: int | None = None) -> list[int]:
    """Request an embed run for each project that lacks something; the order and a top-up follow it.

    With `project_id`, for that project only. Returns the ids of these projects. A project lacks something
    if a crop has no vector, if it has crops and nothing is asked yet, or if its tasks show a former location.
    """
    with workspace.database.read() as conn:
        wanting = [
            project.id
            for project in projects.active(conn)
            if project_id in (None, project.id) and _lacks_something(conn, project)
        ]
    for number in wanting:
        request(workspace, number, RunKind.EMBED, trigger=trigger)
    return wanting


def has_worker(workspace: Workspace) -> bool:
    """Whether a worker lives that carries the runs out."""
    with workspace.database.read() as conn:
        return bool(workers.alive(conn))


def follow_up_now(workspace: Workspace, project_id: int, *, progress: bool = False) -> list[RunRecord]:
    """Carry out the project's waiting runs of `KINDS` and those that follow them, in this process.

    Returns the runs that ended here, oldest first; the last one may have failed, which ends it. Waits for
    those that another process carries out.
    """
    ended: list[RunRecord] = []
    while True:
        with workspace.database.read() as conn:
            waiting = [run for run in runs.open_runs(conn, project_id) if run.kind in KINDS]
        if not waiting:
            return ended
        for run in waiting:
            done = perform(workspace, run.id, progress=progress)
            if done is not None:
                ended.append(done)
                break
        else:
            scheduler.requeue_stalled(workspace)
            time.sleep(POLL_SECONDS)
            continue
        if ended[-1].state is RunState.FAILED:
            return ended


def _lacks_something(conn: sa.Connection, project: ProjectRecord) -> bool:
    if embeddings.missing_count(conn, project.embedder):
        return True
    is_unfinished = project.current_model is None or not project.served_from
    return is_unfinished and candidates.count(conn) > 0
