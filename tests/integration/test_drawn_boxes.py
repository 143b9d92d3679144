"""Boxes that people draw or move: detections with a crop and a vector, which go with their annotation."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from backend.webhook import receive
from pipeline import jobs
from pipeline.embedders import load
from pipeline.exporters.source import Basis
from pipeline.records import DetectionRecord, RunKind, TaskKind, TaskRecord
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.embedding.embed import embed
from pipeline.steps.labelling import frames
from pipeline.steps.labelling.boxes import cut_drawn
from pipeline.steps.labelling.sync import reset_watermark, sync
from pipeline.steps.operations.status import status
from pipeline.store import audits, candidates, categories, embeddings, oracle, runs, schema, tasks
from pipeline.store.database import Database
from tests.helpers.called_empty import PROJECT, Json, Survey, box, drawn, survey
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.results import chose

pytestmark = pytest.mark.one_database  # rules; the marked tests run the SQL on both

NAME, TASK = "site/animal.jpg", 7
DEER = chose("species_0", "deer")


@pytest.fixture
def made(database: Database, tmp_path: Path) -> Survey:
    """A photograph with an animal at 10% to 40% of its width and height, and a task that asks about it."""
    made = survey(database, tmp_path)
    made.add(NAME, found=[box()])
    ask_alone(made, TASK, made.boxes(NAME)[0].id)
    return made


def ask_alone(made: Survey, number: int, detection_id: str) -> None:
    made.server.add_task(number, {"kind": "single", "purpose": "queue", "detections": [detection_id]})
    with made.workspace.database.write() as conn:
        tasks.add(conn, [TaskRecord(project_id=PROJECT, task_id=number, detections=(detection_id,))])


def by_detector(made: Survey, name: str = NAME) -> DetectionRecord:
    [found] = [each for each in made.boxes(name) if each.detector != "label-studio"]
    return found


def by_people(made: Survey, name: str = NAME) -> list[DetectionRecord]:
    return [each for each in made.boxes(name) if each.detector == "label-studio"]


def labels(made: Survey) -> dict[str, str]:
    """The label of each crop or box that counts, by detection id."""
    source = StoreExport(made.workspace, None)
    return {
        each.record.id: each.answer.category or each.answer.basis.value
        for photograph in source.photographs()
        for each in photograph.detections
    }


def open_runs(made: Survey) -> list[RunKind]:
    with made.workspace.database.read() as conn:
        return [run.kind for run in runs.open_runs(conn, PROJECT)]


def moved(x: float, y: float, width: float = 30, height: float = 30) -> Json:
    return drawn(x, y, width, height, origin="prediction-changed")


def test_a_moved_box_replaces_the_one_of_the_detector_and_has_the_species(made: Survey) -> None:
    made.server.submit(TASK, [DEER, moved(20, 15)])
    [new] = by_people(made)
    former = by_detector(made)
    assert former.replaced_by == new.id
    assert (new.bbox_confidence, new.replaced_by) == (None, None)
    assert (new.box.x1, new.box.y1) == pytest.approx((0.2, 0.15))
    assert labels(made) == {new.id: "deer"}
    assert RunKind.EMBED in open_runs(made)


@pytest.mark.both_databases
def test_its_crop_is_cut_and_embedded_and_it_joins_the_pool(made: Survey) -> None:
    made.server.submit(TASK, [DEER, moved(20, 15)])
    assert status(made.workspace).uncut == 1
    with made.workspace.database.read() as conn:
        assert candidates.count(conn) == 0
    embedder = load("descriptor", data_dir=made.workspace.data_dir)
    assert embed(made.workspace, embedder).embedded == 1
    [new] = by_people(made)
    for path in (new.crop_path, new.frame_path):
        with Image.open(made.workspace.data_dir / str(path)) as picture:
            picture.load()
    with made.workspace.database.read() as conn:
        assert candidates.count(conn) == 1
        assert oracle.labels(conn) == {new.id: categories.numbers(conn)["deer"]}
        assert list(embeddings.vectors(conn, embedder.id, [new.id])) == [new.id]
    assert status(made.workspace).uncut == 0
    assert embed(made.workspace, embedder).embedded == 0


def test_a_box_that_hardly_moved_is_no_new_one(made: Survey) -> None:
    made.server.submit(TASK, [DEER, moved(10.5, 10.9)])  # under two of 160 x 120 pixels
    assert by_people(made) == []
    assert labels(made) == {by_detector(made).id: "deer"}
    assert RunKind.EMBED not in open_runs(made)


@pytest.mark.parametrize(
    "stray",
    [drawn(50, 50, 0, 10), drawn(50, 50, 0.5, 0.5), drawn(120, 10), drawn(-50, 10, 40, 10)],
    ids=["without area", "a click", "outside, right", "outside, left"],
)
def test_what_is_hardly_a_box_is_none(made: Survey, stray: Json) -> None:
    made.server.submit(TASK, [DEER, stray])
    assert by_people(made) == []
    assert labels(made) == {by_detector(made).id: "deer"}


def test_a_box_beyond_the_edge_ends_there(made: Survey) -> None:
    made.server.submit(TASK, [DEER, drawn(90, 80, 30, 30)])
    [new] = by_people(made)
    assert (new.box.x2, new.box.y2) == (1.0, 1.0)
    assert cut_drawn(made.workspace).cut == 1


def test_a_second_animal_has_the_species_and_the_first_stays(made: Survey) -> None:
    made.server.submit(TASK, [DEER, chose("count_0", "2"), drawn(60, 60)])
    [new] = by_people(made)
    assert labels(made) == {by_detector(made).id: "deer", new.id: "deer"}
    with made.workspace.database.read() as conn:
        [entry] = oracle.histories(conn, [new.id])[new.id]
        [of_crop] = oracle.histories(conn, [by_detector(made).id])[by_detector(made).id]
    assert entry.annotation_uid == of_crop.annotation_uid
    assert (of_crop.attributes or {})["count"] == 2
    assert not entry.attributes  # were said of the other


@pytest.mark.parametrize(
    "said",
    [[chose("species_0", "empty")], [DEER, chose("also_0", "fox")], []],
    ids=["of an empty crop", "of several species", "of a crop without an answer"],
)
def test_a_second_animal_whose_species_nobody_said_waits_to_be_asked_alone(
    made: Survey, said: list[Json]
) -> None:
    made.server.submit(TASK, [*said, drawn(60, 60)])
    [new] = by_people(made)
    cut_drawn(made.workspace)
    assert labels(made)[new.id] == "none"
    with made.workspace.database.read() as conn:
        assert new.id in candidates.waiting_ids(conn)


def test_a_box_that_is_drawn_anew_around_the_same_animal_replaces_it(made: Survey) -> None:
    made.server.submit(TASK, [DEER, drawn(14, 10)])
    [new] = by_people(made)
    assert by_detector(made).replaced_by == new.id


def test_a_webhook_and_a_sync_of_the_same_annotation_make_one_box(made: Survey) -> None:
    made.server.submit(TASK, [DEER, moved(20, 15)])
    before = labels(made)
    reset_watermark(made.workspace, PROJECT)
    assert sync(made.workspace, made.server, PROJECT).new == 0
    assert sync(made.workspace, made.server, PROJECT).new == 0
    assert made.server.exported == []  # nothing differs
    assert labels(made) == before


def test_a_sync_brings_a_box_whose_webhook_was_lost(made: Survey) -> None:
    made.server.webhook = None
    made.server.submit(TASK, [DEER, moved(20, 15)])
    assert by_people(made) == []
    sync(made.workspace, made.server, PROJECT)
    [new] = by_people(made)
    assert labels(made) == {new.id: "deer"}


def test_a_box_goes_with_its_annotation_and_the_former_one_stands_again(made: Survey) -> None:
    annotation = made.server.submit(TASK, [DEER, moved(20, 15)])
    [new] = by_people(made)
    cut_drawn(made.workspace)
    made.server.delete(annotation)
    assert by_detector(made).replaced_by is None
    [new] = by_people(made)
    assert new.replaced_by == new.id  # marked, not deleted
    assert labels(made) == {by_detector(made).id: "none"}
    with made.workspace.database.read() as conn:
        assert candidates.waiting_ids(conn) == [by_detector(made).id]


@pytest.mark.both_databases
def test_an_updated_annotation_moves_its_box_again(made: Survey) -> None:
    annotation = made.server.submit(TASK, [DEER, moved(20, 15)])
    made.server.update(annotation, [DEER, moved(50, 50)])
    first, second = sorted(by_people(made), key=lambda each: each.box.x1)
    assert first.replaced_by == first.id
    assert by_detector(made).replaced_by == second.id
    assert labels(made) == {second.id: "deer"}
    made.server.update(annotation, [DEER])
    assert labels(made) == {by_detector(made).id: "deer"}
    made.server.update(annotation, [DEER, moved(20, 15)])  # as at first
    assert len(by_people(made)) == 2
    assert labels(made) == {first.id: "deer"}


def test_a_late_webhook_of_an_earlier_state_takes_no_box_away(made: Survey) -> None:
    events: list[Json] = []
    made.server.webhook = events.append
    annotation = made.server.submit(TASK, [DEER])
    made.server.update(annotation, [DEER, moved(20, 15)])
    created, updated = events
    for event in (updated, created):
        receive(made.workspace, event, lambda _: None)
    [new] = by_people(made)
    assert labels(made) == {new.id: "deer"}


@pytest.mark.both_databases
def test_two_people_who_draw_around_one_animal_make_one_box(made: Survey) -> None:
    first = made.server.submit(TASK, [DEER, drawn(60, 60)], by=1)
    second = made.server.submit(TASK, [DEER, drawn(62, 61)], by=2)
    [new] = by_people(made)
    with made.workspace.database.read() as conn:
        assert {entry.annotator for entry in oracle.histories(conn, [new.id])[new.id]} == {"1", "2"}
    made.server.delete(first)
    assert by_people(made)[0].replaced_by is None  # the other still says so
    made.server.delete(second)
    assert by_people(made)[0].replaced_by == new.id


def test_whoever_draws_around_an_animal_that_has_a_box_labels_that(made: Survey) -> None:
    made.add("two.jpg", found=[box(), box(x=0.6, y=0.6)])
    first, second = sorted(made.boxes("two.jpg"), key=lambda each: each.box.x1)
    ask_alone(made, 8, first.id)
    made.server.submit(8, [DEER, drawn(58, 60)])
    assert by_people(made, "two.jpg") == []
    assert labels(made)[second.id] == "deer"


def test_a_box_that_somebody_labelled_alone_stays_when_its_author_takes_it_back(made: Survey) -> None:
    annotation = made.server.submit(TASK, [DEER, drawn(60, 60)])
    [new] = by_people(made)
    ask_alone(made, 8, new.id)
    made.server.submit(8, [chose("species_0", "fox")], by=2)
    made.server.delete(annotation)
    assert labels(made) == {by_detector(made).id: "none", new.id: "fox"}


def test_a_box_that_was_redrawn_can_be_redrawn_again(made: Survey) -> None:
    made.server.submit(TASK, [DEER, moved(20, 15)])
    [first] = by_people(made)
    ask_alone(made, 8, first.id)
    annotation = made.server.submit(8, [DEER, moved(25, 15)], by=2)
    [second] = [each for each in by_people(made) if each.id != first.id]
    assert labels(made) == {second.id: "deer"}
    made.server.delete(annotation)
    assert labels(made) == {first.id: "deer"}


@pytest.mark.both_databases
def test_a_redrawn_crop_of_the_audit_stays_in_it(made: Survey) -> None:
    with made.workspace.database.write() as conn:
        audits.draw(conn, PROJECT, [by_detector(made).id], 1, requested=True)
    annotation = made.server.submit(TASK, [DEER, moved(20, 15)])
    cut_drawn(made.workspace)
    [new] = by_people(made)
    with made.workspace.database.read() as conn:
        assert audits.sample(conn, PROJECT).labelled == (new.id,)
        assert audits.label_count(conn, PROJECT) == 1
    made.server.delete(annotation)
    with made.workspace.database.read() as conn:
        assert audits.sample(conn, PROJECT).requested == (by_detector(made).id,)


def test_a_photograph_that_is_gone_keeps_the_label_and_is_told(made: Survey) -> None:
    data = (made.root / NAME).read_bytes()
    (made.root / NAME).unlink()
    made.server.submit(TASK, [DEER, moved(20, 15)])
    report = cut_drawn(made.workspace)
    assert (report.cut, report.failed) == (0, ((NAME, "missing: no such file"),))
    assert status(made.workspace).uncut == 1
    assert list(labels(made).values()) == ["deer"]
    put(made.root / NAME, encoded(scene(seed=5)))
    assert "changed" in cut_drawn(made.workspace).failed[0][1]
    put(made.root / NAME, data)
    assert cut_drawn(made.workspace).cut == 1


def test_a_missed_animal_joins_the_pool_and_is_asked_about_first(made: Survey) -> None:
    made.add("empty.jpg")
    frames.draw(made.workspace, 1)
    [board] = frames.ask_due(made.workspace, made.server, PROJECT)
    made.server.submit(
        board.task_id, [chose("all_suggested_0", "empty"), chose("struck_0", board.detections[0])]
    )
    [alone] = frames.ask_due(made.workspace, made.server, PROJECT)
    assert alone.kind is TaskKind.FRAME
    annotation = made.server.submit(alone.task_id, [drawn(10, 20), drawn(60, 20)])
    two = by_people(made, "empty.jpg")
    assert len(two) == 2
    assert cut_drawn(made.workspace).cut == 2
    with made.workspace.database.read() as conn:
        struck = {id_ for id_, label in oracle.undecided(conn, PROJECT).items() if label.verdict == "struck"}
        assert {each.id for each in two} <= struck & set(candidates.waiting_ids(conn))
    source = StoreExport(made.workspace, None)
    [photograph] = [each for each in source.photographs() if each.image.file_name == "empty.jpg"]
    assert [each.answer.basis for each in photograph.detections] == [Basis.NONE, Basis.NONE]
    made.server.update(annotation, [chose("photo_empty_0", "no animal")])
    assert all(each.replaced_by == each.id for each in by_people(made, "empty.jpg"))


def test_the_run_that_a_box_requests_embeds_it(made: Survey) -> None:
    embedder = load("descriptor", data_dir=made.workspace.data_dir)
    with made.workspace.database.write() as conn:
        embeddings.register(conn, embedder)
        conn.execute(sa.update(schema.project).values(embedder=embedder.id))
    made.server.submit(TASK, [DEER, moved(20, 15)])
    run = jobs.run_now(made.workspace, PROJECT, RunKind.EMBED, trigger="labels")
    assert run.error is None
    assert run.result["embedded"] == 1
