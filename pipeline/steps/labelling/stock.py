"""The stock: the tasks that Label Studio holds for people to answer, topped up as they are used.

Label Studio holds a few thousand tasks instead of the whole pool, so that the next picture comes as quickly
at a million crops as at a thousand. What a top-up costs depends on the stock, not on the pool. The stock is

1. tasks that somebody wants first: crops that were struck out, reviews, opinions (score below 0),
2. the next crops of the current version's queue, with what that version says of them,
3. a reserve without a place in the queue, up to `ScreenOptions.stock` tasks: a small project is in Label
   Studio whole, and people do not run out of crops while a training takes long or no worker runs.

Nothing that a person may have open is changed or deleted. A task whose question is settled, or asked anew by
a later version, is parked: out of the label stream, but whoever has it open can still answer.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from pipeline.label_studio.config import refuse_earlier
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import StockClient
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import ProjectRecord, Purpose
from pipeline.steps.labelling.ask import ask, planned_again, rank
from pipeline.steps.labelling.choices import see_choices
from pipeline.steps.labelling.frames import ask_due, is_struck_due
from pipeline.steps.labelling.groups import plan_groups
from pipeline.steps.labelling.look_again import look_again
from pipeline.steps.labelling.parking import GRACE, delete_parked, park
from pipeline.steps.labelling.record import claimed
from pipeline.steps.labelling.stock_plan import (
    asks_first,
    is_external,
    queue_tasks,
    reserve_tasks,
    struck_tasks,
)
from pipeline.steps.labelling.stock_state import read_stock, read_waiting
from pipeline.steps.learning import activate as versions
from pipeline.store import (
    acceptances,
    candidates,
    detections,
    oracle,
    predictions,
    projects,
    reviews,
    tasks,
)
from pipeline.workspace import Workspace

LOW = 0.5  # share of the stock below which it is topped up
SAMPLE = 100  # crops beyond the queue that are looked at to see whether any can be ordered


@dataclass(frozen=True, kw_only=True)
class StockReport:
    """What a top-up did, and what Label Studio holds now."""

    version: str | None  # the current version; None before the first
    asked: int  # new tasks
    parked: int  # tasks taken out of the label stream: settled, or asked anew
    deleted: int  # tasks parked long ago, that nobody can have open any more
    recovered: int  # tasks that were in Label Studio but not in the store: an earlier run was killed
    open: int  # tasks that wait for an answer in Label Studio
    complete: bool  # whether nothing else could be asked

    @property
    def is_done(self) -> bool:
        """Whether nothing is left for people."""
        return self.complete and not self.open


def top_up(
    workspace: Workspace,
    client: StockClient,
    project_id: int,
    *,
    grace: dt.timedelta = GRACE,
) -> StockReport:
    """Bring the stock of a project up to date and up to its size; a second run changes nothing.

    If every place of the current version's queue is used up, the version gets a new queue first, which
    costs time by the size of the pool. Raises StoreError for an unknown or replaced
    project, and LabelStudioError; what was done until then stays, and the next run goes on.
    """
    with workspace.database.read() as conn:
        project = projects.active_one(conn, project_id)
        size = ScreenOptions.from_json(project.options).stock
    label_studio = client.project(project_id)
    refuse_earlier(project_id, str(label_studio["label_config"]))
    see_choices(workspace, project_id, str(label_studio["label_config"]))
    recovered = _compare_with_stream(workspace, client, project_id)
    asked = _renew(workspace, client, project)
    asked += _ask_queue(workspace, client, project_id, size)
    if _is_used_up(workspace, project_id):
        asked += _ask_queue(workspace, client, project_id, size)
    asked += len(ask_due(workspace, client, project_id))
    asked += look_again(workspace, client, project_id)
    _follow_version(workspace, client, project_id)
    parked = _park(workspace, client, project_id, size)
    reserve, complete = _ask_reserve(workspace, client, project_id, size)
    deleted = delete_parked(workspace, client, project_id, grace=grace)
    with workspace.database.read() as conn:
        return StockReport(
            version=projects.get(conn, project_id).current_model,
            asked=asked + reserve,
            parked=parked,
            deleted=deleted,
            recovered=recovered,
            open=tasks.open_count(conn, project_id),
            complete=complete,
        )


def is_low(workspace: Workspace, project_id: int, *, complete: bool) -> bool:
    """Whether the stock of a project wants a top-up; quick, as this is asked after every answer.

    `complete`: whether the last top-up found nothing else to ask.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        enough = LOW * ScreenOptions.from_json(project.options).stock
        if not complete and tasks.open_count(conn, project_id) < enough:
            return True
        version = project.current_model
        if version is not None:
            placed = tasks.first_count(conn, project_id, version)
            if placed < enough and predictions.unpushed_count(conn, version):
                return True
            if not placed and tasks.first_count(conn, project_id):  # the queue is used up, the reserve not
                return True
        if is_struck_due(conn, project_id):
            return True
        if not oracle.struck_ids(conn, project_id):
            return False
        stock = read_stock(conn, project_id)
    return bool(struck_tasks(stock, read_waiting(workspace, project_id, ())))


