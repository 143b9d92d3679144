"""Sync with a fake Label Studio that loses, repeats and reorders webhooks."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.webhook import receive
from pipeline.current_label import current_label
from pipeline.records import (
    ProjectRecord,
    Verdict,
)
from pipeline.settings import Settings
from pipeline.steps.labelling.sync import SyncReport, reset_watermark, sync
from pipeline.store import categories, oracle, projects, tasks
from pipeline.store.database import Database
from pipeline.store.schema import oracle as oracle_table
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.stored import publish_tasks

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

PROJECT = 4
TASKS = {number: f"d{number}" for number in range(1, 9)}


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """Eight detections, published as tasks 1 to 8."""
    project = ProjectRecord(id=PROJECT, title="Forest", embedder="descriptor")
    publish_tasks(database, project, TASKS)
    return Workspace(settings=Settings(data_dir=tmp_path, database_url=""), database=database)


@pytest.fixture
def server() -> FakeLabelStudio:
    return FakeLabelStudio(PROJECT, TASKS)


@pytest.fixture
def synced(workspace: Workspace, server: FakeLabelStudio) -> Callable[..., SyncReport]:
    def run(*, full: bool = False) -> SyncReport:
        if full:
            reset_watermark(workspace, PROJECT)
        return sync(workspace, server, PROJECT)

    return run


def handle(workspace: Workspace, payload: dict[str, Any]) -> None:
    """Handle a webhook; other tests check that trainings follow."""
    receive(workspace, payload, lambda _: None)


def oracle_choices(workspace: Workspace) -> dict[str, list[str]]:
    """The choices of the active annotations in the oracle, by detection."""
    with workspace.database.read() as conn:
        names = categories.names(conn)
        choices: dict[str, list[str]] = {}
        annotations = [state.annotation for state in oracle.active_annotations(conn, PROJECT)]
        for annotation in sorted(annotations, key=lambda each: each.annotation_id or 0):
            if annotation.verdict is Verdict.LABEL and annotation.label is not None:
                choices.setdefault(annotation.detection_id, []).append(names[annotation.label])
            elif annotation.verdict is Verdict.UNSURE:
                choices.setdefault(annotation.detection_id, []).append("unsure")
        return choices


def same(workspace: Workspace, server: FakeLabelStudio) -> bool:
    def ordered(choices: dict[str, list[str]]) -> dict[str, list[str]]:
        return {detection: sorted(labels) for detection, labels in choices.items()}

    return ordered(oracle_choices(workspace)) == ordered(server.labels())


def rows(workspace: Workspace) -> list[Any]:
    with workspace.database.read() as conn:
        return list(conn.execute(sa.select(oracle_table).order_by(oracle_table.c.id)).mappings())


@pytest.mark.both_databases
def test_missed_labels_are_stored(workspace: Workspace, server: FakeLabelStudio, synced: Any) -> None:
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
        assert oracle.label_count(conn) == 2
        assert oracle.resolved_ids(conn) == {"d1", "d2", "d4"}


def test_a_second_sync_adds_nothing_and_exports_nothing(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "deer")
    server.annotate(2, "fox")
    synced()
    server.exported.clear()
    assert synced().new == 0
    assert synced(full=True).new == 0
    assert server.exported == []
    assert len(rows(workspace)) == 2


def test_after_webhooks_a_sync_exports_nothing(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.webhook = lambda payload: handle(workspace, payload)
    first = server.annotate(1, "deer")
    server.annotate(2, "fox", shown="fox")
    server.change(first, "fox")
    server.delete(server.annotate(3, "deer"))
    assert same(workspace, server)
    assert synced().new == 0
    assert server.exported == []


@pytest.mark.both_databases
def test_missed_changes_and_deletions_are_stored(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
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


def test_a_deletion_by_id_deletes_the_annotation_that_has_the_id_now(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.webhook = lambda payload: handle(workspace, payload)
    first = server.annotate(1, "deer")
    server.delete(first)
    again = server.annotate(2, "fox")
    assert again == first
    server.delete(again)
    assert oracle_choices(workspace) == {}
    assert synced().new == 0


def test_a_reused_id_is_another_annotation(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    first = server.annotate(1, "deer")
    synced()
    server.delete(first)  # without a webhook
    assert server.annotate(2, "fox") == first
    synced()
    assert oracle_choices(workspace) == {"d2": ["fox"]}
    server.delete(first)
    assert server.annotate(2, "deer") == first  # even on the same task
    synced()
    assert oracle_choices(workspace) == {"d2": ["deer"]}


def test_several_annotators_keep_their_votes(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "deer", by=1)
    server.annotate(1, "fox", by=2)
    assert synced().disputed == 1
    server.annotate(1, "fox", by=3)
    report = synced()
    assert (report.new, report.disputed) == (1, 0)
    with workspace.database.read() as conn:
        [history] = oracle.histories(conn, ["d1"]).values()
        assert (current_label(history).votes, current_label(history).voters) == (2, 3)
        [label] = oracle.labels(conn).values()
        assert categories.names(conn)[label] == "fox"


def test_ground_truth_decides_a_dispute(workspace: Workspace, server: FakeLabelStudio, synced: Any) -> None:
    server.annotate(1, "deer", by=1)
    server.annotate(1, "fox", by=2, truth=True)
    assert synced().disputed == 0
    with workspace.database.read() as conn:
        assert len(oracle.labels(conn)) == 1


def test_a_species_added_in_label_studio_becomes_a_category(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "Snow  Leopard")
    synced()
    assert oracle_choices(workspace) == {"d1": ["snow leopard"]}
    assert synced(full=True).new == 0


def test_a_task_that_is_not_stored_is_identified_by_its_data(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    with workspace.database.write() as conn:
        tasks.remove(conn, PROJECT, [1])
    server.annotate(1, "deer")
    assert synced().foreign == 0
    assert oracle_choices(workspace) == {"d1": ["deer"]}


def test_annotations_of_foreign_tasks_are_counted_and_ignored(server: FakeLabelStudio, synced: Any) -> None:
    server.rows[99] = {**server.rows[1], "id": 99, "data": {"crop": "x"}, "annotations": []}
    server.annotate(99, "deer")
    server.annotate(1, "fox")
    report = synced()
    assert (report.new, report.foreign) == (1, 1)


def test_a_task_with_an_invalid_annotation_is_skipped(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    kept = server.annotate(1, "deer")
    synced()
    server.annotate(2, "fox")
    server.annotation(kept)["result"] = [{"from_name": "species", "value": None}]
    server.touch(1)
    report = synced()
    assert (report.new, report.unreadable) == (1, 1)
    assert oracle_choices(workspace) == {"d1": ["deer"], "d2": ["fox"]}


@pytest.mark.both_databases
def test_deleting_a_task_removes_its_labels_and_it_can_be_published_again(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "deer")
    server.annotate(2, "fox")
    synced()
    server.delete_task(1)
    report = synced()
    assert (report.tasks_deleted, report.new) == (1, 1)
    assert oracle_choices(workspace) == {"d2": ["fox"]}
    with workspace.database.read() as conn:
        assert tasks.by_task(conn, PROJECT, [1, 2]) == {2: "d2"}


def test_a_full_sync_finds_deleted_tasks_if_as_many_were_added(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "deer")
    synced()
    server.delete_task(1)
    server.rows[99] = {**server.rows[2], "id": 99, "data": {"crop": "x"}, "annotations": []}
    assert synced().tasks_deleted == 0  # the counts agree
    assert synced(full=True).tasks_deleted == 1
    assert oracle_choices(workspace) == {}


def test_changes_while_tasks_are_listed_are_kept(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    kept, gone = server.annotate(1, "deer"), server.annotate(2, "fox")
    synced()
    server.change(kept, "deer")
    server.webhook = lambda payload: handle(workspace, payload)

    def meanwhile() -> None:
        server.delete(gone)
        server.annotate(3, "fox")

    server.while_listing = meanwhile
    synced(full=True)
    assert same(workspace, server)
    assert synced(full=True).new == 0
    assert same(workspace, server)


def test_a_time_that_is_committed_late_is_within_the_overlap(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.annotate(1, "deer")
    synced()
    late = server.annotate(2, "fox")
    server.annotate(3, "deer")
    hidden = server.rows.pop(2)  # stamped before task 3, committed after the listing
    synced()
    server.rows[2] = hidden
    server.rows[2]["updated_at"] = server.now - dt.timedelta(seconds=30)
    synced()
    assert late in {row["annotation_id"] for row in rows(workspace)}
    assert same(workspace, server)


def test_the_watermark_moves_after_the_rows_are_stored(
    workspace: Workspace, server: FakeLabelStudio, synced: Any, monkeypatch: pytest.MonkeyPatch
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
    assert watermark() == server.rows[1]["updated_at"]
    assert same(workspace, server)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.both_databases
def test_after_lost_repeated_and_reordered_webhooks_a_sync_makes_the_oracle_equal(
    workspace: Workspace, server: FakeLabelStudio, synced: Any, seed: int
) -> None:
    chance = random.Random(seed)
    waiting: list[dict[str, Any]] = []

    def unreliable(payload: dict[str, Any]) -> None:
        if chance.random() < 0.4:
            return
        waiting.extend([payload] * chance.choice([1, 1, 2]))
        chance.shuffle(waiting)
        while waiting and chance.random() < 0.7:
            handle(workspace, waiting.pop())

    server.webhook = unreliable
    for _ in range(60):
        active = [each["id"] for task in server.rows.values() for each in task["annotations"]]
        act = chance.choice(["annotate", "annotate", "change", "delete", "skip", "sync"])
        if act == "annotate":
            server.annotate(chance.choice(list(server.rows)), chance.choice(["deer", "fox", "unsure"]), by=1)
        elif act == "skip":
            server.annotate(chance.choice(list(server.rows)), None, skip=True, by=2)
        elif act == "change" and active:
            server.change(chance.choice(active), chance.choice(["deer", "fox", "empty"]))
        elif act == "delete" and active:
            server.delete(chance.choice(active))
        elif act == "sync":
            synced()
    synced(full=True)
    assert same(workspace, server)
    assert synced(full=True).new == 0
