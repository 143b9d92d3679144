"""The queue's crops -> sequences, and among them boards, suggestions and confirmations."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from itertools import islice

import sqlalchemy as sa

from pipeline.grouping.boards import EVERY
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import ModelRecord, ProjectRecord, Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.steps.labelling.boards import boards
from pipeline.steps.labelling.sequences import with_sequences
from pipeline.steps.labelling.suggestions import suggest
from pipeline.steps.learning.confirmations import to_confirm
from pipeline.steps.learning.predict import load_version
from pipeline.store import audits, models, oracle, predictions, projects, tasks
from pipeline.workspace import Workspace

SUGGESTION_EVERY = 3  # every third board is a suggestion
# Of a version that makes boards: on plankton_dev, versions of 50 labels are wrong on a fifth of the crops of
# which they are 90% sure, those of 100 on 7%.
LEAST_LABELS = 100


def plan_groups(workspace: Workspace, project_id: int, planned: Sequence[PlannedTask]) -> list[PlannedTask]:
    """The tasks of a queue, given those of its crops one by one, in their order.

    Each crop brings along those of its sequence (`sequences.with_sequences`). After nine such tasks comes an
    audit crop, a board, every third a suggestion, and the next of the crops that are to be confirmed; scores
    lie between those of the neighbours. The nine are counted from what people have answered: queues are
    renewed more often than every nine tasks. No crop is in two tasks, and crops of the audit, struck and
    disputed ones come alone. A project can do without boards (`ScreenOptions.boards`). Raises StoreError for
    an unknown project, and ModelError if the files of its version are damaged.
    """
    if not planned:  # nothing that a board could come between, and boards are sought in the whole pool
        return []
    asked = {crop for task in planned for crop in task.detections}
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        current = models.current(conn, project_id)
        apart = kept_apart(conn, project_id, asked_anew=asked)
        staying = [
            task
            for task in tasks.open_tasks(conn, project_id)
            if task.model_version == project.current_model
            and 0 <= (task.score or 0.0) < 1
            and asked.isdisjoint(task.detections)
        ]
        checks = to_confirm(conn, project_id)
        answered = tasks.answered_since(conn, project_id)
        later = [] if current is None else predictions.unpushed(conn, current.version)
    audit = [task for task in planned if _is_drawn_for_queue(task)]
    queue = with_sequences(workspace, project, [task for task in planned if task not in audit], apart)
    queue = _among(queue, audit, answered.audit, append=True)
    if current is not None and _makes_boards(project, current):
        boards_open = sum(task.kind is TaskKind.BOARD for task in staying)
        others = len(staying) - boards_open + sum(task.score >= 0 for task in queue)
        taken = apart.union(*(task.detections for task in staying), *(task.detections for task in queue))
        taken |= {place.detection_id for place in later}  # else the rest of the queue would end the boards
        wanted = (answered.board + others) // (EVERY - 1) - boards_open
        queue = _among(queue, _boards(workspace, current, taken, wanted), answered.board)
    confirmations = [
        PlannedTask(kind=TaskKind.SINGLE, purpose=Purpose.CONFIRMATION, detections=(crop,), score=0.0)
        for crop in checks
    ]
    return _among(queue, confirmations, answered.confirmation)


def kept_apart(conn: sa.Connection, project_id: int, *, asked_anew: Set[str] = frozenset()) -> set[str]:
    """The crops that come in no further group.

    Those of the audit, those that were struck out of a group and disputed ones are asked about alone; others
    are in an open group already. What a queue has of groups does not count if it asks about crops in
    `asked_anew`, or, if there are any, if a former version made it: it leaves the label stream.
    """
    version = projects.get(conn, project_id).current_model
    grouped = {
        crop
        for task in tasks.open_tasks(conn, project_id)
        if task.kind is not TaskKind.SINGLE
        and not (
            asked_anew
            and task.score is not None
            and task.score >= 0  # what a manager asked for comes before the queue
            and (task.model_version != version or not asked_anew.isdisjoint(task.detections))
        )
        for crop in task.detections
    }
    alone = oracle.disputed_ids(conn, project_id) | oracle.struck_ids(conn, project_id)
    return grouped | alone | audits.drawn_ids(conn, project_id)


def _makes_boards(project: ProjectRecord, current: ModelRecord) -> bool:
    return current.labels >= LEAST_LABELS and ScreenOptions.from_json(project.options).boards


def _boards(workspace: Workspace, current: ModelRecord, apart: Set[str], count: int) -> list[PlannedTask]:
    """Up to `count` boards, every third a suggestion as far as there are any."""
    if count <= 0:
        return []
    version = load_version(workspace, current)
    suggested = suggest(workspace, version, apart)[: count // SUGGESTION_EVERY]
    apart = apart | {crop for task in suggested for crop in task.detections}
    named = boards(workspace, version, apart, count=count - len(suggested))
    mixed = []
    left = iter(suggested)
    for place, board in enumerate(named, 1):
        mixed.append(board)
        if place % (SUGGESTION_EVERY - 1) == 0:
            mixed += islice(left, 1)
    return [*mixed, *left]


def _is_drawn_for_queue(task: PlannedTask) -> bool:
    return task.purpose is Purpose.AUDIT and task.score >= 0  # what `wildloop audit` draws comes first


def _among(
    queue: Sequence[PlannedTask], others: Sequence[PlannedTask], answered: int, *, append: bool = False
) -> list[PlannedTask]:
    """The queue with the next of the `others` after each nine tasks, as far as the queue goes.

    `answered` is how many tasks people have answered since they answered the last of such others. With
    `append`, those that are left come at the end.
    """
    left = iter(others)
    mixed: list[PlannedTask] = []
    passed = answered
    for place, task in enumerate(queue):
        mixed.append(task)
        passed += task.score >= 0  # crops that `wildloop audit` asks for come before the queue
        if task.score >= 0 and passed >= EVERY - 1:
            after = queue[place + 1].score if place + 1 < len(queue) else 1.0
            mixed += [replace(other, score=(task.score + after) / 2) for other in islice(left, 1)]
            passed = 0
    if append:
        last = max((task.score for task in mixed), default=0.0)
        rest = list(left)
        mixed += [
            replace(other, score=last + (1.0 - last) * (place + 1) / (len(rest) + 1))
            for place, other in enumerate(rest)
        ]
    return mixed