def _compare_with_stream(workspace: Workspace, client: StockClient, project_id: int) -> int:
    """Make the stored stock equal to Label Studio's; returns how many tasks the store did not know.

    Tasks that are not in the stream any more count as parked: they were answered with nothing, or deleted
    without a word.
    """
    with workspace.database.read() as conn:
        stored = {task.task_id for task in tasks.open_tasks(conn, project_id)}
    stream = client.tasks_in_stream(project_id)  # after the store: it has all tasks that were stored
    with workspace.database.read() as conn:
        known = tasks.get(conn, project_id, stream - stored)
    unknown = stream - stored - known.keys()
    found = [claimed(project_id, task) for task in client.some_tasks(project_id, unknown)]
    with workspace.database.write() as conn:
        tasks.set_parked(conn, project_id, sorted(stored - stream))
        own = [task for task in found if task is not None]
        existing = detections.get(conn, {crop for task in own for crop in task.detections})
        recovered = tasks.add(conn, (task for task in own if existing.keys() >= set(task.detections)))
    returned = [
        number
        for number, task in known.items()
        if task.parked_at is not None and task.answered_at is None and task.deleted_at is None
    ]
    park(workspace, client, project_id, returned)
    return recovered


def _renew(workspace: Workspace, client: StockClient, project: ProjectRecord) -> int:
    """Ask everything anew that shows a former address of its pictures, or a former location.

    Such as after Label Studio has moved to another path. Returns the number of new tasks.
    """
    served = ServedFiles.of(workspace.settings, client.browser_path())
    if project.served_from == served.prefix:
        return 0
    with workspace.database.write() as conn:
        projects.begin_mending(conn, project.id)
        stock = read_stock(conn, project.id)
        if stock.version is not None:
            predictions.unpush(conn, stock.version)
    wanted = [task for task in stock.tasks if not asks_first(task)]
    ask(workspace, client, project.id, list(map(planned_again, wanted)), version=stock.version)
    unplaced = [task for task in stock.tasks if asks_first(task) and not stock.has_place(task)]
    outdated = [task.task_id for task in (*wanted, *unplaced) if not is_external(task)]
    park(workspace, client, project.id, outdated)
    with workspace.database.write() as conn:
        projects.end_mending(conn, project.id, served.prefix)
    return len(wanted)


