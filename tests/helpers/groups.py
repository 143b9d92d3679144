"""A project in which Label Studio shows crops alone and in groups."""

from __future__ import annotations

from pipeline.current_label import current_label
from pipeline.records import ProjectRecord, Purpose, TaskKind, TaskRecord
from pipeline.store import categories, oracle, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.results import chose
from tests.helpers.stored import publish_tasks

PROJECT = 4
BOARD, SEQUENCE, SUGGESTION, FRAMES, FRAME = 20, 21, 22, 23, 24
ALONE = {number: f"d{number}" for number in range(1, 9)}  # the detection of each task about one
SHOWN = {
    BOARD: (TaskKind.BOARD, Purpose.QUEUE, ("d1", "d2", "d3", "d4")),
    SEQUENCE: (TaskKind.SEQUENCE, Purpose.QUEUE, ("d5", "d6")),
    SUGGESTION: (TaskKind.BOARD, Purpose.SUGGESTION, ("d7", "d8")),
    FRAMES: (TaskKind.FRAMES, Purpose.EMPTIES, ("d5", "d6")),
    FRAME: (TaskKind.FRAME, Purpose.EMPTIES, ("d7",)),
}
DEER = [chose("all_suggested_0", "deer")]  # a group that was submitted as it was suggested


def publish_groups(database: Database) -> None:
    """Eight detections, each with a task of its own, and groups of them."""
    publish_tasks(database, ProjectRecord(id=PROJECT, title="Forest", embedder="descriptor"), ALONE)
    with database.write() as conn:
        tasks.add(
            conn,
            [
                TaskRecord(project_id=PROJECT, task_id=number, kind=kind, purpose=purpose, detections=ids)
                for number, (kind, purpose, ids) in SHOWN.items()
            ],
        )


def grouped_label_studio() -> FakeLabelStudio:
    """A Label Studio with these tasks."""
    made = FakeLabelStudio(PROJECT, ALONE)
    for number, (kind, purpose, ids) in SHOWN.items():
        made.add_task(number, {"kind": kind.value, "purpose": purpose.value, "detections": list(ids)})
    return made


def labels(workspace: Workspace) -> dict[str, str]:
    """The label of each detection that has one, and else why it waits."""
    with workspace.database.read() as conn:
        names = categories.names(conn)
        histories = oracle.histories(conn, list(ALONE.values()))
    current = {id_: current_label(history) for id_, history in sorted(histories.items())}
    return {
        id_: names[label.label] if label.label is not None else str(label.verdict)
        for id_, label in current.items()
        if label.verdict is not None
    }
