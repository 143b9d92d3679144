"""The oracle on both databases: states are stored once, in any order, from any process."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from pipeline.records import AnnotationRecord, DetectionKind, Verdict, Way, utc_now
from pipeline.store import oracle
from pipeline.store.database import Database
from pipeline.store.schema import category, detection, image, project
from pipeline.store.schema import oracle as oracle_table
from tests.helpers.annotations import record

PROJECT = 7
DEER, FOX = 1, 2
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
DETECTIONS = [f"d{number}" for number in range(6)]


@pytest.fixture
def store(database: Database) -> Database:
    """Six detections, five of them with a crop."""
    with database.write() as conn:
        names = [{"id": 0, "name": "empty"}, {"id": DEER, "name": "deer"}, {"id": FOX, "name": "fox"}]
        conn.execute(sa.insert(category), names)
        conn.execute(
            sa.insert(image), [{"id": "i", "file_name": "i.jpg", "path": "i.jpg", "imported_at": NOON}]
        )
        box = {"bbox_X1": 0.0, "bbox_Y1": 0.0, "bbox_X2": 1.0, "bbox_Y2": 1.0}
        rows = [
            {"id": id_, "image_id": "i", "kind": 0, "detector": "t", "detector_category": "animal", **box}
            | {"crop_path": None if id_ == DETECTIONS[-1] else f"crops/{id_}.jpg"}
            for id_ in DETECTIONS
        ]
        conn.execute(sa.insert(detection), rows)
        conn.execute(sa.insert(project), [{"id": PROJECT, "title": "p", "embedder": "e", "created_at": NOON}])
    return database


def annotation(
    label: int | None = DEER,
    *,
    uid: str = "a",
    detection: str = "d0",
    minute: int = 0,
    verdict: Verdict = Verdict.LABEL,
    by: str = "ann",
    truth: bool = False,
    shown: int | None = None,
    way: Way = Way.SINGLE,
    attributes: dict[str, object] | None = None,
) -> AnnotationRecord:
    return AnnotationRecord(
        project_id=PROJECT,
        detection_id=detection,
        annotation_uid=uid,
        annotation_id=11,
        task_id=1,
        verdict=verdict,
        label=label if verdict is Verdict.LABEL else None,
        annotator=by,
        annotated_at=NOON + dt.timedelta(minutes=minute),
        ground_truth=truth,
        shown=shown,
        way=way,
        attributes=attributes,
        result=[{"value": {"choices": ["deer"]}}],
    )


def deleted(uid: str = "a", detection: str = "d0") -> AnnotationRecord:
    return replace(annotation(uid=uid, detection=detection, verdict=Verdict.DELETED), annotated_at=utc_now())


def append(store: Database, *annotations: AnnotationRecord, fetched_at: dt.datetime | None = None) -> int:
    with store.write() as conn:
        return oracle.append(conn, annotations, fetched_at=fetched_at)


def rows(store: Database) -> list[tuple[str, int, str, int | None]]:
    with store.read() as conn:
        query = sa.select(oracle_table).order_by(oracle_table.c.annotation_uid, oracle_table.c.revision)
        return [(row.annotation_uid, row.revision, row.verdict, row.label) for row in conn.execute(query)]


def kind_of(store: Database, detection_id: str = "d0") -> tuple[DetectionKind, int | None]:
    with store.read() as conn:
        row = conn.execute(sa.select(detection).where(detection.c.id == detection_id)).one()
    return DetectionKind(row.kind), row.category_id


def test_a_repeated_state_is_stored_once(store: Database) -> None:
    assert append(store, annotation(), annotation()) == 1
    assert append(store, annotation()) == 0
    assert rows(store) == [("a", 1, "label", DEER)]


def test_an_update_is_the_next_revision_and_keeps_the_former_one(store: Database) -> None:
    append(store, annotation(DEER))
    assert append(store, annotation(FOX, minute=1)) == 1
    assert rows(store) == [("a", 1, "label", DEER), ("a", 2, "label", FOX)]


def test_an_older_state_that_arrives_late_is_not_stored(store: Database) -> None:
    append(store, annotation(FOX, minute=5))
    assert append(store, annotation(DEER, minute=1)) == 0
    assert rows(store) == [("a", 1, "label", FOX)]


def test_states_of_one_batch_are_numbered_by_their_time(store: Database) -> None:
    assert append(store, annotation(FOX, minute=5), annotation(DEER, minute=1)) == 2
    assert rows(store) == [("a", 1, "label", DEER), ("a", 2, "label", FOX)]


def test_a_deletion_is_a_revision_and_happens_once(store: Database) -> None:
    append(store, annotation())
    assert append(store, deleted()) == 1
    assert append(store, deleted()) == 0
    assert rows(store) == [("a", 1, "label", DEER), ("a", 2, "deleted", None)]


def test_deleting_an_unknown_annotation_stores_nothing(store: Database) -> None:
    assert append(store, deleted()) == 0


def test_a_deletion_is_never_older_than_the_deleted_state(store: Database) -> None:
    tomorrow = replace(annotation(), annotated_at=utc_now() + dt.timedelta(days=1))  # its clock is ahead
    append(store, tomorrow)
    append(store, deleted())
    assert append(store, tomorrow) == 0
    with store.read() as conn:
        assert oracle.active_annotations(conn, PROJECT) == []


def test_an_annotation_that_a_sync_reads_after_its_deletion_is_restored(store: Database) -> None:
    append(store, annotation())
    append(store, deleted())
    assert append(store, annotation()) == 0
    assert append(store, annotation(), fetched_at=utc_now()) == 1
    assert rows(store)[-1] == ("a", 3, "label", DEER)


def test_an_annotation_that_a_sync_read_before_its_deletion_stays_deleted(store: Database) -> None:
    append(store, annotation())
    fetched_at = utc_now()
    append(store, deleted())
    assert append(store, annotation(), fetched_at=fetched_at) == 0


def test_an_annotation_that_arrives_during_a_sync_is_not_deleted_by_it(store: Database) -> None:
    fetched_at = utc_now()
    append(store, annotation())
    assert append(store, deleted(), fetched_at=fetched_at) == 0
    assert append(store, deleted(), fetched_at=utc_now()) == 1


def test_a_change_of_ground_truth_without_a_new_time_is_stored_by_a_sync(store: Database) -> None:
    append(store, annotation(truth=True))
    assert append(store, annotation(truth=False)) == 0
    assert append(store, annotation(truth=False), fetched_at=utc_now()) == 1


def test_the_same_state_from_many_threads_is_stored_once(store: Database) -> None:
    counts, errors = [], []
    barrier = threading.Barrier(6)

    def store_states() -> None:
        barrier.wait()
        try:
            for minute in range(5):
                counts.append(record(store, [annotation(minute=minute)]))
        except Exception as exc:  # noqa: BLE001 - any error in a thread fails the test
            errors.append(exc)

    threads = [threading.Thread(target=store_states) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    stored = rows(store)
    assert [revision for _, revision, _, _ in stored] == list(range(1, len(stored) + 1))
    assert sum(counts) == len(stored) <= 5
    with store.read() as conn:
        [state] = oracle.active_annotations(conn, PROJECT)
    assert state.annotation.annotated_at == NOON + dt.timedelta(minutes=4)


def board(*labels: int | Verdict, minute: int = 0, uid: str = "b", by: str = "ann") -> list[AnnotationRecord]:
    """One annotation of a board that shows the first detections."""
    return [
        annotation(
            label if not isinstance(label, Verdict) else None,
            uid=uid,
            detection=detection,
            minute=minute,
            by=by,
            verdict=label if isinstance(label, Verdict) else Verdict.LABEL,
            way=Way.BOARD,
        )
        for detection, label in zip(DETECTIONS, labels, strict=False)
    ]


def test_an_annotation_has_a_row_for_each_detection_of_its_task(store: Database) -> None:
    assert record(store, board(DEER, DEER, Verdict.STRUCK)) == 3
    assert record(store, board(DEER, DEER, Verdict.STRUCK)) == 0
    assert rows(store) == [("b", 1, "label", DEER), ("b", 1, "label", DEER), ("b", 1, "struck", None)]
    with store.read() as conn:
        assert oracle.labels(conn) == {"d0": DEER, "d1": DEER}
        assert oracle.struck_ids(conn, PROJECT) == {"d2"}
        states = oracle.active_annotations(conn, PROJECT)
        assert {state.annotation.detection_id for state in states} == {"d0", "d1", "d2"}
        assert {state.annotation.way for state in states} == {Way.BOARD}


def test_an_update_of_a_group_is_a_revision_of_what_changed_only(store: Database) -> None:
    record(store, board(DEER, DEER, Verdict.STRUCK))
    assert record(store, board(DEER, FOX, Verdict.STRUCK, minute=5)) == 1
    with store.read() as conn:
        states = {state.annotation.detection_id: state for state in oracle.active_annotations(conn, PROJECT)}
        assert {id_: state.revision for id_, state in states.items()} == {"d0": 1, "d1": 2, "d2": 1}
        assert oracle.labels(conn) == {"d0": DEER, "d1": FOX}


def test_an_update_that_changes_an_attribute_is_a_revision(store: Database) -> None:
    def counted(number: int, minute: int) -> AnnotationRecord:
        return annotation(uid="b", minute=minute, way=Way.SEQUENCE, attributes={"sequence_count": number})

    assert record(store, [counted(2, 0)]) == 1
    assert record(store, [counted(2, 1)]) == 0
    assert record(store, [counted(3, 2)]) == 1
    with store.read() as conn:
        [history] = oracle.histories(conn, ["d0"]).values()
    assert [entry.attributes for entry in history] == [{"sequence_count": 2}, {"sequence_count": 3}]


def test_a_deleted_group_that_comes_again_is_restored(store: Database) -> None:
    record(store, board(DEER, FOX))
    record(store, [deleted("b"), deleted("b", "d1")])
    with store.read() as conn:
        assert oracle.labels(conn) == {}
    assert append(store, *board(DEER, FOX), fetched_at=utc_now()) == 2


def test_what_was_struck_waits_until_somebody_answers_or_skips_it_alone(store: Database) -> None:
    def struck() -> set[str]:
        with store.read() as conn:
            return oracle.struck_ids(conn, PROJECT)

    record(store, board(Verdict.STRUCK, Verdict.STRUCK, Verdict.STRUCK))
    assert struck() == {"d0", "d1", "d2"}
    record(store, [annotation(uid="c", minute=1, by="bob")])
    record(store, [annotation(uid="d", detection="d1", minute=1, by="bob", verdict=Verdict.SKIPPED)])
    assert struck() == {"d2"}
    record(store, [deleted("b", "d2")])
    assert struck() == set()


def test_recording_updates_the_label_of_the_detection(store: Database) -> None:
    record(store, [annotation(FOX)])
    assert kind_of(store) == (DetectionKind.USER, FOX)
    record(store, [annotation(DEER, minute=1, shown=DEER)])
    assert kind_of(store) == (DetectionKind.CONFIRMED, DEER)
    record(store, [annotation(minute=2, verdict=Verdict.UNSURE)])
    assert kind_of(store) == (DetectionKind.USER, None)
    record(store, [annotation(minute=3, verdict=Verdict.SKIPPED)])
    assert kind_of(store) == (DetectionKind.ACTIVE, None)
    record(store, [annotation(0, minute=4)])
    assert kind_of(store) == (DetectionKind.USER, 0)
    record(store, [deleted()])
    assert kind_of(store) == (DetectionKind.ACTIVE, None)


def test_labels_are_those_of_crops(store: Database) -> None:
    record(store, [annotation(DEER, uid="a"), annotation(0, uid="b", detection="d1")])
    record(store, [annotation(uid="c", detection="d2", verdict=Verdict.UNSURE)])
    record(store, [annotation(uid="d", detection="d3", verdict=Verdict.SKIPPED)])
    record(
        store, [annotation(DEER, uid="e", detection="d4"), annotation(FOX, uid="f", detection="d4", by="bob")]
    )
    with store.read() as conn:
        assert oracle.labels(conn) == {"d0": DEER, "d1": 0}
        assert oracle.label_count(conn) == 2
        assert oracle.resolved_ids(conn) == {"d0", "d1", "d2"}
        assert oracle.disputed_ids(conn, PROJECT) == {"d4"}


def test_labels_of_a_source_count_in_every_project(store: Database) -> None:
    from_source = replace(
        annotation(uid="s", detection="d5"), project_id=None, source="eMammal", annotator=None
    )
    record(store, [from_source])
    with store.read() as conn:
        assert oracle.labels(conn) == {"d5": DEER}
        assert oracle.label_count(conn) == 1


def test_thousands_of_labels_are_recorded_in_few_statements(store: Database) -> None:
    statements = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    many = [
        annotation(DEER, uid=f"u{number}", detection=f"d{number % 5}", by=f"p{number}")
        for number in range(2000)
    ]
    assert record(store, many) == 2000
    assert len(statements) < 20
    with store.read() as conn:
        assert oracle.label_count(conn) == 5
