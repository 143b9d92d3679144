"""The stock: what Label Studio asks people, topped up, and never taken from under anybody's hands."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline import jobs
from pipeline.label_studio.screen import controls
from pipeline.records import AnnotationRecord, Purpose, RunKind, TaskKind, TaskRecord, Verdict, utc_now
from pipeline.steps.labelling import stock as stock_step
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.parking import GRACE, delete_parked, park
from pipeline.steps.labelling.record import forget_tasks
from pipeline.steps.labelling.refresh import activate, refill, refresh
from pipeline.steps.labelling.stock import StockReport, is_low, top_up
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.accept import accept
from pipeline.steps.learning.audit import draw
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.operations.status import ProjectStatus, status
from pipeline.store import oracle, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.annotations import record
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import (
    PROJECT,
    SPECIES,
    detection,
    make_workspace,
    populate,
    species,
)
from tests.helpers.results import chose

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

CROPS, QUEUE, STOCK = 120, 10, 40


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    empty = FakeLabelStudio(PROJECT, species=SPECIES)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: empty)
    return empty


@pytest.fixture(autouse=True)
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every crop is asked about alone, except in tests of groups."""
    if "in_groups" not in request.node.name:
        monkeypatch.setattr(stock_step, "plan_groups", lambda _workspace, _project, planned: planned)


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """120 crops of which Label Studio may hold 40, and a queue of ten."""
    populate(database, CROPS, asked=False, options={"stock": STOCK})
    return make_workspace(
        database, tmp_path / "data", retrain_every=5, top_k=QUEUE, label_studio_api_key="key"
    )


@pytest.fixture
def whole(database: Database, tmp_path: Path) -> Workspace:
    """Thirty crops, all of which Label Studio may hold, and a queue of ten."""
    populate(database, 30, asked=False)
    return make_workspace(
        database, tmp_path / "data", retrain_every=5, top_k=QUEUE, label_studio_api_key="key"
    )


def topped(workspace: Workspace, server: FakeLabelStudio, **options: Any) -> StockReport:
    return top_up(workspace, server, PROJECT, **options)


def started(workspace: Workspace, server: FakeLabelStudio) -> StockReport:
    cold_start(workspace, PROJECT)
    return topped(workspace, server)


def answer(workspace: Workspace, server: FakeLabelStudio, task: int, *, by: int = 1) -> None:
    """A person answers a single by its true species; the webhook is lost, a sync reads it."""
    server.submit(task, [chose(controls.SPECIES, truth(server, task))], by=by)
    sync(workspace, server, PROJECT)


def truth(server: FakeLabelStudio, task: int) -> str:
    return species(int(server.shows(task).removeprefix("d")))


def labelled(workspace: Workspace) -> set[str]:
    with workspace.database.read() as conn:
        return set(oracle.labels(conn))


def stock(workspace: Workspace) -> list[TaskRecord]:
    with workspace.database.read() as conn:
        return tasks.open_tasks(conn, PROJECT)


def told(workspace: Workspace) -> ProjectStatus:
    [project] = status(workspace).projects
    return project


def label_next(workspace: Workspace, server: FakeLabelStudio, number: int) -> None:
    """A person answers the next `number` tasks of the label stream."""
    for _ in range(number):
        task = server.next_task()
        assert task is not None
        server.submit(task, [chose(controls.SPECIES, truth(server, task))])
    sync(workspace, server, PROJECT)


def test_a_small_project_is_in_label_studio_whole_its_queue_first(
    whole: Workspace, server: FakeLabelStudio
) -> None:
    report = started(whole, server)
    assert (report.asked, report.open, report.complete) == (30, 30, True)
    assert Counter(server.shows(task) for task in server.rows) == Counter(detection(n) for n in range(30))
    queued = [crop for crop, _ in server.queue()]
    assert len(queued) == QUEUE
    served = []
    while (task := server.next_task()) is not None:
        served.append(server.shows(task))
        server.annotate(task, "deer")
    assert served[:QUEUE] == queued
    assert sorted(served) == [detection(n) for n in range(30)]


def test_of_a_large_pool_label_studio_holds_the_stock_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    assert started(workspace, server).open == STOCK
    assert len(server.rows) == STOCK
    label_next(workspace, server, 4)
    assert topped(workspace, server).asked == 4
    assert len(stock(workspace)) == STOCK
    assert max(Counter(crop for task in stock(workspace) for crop in task.detections).values()) == 1