def _ask_queue(workspace: Workspace, client: StockClient, project_id: int, size: int) -> int:
    """Ask about struck crops, and about the next crops of the queue; returns the number of new tasks."""
    with workspace.database.read() as conn:
        stock = read_stock(conn, project_id)
        if stock.version is None:
            return 0
        version, queue = stock.version, predictions.unpushed(conn, stock.version)
    queued = {place.detection_id for place in queue}
    held = sum(queued.isdisjoint(task.detections) for task in stock.placed)
    part = queue[: max(0, size - held)]
    waiting = read_waiting(workspace, project_id, [place.detection_id for place in part])
    together = plan_groups(workspace, project_id, queue_tasks(part, waiting, stock))
    planned = [*struck_tasks(stock, waiting), *together]
    ask(workspace, client, project_id, planned, version=version)
    external = [
        replace(stock.external[place.detection_id], score=place.score)
        for place in part
        if place.detection_id in stock.external
    ]
    rank(workspace, client, project_id, external, version)
    with workspace.database.write() as conn:
        predictions.mark_pushed(conn, version, [place.detection_id for place in part])
    return len(planned)


def _is_used_up(workspace: Workspace, project_id: int) -> bool:
    """Whether the queue was used up and has new places now, for crops that wait beyond it."""
    with workspace.database.read() as conn:
        stock = read_stock(conn, project_id)
        version = stock.version
        if version is None or stock.placed or predictions.unpushed_count(conn, version):
            return False
        embedder = projects.get(conn, project_id).embedder
        beyond = candidates.unasked(conn, project_id, SAMPLE)
        beyond += [crop for task in stock.tasks if asks_first(task) for crop in task.detections]
        ordered = candidates.embedded_among(conn, embedder, beyond)
    waiting = read_waiting(workspace, project_id, sorted(ordered))
    if not waiting.unlabelled - waiting.disputed:
        return False
    versions.refill(workspace, project_id, version)
    with workspace.database.read() as conn:
        return bool(predictions.unpushed_count(conn, version))


def _follow_version(workspace: Workspace, client: StockClient, project_id: int) -> None:
    """Let Label Studio's queue follow the current version, with all that somebody asked for on purpose."""
    with workspace.database.read() as conn:
        stock = read_stock(conn, project_id)
    version = stock.version
    if version is None:
        return
    rank(workspace, client, project_id, stock.outdated, version)
    chosen = client.project(project_id)["model_version"] or ""
    if chosen != version:
        # Label Studio refuses a version without predictions.
        wanted = version if version in client.prediction_versions(project_id) else ""
        if chosen != wanted:
            client.update_project(project_id, model_version=wanted)


def _park(workspace: Workspace, client: StockClient, project_id: int, size: int) -> int:
    """Park what is settled, or asked anew, or too much; returns the number of tasks."""
    with workspace.database.read() as conn:
        stock = read_stock(conn, project_id)
        open_reviews = {review.task_id for review in reviews.unanswered(conn, project_id)}
    crops = {
        crop
        for task in stock.tasks
        if asks_first(task) or task.purpose is Purpose.SUGGESTION
        for crop in task.detections
    }
    over = stock.to_park(read_waiting(workspace, project_id, sorted(crops)), keep=size)
    over += [
        task.task_id
        for task in stock.tasks
        if task.purpose is Purpose.REVIEW and task.task_id not in open_reviews
    ]
    return park(workspace, client, project_id, over)


def _ask_reserve(workspace: Workspace, client: StockClient, project_id: int, size: int) -> tuple[int, bool]:
    """Fill the stock with crops beyond the queue; returns the number of new tasks, and whether none is left.

    Once predictions are accepted, only the queue knows what is left for people.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        if version is not None:
            if predictions.unpushed_count(conn, version):
                return 0, False
            if acceptances.for_version(conn, version) is not None:
                return 0, True
        missing = size - tasks.open_count(conn, project_id)
        disputed = oracle.disputed_ids(conn, project_id)
        crops = candidates.unasked(conn, project_id, max(0, missing) + len(disputed) + 1)
    waiting = read_waiting(workspace, project_id, crops)
    wanted = reserve_tasks(crops, waiting)
    planned = wanted[: max(0, missing)]
    ask(workspace, client, project_id, planned)
    return len(planned), len(planned) == len(wanted)
