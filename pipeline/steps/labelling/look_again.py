"""Labels that people look at again, without being told to: second opinions, decisions, struck out reviews."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pipeline.errors import StoreError
from pipeline.label_studio.roles import StockClient
from pipeline.records import Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.decisions import Undecided, plan_decisions, settled_decisions, undecided
from pipeline.steps.labelling.opinions import plan_opinions, settled_opinions
from pipeline.steps.labelling.parking import park
from pipeline.store import projects, reviews, tasks
from pipeline.workspace import Workspace

FIRST_REVIEW = -2.0  # reviews come before the queue: their scores are -2 to -1


def look_again(workspace: Workspace, client: StockClient, project_id: int) -> int:
    """Ask what is due, and park what is settled; returns the number of new tasks.

    A second run changes nothing. Before the project has a version, nothing has a place in the queue, and
    nothing is asked. Raises StoreError for an unknown project, and LabelStudioError.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        if version is None:
            return 0
        crops = undecided(conn, project_id)
        open_tasks = tasks.open_tasks(conn, project_id)
        planned = [
            *plan_decisions(conn, project_id, crops),
            *plan_objections(conn, project_id),
            *plan_opinions(conn, project_id),
        ]
        over = [*settled_decisions(open_tasks, crops), *settled_opinions(conn, open_tasks)]
    created = ask(workspace, client, project_id, planned, version=version)
    park(workspace, client, project_id, over)
    return len(created)


def waiting_for_decision(workspace: Workspace, project_id: int, purpose: Purpose) -> list[Undecided]:
    """The crops that somebody must decide, disputed or for an expert. Raises StoreError."""
    with workspace.database.read() as conn:
        projects.get(conn, project_id)
        return [crop for crop in undecided(conn, project_id) if crop.purpose is purpose]


def ask_to_decide(
    workspace: Workspace, client: StockClient, project_id: int, crops: Sequence[Undecided]
) -> int:
    """Ask about these crops, also again, unless a task about them is open; returns the number of new tasks.

    Raises StoreError if the project has no version yet, and LabelStudioError.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        planned = plan_decisions(conn, project_id, crops, again=True)
    if version is None:
        raise StoreError(f"project {project_id} has no model version yet", remedy="run `wildloop publish`")
    return len(ask(workspace, client, project_id, planned, version=version))


def plan_objections(conn: sa.Connection, project_id: int) -> list[PlannedTask]:
    """A task for each label that was struck out of a review board: a vote counts that was given alone."""
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.REVIEW,
            detections=(crop,),
            score=FIRST_REVIEW,
            details={reviews.LABEL: label},
        )
        for crop, label in reviews.objections(conn, project_id)
    ]