def test_a_second_top_up_changes_nothing(workspace: Workspace, server: FakeLabelStudio) -> None:
    started(workspace, server)
    before = [dict(row) for row in server.rows.values()], list(server.predictions)
    report = topped(workspace, server)
    assert (report.asked, report.parked, report.deleted, report.recovered) == (0, 0, 0, 0)
    assert before == ([dict(row) for row in server.rows.values()], server.predictions)


def test_crops_without_a_vector_are_asked_in_no_order(
    database: Database, server: FakeLabelStudio, tmp_path: Path
) -> None:
    populate(database, 30, asked=False)
    with database.write() as conn:
        conn.exec_driver_sql("DELETE FROM embedding")
    report = topped(make_workspace(database, tmp_path / "data"), server)
    assert (report.version, report.open, server.queue()) == (None, 30, [])


def test_after_a_training_the_next_tasks_show_the_new_version(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    started(workspace, server)
    label_next(workspace, server, 8)
    done = refresh(workspace, PROJECT)
    assert server.model_version == done.record.version
    assert len(server.queue()) == QUEUE
    for _ in range(QUEUE):
        task = server.next_task()
        assert task is not None
        data = server.rows[task]["data"]
        assert data["version"] == done.record.version
        if data["purpose"] == Purpose.QUEUE:
            assert [choice for choice in data["single"][0]["choices"] if choice["value"] in SPECIES]
        server.submit(task, [chose(controls.SPECIES, truth(server, task))])
    assert len(stock(workspace)) == STOCK


def test_a_crop_is_in_the_stream_once_whatever_versions_asked_about_it(
    whole: Workspace, server: FakeLabelStudio
) -> None:
    started(whole, server)
    for _ in range(3):
        label_next(whole, server, 6)
        refresh(whole, PROJECT)
    in_stream = Counter(server.shows(task) for task in server.tasks_in_stream(PROJECT))
    assert set(in_stream.values()) == {1}
    assert set(in_stream) == {detection(n) for n in range(30)} - labelled(whole)
    assert not server.deleted


def test_a_crop_is_in_the_stream_once_also_in_groups(whole: Workspace, server: FakeLabelStudio) -> None:
    started(whole, server)
    for _ in range(3):
        task = server.next_task()
        assert task is not None
        data = server.rows[task]["data"]
        control = controls.SPECIES if data["single"] else controls.ALL
        server.submit(task, [chose(control, truth(server, task))])
        sync(whole, server, PROJECT)
        refresh(whole, PROJECT)
    data = [server.rows[task]["data"] for task in server.tasks_in_stream(PROJECT)]
    in_stream = Counter(crop for each in data for crop in each["detections"])
    assert any(each["group"] for each in data)
    assert set(in_stream.values()) == {1}
    assert set(in_stream) == {detection(n) for n in range(30)} - labelled(whole)


def trained(workspace: Workspace, server: FakeLabelStudio) -> str:
    """The first version, learned from the first labels."""
    started(workspace, server)
    label_next(workspace, server, 20)
    return refresh(workspace, PROJECT).record.version


def by_training(workspace: Workspace, _server: FakeLabelStudio) -> None:
    refresh(workspace, PROJECT)


def by_audit(workspace: Workspace, server: FakeLabelStudio) -> None:
    draw(workspace, PROJECT, 10)
    refill(workspace, PROJECT, server.model_version)


def by_acceptance(workspace: Workspace, server: FakeLabelStudio) -> None:
    draw(workspace, PROJECT, 30)
    refill(workspace, PROJECT, server.model_version)
    label_next(workspace, server, 25)
    report = accept(workspace, PROJECT, precision=0.6, confidence=0.6)
    assert report.settled
    refill(workspace, PROJECT, report.version)


def by_activation(workspace: Workspace, server: FakeLabelStudio) -> None:
    former = server.model_version
    label_next(workspace, server, 6)
    refresh(workspace, PROJECT)
    activate(workspace, PROJECT, former)


@pytest.mark.parametrize("change", [by_training, by_audit, by_acceptance, by_activation])
def test_whoever_opened_a_task_before_a_change_can_still_submit_it(
    workspace: Workspace, server: FakeLabelStudio, change: Callable[[Workspace, FakeLabelStudio], None]
) -> None:
    trained(workspace, server)
    opened = server.next_task(by=2)
    assert opened is not None
    crop = server.shows(opened)
    label_next(workspace, server, 5)
    predictions = [each for each in server.predictions if each["task"] == opened]
    change(workspace, server)
    topped(workspace, server)
    assert [each for each in server.predictions if each["task"] == opened][: len(predictions)] == predictions
    before = labelled(workspace) - {crop}
    answer(workspace, server, opened, by=2)
    assert labelled(workspace) == before | {crop}
    with workspace.database.read() as conn:
        votes = [each for each in oracle.histories(conn, [crop])[crop] if each.annotator == "2"]
    assert len(votes) == 1
    topped(workspace, server)
    assert crop not in {server.shows(task) for task in server.tasks_in_stream(PROJECT)}


def test_accepted_crops_leave_the_stream_and_nothing_but_the_queue_is_asked(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    trained(workspace, server)
    by_acceptance(workspace, server)
    queued = {crop for crop, _ in server.queue()}
    assert {server.shows(task) for task in server.tasks_in_stream(PROJECT)} == queued
    while (task := server.next_task()) is not None:
        server.submit(task, [chose(controls.SPECIES, truth(server, task))])
    sync(workspace, server, PROJECT)
    for _ in range(30):
        if not topped(workspace, server).open:
            break
        label_next(workspace, server, 1)
    assert told(workspace).done
    assert len(labelled(workspace)) < CROPS


def test_two_people_never_get_the_same_task(workspace: Workspace, server: FakeLabelStudio) -> None:
    started(workspace, server)
    first, second = server.next_task(by=1), server.next_task(by=2)
    label_next(workspace, server, 3)
    topped(workspace, server)
    assert first != second
    assert server.next_task(by=2) == second


def test_a_crop_labelled_elsewhere_leaves_the_stream(workspace: Workspace, server: FakeLabelStudio) -> None:
    started(workspace, server)
    task, other = stock(workspace)[3], stock(workspace)[4]
    asked = PlannedTask(
        kind=TaskKind.BOARD,
        purpose=Purpose.SUGGESTION,
        detections=task.detections,
        score=-3,
        suggested=0,
        reason="like an example",
    )
    [board] = ask(workspace, server, PROJECT, [asked], version=server.model_version)
    server.submit(board.task_id, [chose(controls.ALL, "deer")])
    sync(workspace, server, PROJECT)
    report = topped(workspace, server)
    assert report.parked == 1
    assert task.task_id not in server.tasks_in_stream(PROJECT)
    assert other.task_id in server.tasks_in_stream(PROJECT)


def test_what_was_struck_out_comes_next_and_alone(workspace: Workspace, server: FakeLabelStudio) -> None:
    trained(workspace, server)
    crops = [task.detections[0] for task in stock(workspace)][-4:]
    planned = PlannedTask(
        kind=TaskKind.BOARD, purpose=Purpose.QUEUE, detections=tuple(crops), score=0.0, suggested=1
    )
    [board] = ask(workspace, server, PROJECT, [planned], version=server.model_version)
    result = [chose(controls.ALL, "deer"), chose(controls.STRUCK, crops[1])]
    server.submit(board.task_id, result)
    sync(workspace, server, PROJECT)
    assert is_low(workspace, PROJECT, complete=True)
    topped(workspace, server)
    assert not is_low(workspace, PROJECT, complete=True)
    task = server.next_task()
    assert task is not None
    assert (server.shows(task), server.rows[task]["data"]["kind"]) == (crops[1], TaskKind.SINGLE)
    answer(workspace, server, task)
    assert crops[1] in labelled(workspace)
    label_next(workspace, server, 8)
    refresh(workspace, PROJECT)
    assert crops[1] not in {server.shows(task) for task in server.tasks_in_stream(PROJECT)}


def test_what_was_struck_out_comes_next_also_with_a_label_of_a_machine(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    trained(workspace, server)
    crops = [task.detections[0] for task in stock(workspace)][-4:]
    weak = AnnotationRecord(
        project_id=None,
        detection_id=crops[1],
        annotation_uid="weak",
        annotation_id=None,
        task_id=None,
        annotator=None,
        verdict=Verdict.WEAK,
        label=1,
        annotated_at=utc_now(),
        source="classifier",
        confidence=0.9,
    )
    record(workspace.database, [weak])
    planned = PlannedTask(
        kind=TaskKind.BOARD, purpose=Purpose.QUEUE, detections=tuple(crops), score=0.0, suggested=1
    )
    [board] = ask(workspace, server, PROJECT, [planned], version=server.model_version)
    server.submit(board.task_id, [chose(controls.ALL, "deer"), chose(controls.STRUCK, crops[1])])
    sync(workspace, server, PROJECT)
    assert is_low(workspace, PROJECT, complete=True)
    topped(workspace, server)
    task = server.next_task()
    assert task is not None
    assert (server.shows(task), server.rows[task]["data"]["kind"]) == (crops[1], TaskKind.SINGLE)


def test_what_somebody_asked_for_stays_first_through_versions(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    trained(workspace, server)
    crop = sorted(labelled(workspace))[0]
    planned = PlannedTask(
        kind=TaskKind.SINGLE, purpose=Purpose.CONFIRMATION, detections=(crop,), score=-2.5, details={"why": 1}
    )
    [asked] = ask(workspace, server, PROJECT, [planned], version=server.model_version)
    label_next(workspace, server, 0)
    server.locks[asked.task_id] = 9  # the expert has it open
    label_next(workspace, server, 6)
    server.locks.clear()
    refresh(workspace, PROJECT)
    assert server.next_task() == asked.task_id


def test_the_stream_ends_when_nothing_is_left_for_people(whole: Workspace, server: FakeLabelStudio) -> None:
    started(whole, server)
    assert not told(whole).done
    label_next(whole, server, 12)
    refresh(whole, PROJECT)
    label_next(whole, server, 18)
    assert server.next_task() is None
    report = topped(whole, server)
    assert report.is_done
    assert told(whole).done
    assert len(labelled(whole)) == 30


def test_the_next_training_never_wants_more_labels_than_there_will_be(
    whole: Workspace, server: FakeLabelStudio
) -> None:
    started(whole, server)
    label_next(whole, server, 27)
    refresh(whole, PROJECT)
    assert told(whole).labels_until_training == 3  # not 6, a fifth of 27
    label_next(whole, server, 2)
    assert told(whole).labels_until_training == 1
    label_next(whole, server, 1)
    assert told(whole).training_due


def test_a_used_up_queue_is_made_anew_without_a_training(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    started(workspace, server)
    for _ in range(QUEUE):
        task = server.next_task()
        assert task is not None
        server.submit(task, [chose(controls.SPECIES, "unsure")])
    sync(workspace, server, PROJECT)
    assert is_low(workspace, PROJECT, complete=False)
    topped(workspace, server)
    assert len(server.queue()) == QUEUE


def test_a_queue_longer_than_the_stock_comes_in_parts(
    database: Database, server: FakeLabelStudio, tmp_path: Path
) -> None:
    populate(database, CROPS, asked=False, options={"stock": 20})
    workspace = make_workspace(database, tmp_path / "data", top_k=50)
    assert started(workspace, server).open == 20
    first = [crop for crop, _ in server.queue()]
    label_next(workspace, server, 12)
    assert is_low(workspace, PROJECT, complete=True)
    topped(workspace, server)
    queue = [crop for crop, _ in server.queue()]
    assert len(queue) == 20
    assert queue[:8] == first[12:]


def test_crops_of_the_audit_are_asked_without_a_suggestion(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    trained(workspace, server)
    by_audit(workspace, server)
    for _ in range(10):
        task = server.next_task()
        assert task is not None
        assert server.rows[task]["data"]["purpose"] == Purpose.AUDIT
        [prediction] = [each for each in server.predictions if each["task"] == task]
        assert prediction["result"] == []
        assert -1 <= prediction["score"] < 0
        server.annotate(task, "deer")


def test_a_kill_between_creating_and_storing_tasks_asks_nothing_twice(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold_start(workspace, PROJECT)

    def killed(_: Any, records: Iterable[TaskRecord]) -> int:
        if list(records):
            raise KeyboardInterrupt
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            topped(workspace, server)
    assert len(server.rows) == QUEUE
    report = topped(workspace, server)
    assert report.recovered == QUEUE
    in_stream = Counter(server.shows(task) for task in server.tasks_in_stream(PROJECT))
    assert set(in_stream.values()) == {1}
    assert len(server.queue()) == QUEUE


def test_tasks_deleted_in_label_studio_are_asked_again(whole: Workspace, server: FakeLabelStudio) -> None:
    started(whole, server)
    for task in list(server.rows)[:3]:
        server.delete_task(task)
    topped(whole, server)
    in_stream = Counter(server.shows(task) for task in server.tasks_in_stream(PROJECT))
    assert in_stream == Counter(detection(n) for n in range(30))


def test_a_blank_answer_lets_the_crop_come_again(whole: Workspace, server: FakeLabelStudio) -> None:
    started(whole, server)
    task = server.next_task()
    assert task is not None
    crop = server.shows(task)
    server.annotate(task, None)
    sync(whole, server, PROJECT)
    topped(whole, server)
    assert crop in {server.shows(task) for task in server.tasks_in_stream(PROJECT)}


def test_tasks_of_others_in_the_project_stay_as_they_are(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.add_task(900, {"crop": "/x.jpg"})
    server.add_task(901, {"detections": ["unknown"]})
    started(workspace, server)
    topped(workspace, server)
    assert {900, 901} <= server.tasks_in_stream(PROJECT)


def test_the_version_that_label_studio_follows_is_put_right(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    started(workspace, server)
    version = server.model_version
    server.fields["model_version"] = "Wildloop"  # as if somebody selects the live backend in Label Studio
    topped(workspace, server)
    assert server.model_version == version


def old(workspace: Workspace) -> None:
    """Let the grace of all parked tasks have passed."""
    with workspace.database.write() as conn:
        moment = (utc_now() - GRACE).replace(tzinfo=None) - dt.timedelta(minutes=1)
        conn.exec_driver_sql(
            f"UPDATE task SET parked_at = '{moment:%Y-%m-%d %H:%M:%S.%f}' WHERE parked_at IS NOT NULL"
        )


def test_parked_tasks_are_deleted_once_nobody_can_have_them_open(
    whole: Workspace, server: FakeLabelStudio
) -> None:
    started(whole, server)
    server.webhook = lambda event: (
        forget_tasks(whole, PROJECT, [task["id"] for task in event["tasks"]])
        if event["action"] == "TASKS_DELETED"
        else None
    )
    label_next(whole, server, 6)
    refresh(whole, PROJECT)
    with whole.database.read() as conn:
        parked = [task.task_id for task in tasks.parked(conn, PROJECT, utc_now())]
    drafted, answered, skipped, *unused = parked
    server.drafts.add(drafted)
    answer(whole, server, answered)
    server.annotate(skipped, None, skip=True)
    settled = topped(whole, server)  # the later task of the crop that was answered, and the skipped one again
    assert (settled.parked, settled.deleted) == (1, 0)
    before = labelled(whole)
    old(whole)
    assert topped(whole, server).deleted == len(unused) + 1
    assert set(unused) < set(server.deleted)
    assert {drafted, answered, skipped} <= server.rows.keys()
    sync(whole, server, PROJECT)
    assert labelled(whole) == before
    assert not topped(whole, server).deleted


def test_the_newest_task_is_never_deleted_because_its_id_would_come_again(
    whole: Workspace, server: FakeLabelStudio
) -> None:
    started(whole, server)
    *_, second, newest = sorted(server.rows)
    park(whole, server, PROJECT, [second, newest])
    old(whole)
    delete_parked(whole, server, PROJECT)
    assert server.deleted == [second]


def test_tasks_show_the_address_at_which_label_studio_is_now(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    started(workspace, server)
    server.path = "/label"
    report = topped(workspace, server)
    assert report.asked == STOCK
    for task in server.tasks_in_stream(PROJECT):
        assert server.rows[task]["data"]["single"][0]["url"].startswith(
            "/label/data/local-files/?d=data/crops/"
        )
    assert len(server.queue()) == QUEUE
    assert topped(workspace, server).asked == 0


def test_suggestions_follow_the_choices_of_the_project(workspace: Workspace, server: FakeLabelStudio) -> None:
    trained(workspace, server)
    config = server.fields["label_config"]
    server.fields["label_config"] = config.replace('value="deer"', 'value="Deer"')
    topped(workspace, server)
    suggested = {
        server.rows[task]["data"]["species"]
        for task in server.tasks_in_stream(PROJECT)
        if server.rows[task]["data"]["version"] == server.model_version
    }
    assert "deer" not in suggested


def test_the_run_makes_the_first_order_before_anything_is_asked(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    assert jobs.run_now(workspace, PROJECT, RunKind.PUBLISH, trigger="command").result["stock"] is None
    assert not server.rows
    done = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
    assert done.result["stock"]["open"] == STOCK
    again = jobs.run_now(workspace, PROJECT, RunKind.PUBLISH, trigger="command").result
    assert again["stock"]["asked"] == 0


def test_answers_request_a_top_up_once_the_stock_is_low(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    started(workspace, server)
    assert jobs.top_up_if_low(workspace, PROJECT, trigger="labels") is None
    label_next(workspace, server, 9)
    assert jobs.top_up_if_low(workspace, PROJECT, trigger="labels") is None
    label_next(workspace, server, 12)
    requested = jobs.top_up_if_low(workspace, PROJECT, trigger="labels")
    assert requested is not None
    assert jobs.top_up_if_low(workspace, PROJECT, trigger="labels") == requested
