"""Taking tasks out of the label stream without refusing the answer of anybody who has one open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from pipeline.label_studio.roles import StockClient
from pipeline.records import utc_now
from pipeline.store import tasks
from pipeline.store.database import chunks
from pipeline.workspace import Workspace

# Label Studio reserves a task for the person whom it was served to for a day (TASK_LOCK_TTL), and shows
# nobody these locks. Parked tasks are not served, so nothing is lost by keeping them that long.
GRACE = dt.timedelta(hours=25)
CALL_TASKS = 500  # tasks deleted in one call, which takes Label Studio about a second
STORED_TASKS = 50  # tasks parked before that is stored: 2 s


def park(workspace: Workspace, client: StockClient, project_id: int, task_ids: Iterable[int]) -> int:
    """Take tasks out of the label stream; returns their number. Raises LabelStudioError.

    Whoever has one open can still answer it, and that answer counts. A task that is gone counts as parked:
    the next sync finds out.
    """
    parked = 0
    for batch in chunks(task_ids, STORED_TASKS):
        for task_id in batch:
            client.park_task(task_id)
        with workspace.database.write() as conn:
            tasks.set_parked(conn, project_id, batch)
        parked += len(batch)
    return parked


def delete_parked(
    workspace: Workspace, client: StockClient, project_id: int, *, grace: dt.timedelta = GRACE
) -> int:
    """Delete the tasks that were parked at least `grace` ago; returns their number. Raises LabelStudioError.

    Tasks with a draft or an annotation stay. So does the project's newest task: on SQLite, Label Studio
    gives the id of a deleted newest task to the next one. The store knows first, so that nobody takes the
    deletion for one of people, which takes back labels.
    """
    with workspace.database.read() as conn:
        newest = tasks.newest_id(conn, project_id)
        expired = {record.task_id: record for record in tasks.parked(conn, project_id, utc_now() - grace)}
    if not expired:
        return 0
    present = {int(task["id"]): task for task in client.some_tasks(project_id, expired)}
    drafts = client.tasks_with_drafts(project_id)
    unused = [
        number
        for number, task in present.items()
        if number != newest
        and number not in drafts
        and not task["total_annotations"]
        and task["cancelled_annotations"] <= (expired[number].kept_from is not None)
    ]
    for batch in chunks(unused, CALL_TASKS):
        with workspace.database.write() as conn:
            tasks.set_deleted(conn, project_id, batch)
        client.delete_tasks(project_id, batch)
    return len(unused)
