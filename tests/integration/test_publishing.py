"""Publishing tasks and pushing queues: after any interruption, nothing is published twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline.steps.labelling.publish import PublishReport, publish
from pipeline.steps.labelling.push import PushReport, push

from pipeline.errors import LabelStudioError, StoreError
from pipeline.label_studio.files import ServedFiles
from pipeline.records import (
    WHOLE_FRAME,
    DetectionRecord,
    ImageRecord,
    ModelRecord,
    PredictionRecord,
    ProjectRecord,
    TaskRecord,
    utc_now,
)
from pipeline.store import categories, detections, images, models, predictions, projects, tasks
from pipeline.store.database import Database
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import make_workspace

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

PROJECT = 7


@pytest.fixture
def served(tmp_path: Any) -> ServedFiles:
    return ServedFiles(root=tmp_path, below="my data")


@pytest.fixture
def store(database: Database) -> Database:
    """A project and twelve detections on one photograph, ten of them with a crop."""
    with database.write() as conn:
        projects.save(conn, ProjectRecord(id=PROJECT, title="Park", embedder="e"))
        categories.ensure(conn, ["deer", "fox"])
        noon = dt.datetime(2024, 6, 3, 12, 0, 5)
        images.add(
            conn, [ImageRecord(id="i", file_name="a/i.jpg", path="/a/i.jpg", location="A", datetime=noon)]
        )
        detections.add(conn, [detection(number) for number in range(12)])
    return database


def detection(number: int) -> DetectionRecord:
    crop = f"crops/{number:02}.jpg" if number < 10 else None
    return DetectionRecord(
        id=f"d{number:02}", image_id="i", box=WHOLE_FRAME, bbox_confidence=0.9, detector="t", crop_path=crop
    )


@pytest.fixture
def server() -> FakeLabelStudio:
    return FakeLabelStudio(PROJECT)


def published(store: Database, server: FakeLabelStudio, served: ServedFiles, calls: int = 4) -> PublishReport:
    workspace = make_workspace(store, served.root / served.below)
    return publish(workspace, server, PROJECT, call_tasks=calls)


def pushed(store: Database, server: FakeLabelStudio, **options: Any) -> PushReport:
    return push(make_workspace(store, Path()), server, PROJECT, **options)


def activate(store: Database, version: str, queue: Sequence[str], *, head: bool = True) -> None:
    """Make the version current, with these detections as its queue."""
    record = ModelRecord(
        version=version,
        project_id=PROJECT,
        embedder="e",
        digest=version,
        labels=5,
        path=None,
        created_at=utc_now(),
    )
    rows = [
        PredictionRecord(
            detection_id=detection_id,
            rank=rank,
            score=rank / 100,
            category_id=rank % 3 if head else None,
            probability=0.5 if head else None,
        )
        for rank, detection_id in enumerate(queue)
    ]
    with store.write() as conn:
        models.activate(conn, record, rows)


@pytest.mark.both_databases
def test_every_crop_gets_one_task_in_calls_of_limited_size(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    report = published(store, server, served)
    assert (report.published, report.total, server.imports) == (10, 10, [4, 4, 2])
    with store.read() as conn:
        stored = tasks.by_task(conn, PROJECT, server.data)
    assert stored == {number: data["detection_id"] for number, data in server.data.items()}


def test_a_task_shows_crop_frame_location_time_and_file(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    assert next(iter(server.data.values())) == {
        "detection_id": "d00",
        "crop": "/data/local-files/?d=my%20data/crops/00.jpg",
        "frame": "/data/local-files/?d=my%20data/crops/00.jpg",  # the crop, because there is no frame
        "location": "A",
        "datetime": "2024-06-03 12:00:05",
        "file_name": "a/i.jpg",
        "sequence": "",
        "bbox_confidence": 0.9,
    }


def test_a_second_run_publishes_only_new_crops(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    assert published(store, server, served).published == 0
    with store.write() as conn:
        detections.add(conn, [detection(5), DetectionRecord(**{**vars(detection(3)), "id": "new"})])
    assert published(store, server, served).published == 1
    assert len(server.data) == 11


@pytest.mark.both_databases
def test_a_kill_between_import_and_storing_the_tasks_publishes_nothing_twice(
    store: Database, server: FakeLabelStudio, served: ServedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        is_stored = iter([True, False])
        add = tasks.add

        def killed(*args: Any) -> int:
            if not next(is_stored):
                raise KeyboardInterrupt
            return add(*args)

        patch.setattr(tasks, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            published(store, server, served)
    report = published(store, server, served)
    assert (report.recovered, report.published, len(server.data)) == (4, 2, 10)
    assert len({data["detection_id"] for data in server.data.values()}) == 10


def test_tasks_deleted_in_label_studio_are_published_again(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    for number in list(server.data)[:3]:
        del server.rows[number]
    report = published(store, server, served)
    assert (report.vanished, report.published, report.total) == (3, 3, 10)


def test_tasks_of_others_in_the_project_are_not_changed(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    server.import_tasks(PROJECT, [{"crop": "/x.jpg"}, {"detection_id": "unknown"}, {"detection_id": "d00"}])
    report = published(store, server, served)
    assert (report.recovered, report.published, len(server.data)) == (1, 9, 12)


@pytest.mark.both_databases
def test_a_push_sends_the_queue_of_the_current_version(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    activate(store, "v1", ["d05", "d02", "d09"])
    report = pushed(store, server)
    assert (report.pushed, report.version) == (3, "v1")
    assert server.queue() == [("d05", 0.0), ("d02", 0.01), ("d09", 0.02)]
    first = server.predictions[0]
    assert first["result"][0]["value"] == {"choices": ["empty"]}
    assert first["result"][0]["score"] == 0.5


def test_a_version_without_head_pushes_an_order_and_no_categories(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    activate(store, "v0", ["d03", "d01"], head=False)
    pushed(store, server)
    assert server.queue() == [("d03", 0.0), ("d01", 0.01)]
    assert [each["result"] for each in server.predictions] == [[], []]


def test_a_second_push_sends_nothing(store: Database, server: FakeLabelStudio, served: ServedFiles) -> None:
    published(store, server, served)
    activate(store, "v1", ["d05", "d02"])
    pushed(store, server)
    before = list(server.predictions)
    assert pushed(store, server).pushed == 0
    assert server.predictions == before


def test_predictions_of_a_replaced_version_are_deleted_an_hour_later(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    server.clock = utc_now() - dt.timedelta(minutes=90)
    activate(store, "v1", ["d05", "d02"])
    pushed(store, server)
    server.clock = utc_now() - dt.timedelta(minutes=61)
    activate(store, "v2", ["d02", "d07"])
    assert pushed(store, server).removed == 2  # v1 was replaced more than an hour ago by that clock
    server.clock = utc_now()
    activate(store, "v3", ["d01"])
    assert pushed(store, server).removed == 0
    assert server.queue() == [("d01", 0.0)]
    assert set(server.prediction_versions(PROJECT)) == {"v2", "v3"}
    assert pushed(store, server, open_task=dt.timedelta(0)).removed == 2
    assert set(server.prediction_versions(PROJECT)) == {"v3"}


def test_predictions_of_other_programs_are_not_changed(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    number = next(iter(server.data))
    server.import_predictions(
        PROJECT, [{"task": number, "score": 9, "model_version": "speciesnet", "result": []}]
    )
    activate(store, "v1", ["d05"])
    pushed(store, server, open_task=dt.timedelta(0))
    assert set(server.prediction_versions(PROJECT)) == {"speciesnet", "v1"}


def test_an_interrupted_push_is_completed_without_repetitions(
    store: Database, server: FakeLabelStudio, served: ServedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(store, server, served)
    activate(store, "v1", ["d05", "d02"])
    with monkeypatch.context() as patch:
        patch.setattr(predictions, "mark_pushed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pushed(store, server)
    pushed(store, server)
    assert server.queue() == [("d05", 0.0), ("d02", 0.01)]


def test_a_version_that_becomes_current_again_has_only_its_new_queue(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    activate(store, "v1", ["d05", "d02"])
    pushed(store, server)
    activate(store, "v2", ["d01"])
    pushed(store, server)
    activate(store, "v1", ["d09"])
    pushed(store, server)
    assert server.queue() == [("d09", 0.0)]


def test_a_task_deleted_in_label_studio_does_not_stop_the_others(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    with store.read() as conn:
        del server.rows[tasks.by_detection(conn, PROJECT, ["d02"])["d02"]]
    activate(store, "v1", ["d05", "d02", "d09"])
    report = pushed(store, server)
    assert (report.pushed, report.missing) == (2, 1)
    assert [detection_id for detection_id, _ in server.queue()] == ["d05", "d09"]
    assert pushed(store, server).missing == 0  # not requested again by each push


def test_a_push_restores_the_projects_model_version(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    activate(store, "v1", ["d05"])
    pushed(store, server)
    server.fields["model_version"] = "Wildloop"  # as if somebody selects the live backend in Label Studio
    pushed(store, server)
    assert server.queue() == [("d05", 0.0)]


def test_a_push_without_a_version_is_an_error(store: Database, server: FakeLabelStudio) -> None:
    with pytest.raises(StoreError, match="no model version yet"):
        pushed(store, server)


@pytest.mark.both_databases
def test_numbers_of_categories_never_change_and_empty_is_0(database: Database) -> None:
    with database.write() as conn:
        assert categories.ensure(conn, ["Red Fox", "deer"]) == {"empty": 0, "red fox": 1, "deer": 2}
        assert categories.ensure(conn, ["lynx", "deer", "empty"]) == {"empty": 0, "lynx": 3, "deer": 2}
        assert categories.names(conn) == {0: "empty", 1: "red fox", 2: "deer", 3: "lynx"}


@pytest.mark.both_databases
def test_saving_a_project_again_keeps_its_embedder_current_version_and_watermark(store: Database) -> None:
    activate(store, "v1", [])
    moment = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    with store.write() as conn:
        projects.move_watermark(conn, PROJECT, former=None, new=moment, synced_at=moment)
        projects.save(conn, ProjectRecord(id=PROJECT, title="Forest", embedder="other"))
        saved = projects.get(conn, PROJECT)
        assert (saved.title, saved.embedder) == ("Forest", "e")
        assert (saved.current_model, saved.watermark, saved.synced_at) == ("v1", moment, moment)
        assert projects.all(conn) == [saved]
        with pytest.raises(StoreError, match="no project 8"):
            projects.get(conn, 8)


@pytest.mark.both_databases
def test_tasks_are_found_by_detection_and_by_id_and_can_be_removed(store: Database) -> None:
    rows = [TaskRecord(project_id=PROJECT, detections=(f"d0{n}",), task_id=n + 1) for n in range(3)]
    with store.write() as conn:
        assert tasks.add(conn, rows) == 3
        assert tasks.add(conn, rows) == 0
        assert tasks.by_detection(conn, PROJECT, ["d01", "d09"]) == {"d01": 2}
        assert tasks.by_task(conn, PROJECT, [3, 99]) == {3: "d02"}
        assert tasks.by_task(conn, 8, [3]) == {}
        assert tasks.some_shown(conn, PROJECT, 2) == [(3, "crops/02.jpg"), (2, "crops/01.jpg")]
        assert tasks.remove(conn, PROJECT, [1, 99]) == 1
        assert sorted(tasks.ids(conn, PROJECT)) == [2, 3]
        assert (tasks.count(conn, PROJECT), tasks.unpublished_count(conn, PROJECT)) == (2, 8)


def test_published_tasks_follow_label_studio_to_another_path(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    by_hand = {"crop": "https://example.org/a.jpg", "frame": ""}
    server.add_task(900, dict(by_hand))
    server.path = "/label"
    report = published(store, server, served)
    assert (report.mended, report.published, server.changes) == (10, 0, [10, 10])  # crops, then frames
    for number, data in server.data.items():
        if number != 900:
            assert data["crop"].startswith("/label/data/local-files/?d=my%20data/crops/")
            assert data["frame"].startswith("/label/data/local-files/?d=my%20data/crops/")
    assert server.data[900] == by_hand
    assert published(store, server, served).mended == 0
    server.path = ""
    assert published(store, server, served).mended == 10
    assert next(iter(server.data.values()))["crop"] == "/data/local-files/?d=my%20data/crops/00.jpg"


def test_published_tasks_show_the_location_that_a_later_import_found(
    store: Database, server: FakeLabelStudio, served: ServedFiles
) -> None:
    published(store, server, served)
    with store.write() as conn:
        images.add(conn, [replace(images.get(conn, ["i"])["i"], location="Ridge (north)")])
        projects.mend_tasks(conn)
    server.add_task(900, {"location": "A"})
    report = published(store, server, served)
    assert (report.mended, server.changes) == (10, [10])
    assert {data["location"] for data in server.data.values()} == {"Ridge (north)", "A"}
    assert published(store, server, served).mended == 0


def test_a_location_that_changes_while_tasks_are_mended_is_mended_by_the_next_publication(
    store: Database, server: FakeLabelStudio, served: ServedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(store, server, served)
    replace_in_tasks = server.replace_in_tasks

    def after_an_import(*arguments: Any, **options: Any) -> None:
        with store.write() as conn:
            images.add(conn, [replace(images.get(conn, ["i"])["i"], location="Ridge")])
            projects.mend_tasks(conn)
        replace_in_tasks(*arguments, **options)

    server.path = "/label"
    monkeypatch.setattr(server, "replace_in_tasks", after_an_import)
    published(store, server, served)
    monkeypatch.undo()
    assert published(store, server, served).mended == 10
    assert {data["location"] for data in server.data.values()} == {"Ridge"}
    assert published(store, server, served).mended == 0


def test_an_interrupted_change_of_addresses_is_completed(
    store: Database, server: FakeLabelStudio, served: ServedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(store, server, served)
    server.path = "/label"
    change = server.replace_in_tasks

    def once(project_id: int, task_ids: Sequence[int], field: str, **words: str) -> None:
        change(project_id, task_ids[:3], field, **words)
        raise LabelStudioError("the connection broke")

    monkeypatch.setattr(server, "replace_in_tasks", once)
    with pytest.raises(LabelStudioError):
        published(store, server, served)
    monkeypatch.setattr(server, "replace_in_tasks", change)
    published(store, server, served)
    addresses = [data[field] for data in server.data.values() for field in ("crop", "frame")]
    assert all(address.startswith("/label/data/") for address in addresses)
