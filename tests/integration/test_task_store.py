"""Tasks, projects and categories as the store keeps them."""

from __future__ import annotations

import datetime as dt

import pytest

from pipeline.errors import StoreError
from pipeline.records import (
    WHOLE_FRAME,
    DetectionRecord,
    ImageRecord,
    ModelRecord,
    ProjectRecord,
    Purpose,
    TaskRecord,
    utc_now,
)
from pipeline.store import candidates, categories, detections, images, models, projects, tasks
from pipeline.store.database import Database

PROJECT = 7


@pytest.fixture
def store(database: Database) -> Database:
    """A project and twelve detections on one photograph, ten of them with a crop."""
    with database.write() as conn:
        projects.save(conn, ProjectRecord(id=PROJECT, title="Park", embedder="e"))
        images.add(conn, [ImageRecord(id="i", file_name="a/i.jpg", path="/a/i.jpg")])
        detections.add(conn, [detection(number) for number in range(12)])
    return database


def detection(number: int) -> DetectionRecord:
    crop = f"crops/{number:02}.jpg" if number < 10 else None
    return DetectionRecord(
        id=f"d{number:02}", image_id="i", box=WHOLE_FRAME, bbox_confidence=0.9, detector="t", crop_path=crop
    )


@pytest.mark.both_databases
def test_numbers_of_categories_never_change_and_empty_is_0(database: Database) -> None:
    with database.write() as conn:
        assert categories.ensure(conn, ["Red Fox", "deer"]) == {"empty": 0, "red fox": 1, "deer": 2}
        assert categories.ensure(conn, ["lynx", "deer", "empty"]) == {"empty": 0, "lynx": 3, "deer": 2}
        assert categories.names(conn) == {0: "empty", 1: "red fox", 2: "deer", 3: "lynx"}


@pytest.mark.both_databases
def test_saving_a_project_again_keeps_its_embedder_current_version_and_watermark(store: Database) -> None:
    record = ModelRecord(
        version="v1", project_id=PROJECT, embedder="e", digest="v1", labels=5, path=None, created_at=utc_now()
    )
    with store.write() as conn:
        models.activate(conn, record, [])
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
        assert tasks.count(conn, PROJECT) == 2
        assert candidates.unasked(conn, PROJECT, 3) == ["d00", "d03", "d04"]


@pytest.mark.both_databases
def test_a_task_is_open_until_it_is_answered_parked_or_deleted(store: Database) -> None:
    rows = [
        TaskRecord(project_id=PROJECT, detections=("d00", "d01"), task_id=1, model_version="v1", score=0.5),
        TaskRecord(project_id=PROJECT, detections=("d02",), task_id=2, purpose=Purpose.REVIEW, score=-1),
        TaskRecord(project_id=PROJECT, detections=("d03",), task_id=3),
        TaskRecord(project_id=PROJECT, detections=("d04",), task_id=4, model_version="v1"),
    ]
    with store.write() as conn:
        tasks.add(conn, rows)
        assert [task.task_id for task in tasks.open_tasks(conn, PROJECT)] == [1, 2, 3, 4]
        assert (tasks.first_count(conn, PROJECT), tasks.first_count(conn, PROJECT, "v1")) == (3, 1)
        assert candidates.unasked(conn, PROJECT, 2) == ["d05", "d06"]
        tasks.set_places(conn, PROJECT, "v2", {4: 0.25})
        assert tasks.first_count(conn, PROJECT, "v2") == 1
        tasks.set_answered(conn, PROJECT, {1: utc_now()})
        tasks.set_parked(conn, PROJECT, [3])
        tasks.set_deleted(conn, PROJECT, [4])
        assert [task.task_id for task in tasks.open_tasks(conn, PROJECT)] == [2]
        assert (tasks.open_count(conn, PROJECT), tasks.newest_id(conn, PROJECT)) == (1, 3)
        assert candidates.unasked(conn, PROJECT, 2) == ["d00", "d01"]
        assert [task.task_id for task in tasks.parked(conn, PROJECT, utc_now())] == [3]
        tasks.set_answered(conn, PROJECT, {1: None})
        assert tasks.open_count(conn, PROJECT) == 2
