"""Reconciliation against a scripted Label Studio that loses, repeats and reorders its webhooks."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.webhook import receive
from pipeline.oracle import current_label
from pipeline.records import (
    Box,
    DetectionRecord,
    ImageRecord,
    ProjectRecord,
    TaskRecord,
    Verdict,
)
from pipeline.settings import Settings
from pipeline.steps.labelling.sync import SyncReport, reset_watermark, sync
from pipeline.store import categories, detections, images, oracle, projects, tasks
from pipeline.store.database import Database
from pipeline.store.schema import oracle as oracle_table
from pipeline.workspace import Workspace
from tests.helpers.scripted_label_studio import ScriptedLabelStudio

PROJECT = 4
TASKS = {number: f"d{number}" for number in range(1, 9)}


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """Eight detections, published as tasks 1 to 8."""
    with database.write() as conn:
        images.add(conn, [ImageRecord(id="i", file_name="i.jpg", path="i.jpg")])
        box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
        detections.add(
            conn,
            [
                DetectionRecord(id=one, image_id="i", box=box, bbox_confidence=0.9, detector="test")
                for one in TASKS.values()
            ],
        )
        categories.ensure(conn, ["deer", "fox"])
        projects.save(conn, ProjectRecord(id=PROJECT, title="Forest", embedder="descriptor"))
        tasks.add(
            conn,
            [
                TaskRecord(project_id=PROJECT, detection_id=detection, task_id=task)
                for task, detection in TASKS.items()
            ],
        )
    return Workspace(settings=Settings(data_dir=tmp_path, database_url=""), database=database)


@pytest.fixture
def server() -> ScriptedLabelStudio:
    return ScriptedLabelStudio(PROJECT, TASKS)


@pytest.fixture
def synced(workspace: Workspace, server: ScriptedLabelStudio) -> Callable[..., SyncReport]:
    def run(*, full: bool = False) -> SyncReport:
        if full:
            reset_watermark(workspace, PROJECT)
        return sync(workspace, server, PROJECT)

    return run


def hear(workspace: Workspace, payload: dict[str, Any]) -> None:
    """A webhook arrives; trainings are a matter of other tests."""
    receive(workspace, payload, lambda _: None)


def oracle_says(workspace: Workspace) -> dict[str, list[str]]:
    """What stands in the oracle, as Label Studio would tell it."""
    with workspace.database.read() as conn:
        names = categories.names(conn)
        found: dict[str, list[str]] = {}
        for state in sorted(
            oracle.active_annotations(conn, PROJECT), key=lambda one: one.annotation.annotation_id or 0
        ):
            one = state.annotation
            if one.verdict is Verdict.LABEL and one.label is not None:
                found.setdefault(one.detection_id, []).append(names[one.label])
            elif one.verdict is Verdict.UNSURE:
                found.setdefault(one.detection_id, []).append("unsure")
        return found


def same(workspace: Workspace, server: ScriptedLabelStudio) -> bool:
    def ordered(said: dict[str, list[str]]) -> dict[str, list[str]]:
        return {detection: sorted(labels) for detection, labels in said.items()}

    return ordered(oracle_says(workspace)) == ordered(server.labels())


def rows(workspace: Workspace) -> list[Any]:
    with workspace.database.read() as conn:
        return list(conn.execute(sa.select(oracle_table).order_by(oracle_table.c.id)).mappings())


def test_missed_labels_are_brought_in(workspace: Workspace, server: Any, synced: Any) -> None:
    server.annotate(1, "deer", shown="deer")
    server.annotate(2, "fox")
    server.annotate(3, None, skip=True)
    server.annotate(4, "unsure")
    report = synced()
    assert (report.tasks, report.new, report.foreign) == (4, 4, 0)
    assert same(workspace, server)
    first = rows(workspace)[0]
    assert (first["annotator"], first["lead_time"], first["model_version"]) == ("1", 1.5, "v1")
    assert first["result"] == server.result("deer")
    with workspace.database.read() as conn:
        assert oracle.label_count(conn, PROJECT) == 2
        assert oracle.resolved(conn, PROJECT) == {"d1", "d2", "d4"}


def test_a_second_sync_adds_nothing_and_exports_nothing(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.annotate(1, "deer")
    server.annotate(2, "fox")
    synced()
    server.exported.clear()
    assert synced().new == 0
    assert synced(full=True).new == 0
    assert server.exported == []
    assert len(rows(workspace)) == 2


def test_where_webhooks_arrive_sync_exports_nothing(workspace: Workspace, server: Any, synced: Any) -> None:
    server.tell = lambda payload: hear(workspace, payload)
    first = server.annotate(1, "deer")
    server.annotate(2, "fox", shown="fox")
    server.change(first, "fox")
    server.delete(server.annotate(3, "deer"))
    assert same(workspace, server)
    assert synced().new == 0
    assert server.exported == []


def test_changes_and_deletions_are_repaired(workspace: Workspace, server: Any, synced: Any) -> None:
    first, second = server.annotate(1, "deer"), server.annotate(2, "fox")
    synced()
    server.change(first, "fox")
    server.delete(second)
    assert synced().new == 2
    assert same(workspace, server)
    assert [(row["revision"], row["verdict"]) for row in rows(workspace)] == [
        (1, "label"),
        (1, "label"),
        (2, "label"),
        (2, "deleted"),
    ]


def test_a_deletion_told_by_id_takes_back_the_annotation_that_has_it_now(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.tell = lambda payload: hear(workspace, payload)
    first = server.annotate(1, "deer")
    server.delete(first)
    again = server.annotate(2, "fox")
    assert again == first
    server.delete(again)
    assert oracle_says(workspace) == {}
    assert synced().new == 0


def test_an_id_used_again_is_another_annotation(workspace: Workspace, server: Any, synced: Any) -> None:
    first = server.annotate(1, "deer")
    synced()
    server.delete(first)  # nobody heard
    assert server.annotate(2, "fox") == first
    synced()
    assert oracle_says(workspace) == {"d2": ["fox"]}
    server.delete(first)
    assert server.annotate(2, "deer") == first  # even on the same task
    synced()
    assert oracle_says(workspace) == {"d2": ["deer"]}


def test_several_annotators_keep_their_votes(workspace: Workspace, server: Any, synced: Any) -> None:
    server.annotate(1, "deer", by=1)
    server.annotate(1, "fox", by=2)
    assert synced().disputed == 1
    server.annotate(1, "fox", by=3)
    report = synced()
    assert (report.new, report.disputed) == (1, 0)
    with workspace.database.read() as conn:
        [history] = oracle.histories(conn, ["d1"]).values()
        assert (current_label(history).votes, current_label(history).voters) == (2, 3)
        [label] = oracle.labels(conn, PROJECT).values()
        assert categories.names(conn)[label] == "fox"


def test_ground_truth_settles_a_dispute(workspace: Workspace, server: Any, synced: Any) -> None:
    server.annotate(1, "deer", by=1)
    server.annotate(1, "fox", by=2, truth=True)
    assert synced().disputed == 0
    with workspace.database.read() as conn:
        assert len(oracle.labels(conn, PROJECT)) == 1


def test_a_species_added_in_label_studio_becomes_a_category(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.annotate(1, "Snow  Leopard")
    synced()
    assert oracle_says(workspace) == {"d1": ["snow leopard"]}
    assert synced(full=True).new == 0


def test_a_task_that_publishing_did_not_store_is_known_by_its_data(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    with workspace.database.write() as conn:
        tasks.remove(conn, PROJECT, [1])
    server.annotate(1, "deer")
    assert synced().foreign == 0
    assert oracle_says(workspace) == {"d1": ["deer"]}


def test_annotations_of_tasks_that_are_not_ours_are_counted_and_left(server: Any, synced: Any) -> None:
    server.tasks[99] = {**server.tasks[1], "id": 99, "data": {"crop": "x"}, "annotations": []}
    server.annotate(99, "deer")
    server.annotate(1, "fox")
    report = synced()
    assert (report.new, report.foreign) == (1, 1)


def test_a_task_whose_annotation_cannot_be_read_costs_only_itself(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    kept = server.annotate(1, "deer")
    synced()
    server.annotate(2, "fox")
    server._find(kept)["result"] = [{"from_name": "species", "value": None}]
    server._touch(1)
    report = synced()
    assert (report.new, report.unreadable) == (1, 1)
    assert oracle_says(workspace) == {"d1": ["deer"], "d2": ["fox"]}


def test_deleted_tasks_take_their_labels_along_and_can_be_published_again(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.annotate(1, "deer")
    server.annotate(2, "fox")
    synced()
    server.delete_task(1)
    report = synced()
    assert (report.tasks_deleted, report.new) == (1, 1)
    assert oracle_says(workspace) == {"d2": ["fox"]}
    with workspace.database.read() as conn:
        assert tasks.by_task(conn, PROJECT, [1, 2]) == {2: "d2"}


def test_a_full_sync_finds_deleted_tasks_behind_added_ones(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.annotate(1, "deer")
    synced()
    server.delete_task(1)
    server.tasks[99] = {**server.tasks[2], "id": 99, "data": {"crop": "x"}, "annotations": []}
    assert synced().tasks_deleted == 0  # the counts agree
    assert synced(full=True).tasks_deleted == 1
    assert oracle_says(workspace) == {}


def test_what_happens_while_tasks_are_listed_is_not_undone(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    kept, gone = server.annotate(1, "deer"), server.annotate(2, "fox")
    synced()
    server.change(kept, "deer")
    server.tell = lambda payload: hear(workspace, payload)

    def meanwhile() -> None:
        server.delete(gone)
        server.annotate(3, "fox")

    server.during = meanwhile
    synced(full=True)
    assert same(workspace, server)
    assert synced(full=True).new == 0
    assert same(workspace, server)


def test_a_stamp_that_was_committed_late_is_inside_the_overlap(
    workspace: Workspace, server: Any, synced: Any
) -> None:
    server.annotate(1, "deer")
    synced()
    late = server.annotate(2, "fox")
    server.annotate(3, "deer")
    hidden = server.tasks.pop(2)  # stamped before task 3, committed after the listing
    synced()
    server.tasks[2] = hidden
    server.tasks[2]["updated_at"] = server.now - dt.timedelta(seconds=30)
    synced()
    assert late in {row["annotation_id"] for row in rows(workspace)}
    assert same(workspace, server)


def test_the_watermark_moves_only_once_the_rows_are_there(
    workspace: Workspace, server: Any, synced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watermark() -> dt.datetime | None:
        with workspace.database.read() as conn:
            return projects.get(conn, PROJECT).watermark

    server.annotate(1, "deer")
    with monkeypatch.context() as patch:
        patch.setattr(server, "exported_tasks", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            synced()
    assert watermark() is None
    synced()
    assert watermark() == server.tasks[1]["updated_at"]
    assert same(workspace, server)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_repeated_or_out_of_order_the_oracle_ends_equal(
    workspace: Workspace, server: Any, synced: Any, seed: int
) -> None:
    chance = random.Random(seed)
    waiting: list[dict[str, Any]] = []

    def tell(payload: dict[str, Any]) -> None:
        if chance.random() < 0.4:
            return
        waiting.extend([payload] * chance.choice([1, 1, 2]))
        chance.shuffle(waiting)
        while waiting and chance.random() < 0.7:
            hear(workspace, waiting.pop())

    server.tell = tell
    for _ in range(60):
        alive = [one["id"] for task in server.tasks.values() for one in task["annotations"]]
        act = chance.choice(["annotate", "annotate", "change", "delete", "skip", "sync"])
        if act == "annotate":
            server.annotate(chance.choice(list(server.tasks)), chance.choice(["deer", "fox", "unsure"]), by=1)
        elif act == "skip":
            server.annotate(chance.choice(list(server.tasks)), None, skip=True, by=2)
        elif act == "change" and alive:
            server.change(chance.choice(alive), chance.choice(["deer", "fox", "empty"]))
        elif act == "delete" and alive:
            server.delete(chance.choice(alive))
        elif act == "sync":
            synced()
    synced(full=True)
    assert same(workspace, server)
    assert synced(full=True).new == 0
