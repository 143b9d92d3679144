"""Labels, roles and rows that come with a source, on both databases."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from importers.detectors import DetectedBox, WholeFrame
from importers.ingest.ingestor import Ingestor
from importers.ingest.labels import only_ones
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.locations import by_folder
from pipeline.records import AnnotationRecord, Box, DetectionKind, Level, Role, SourceLabel, Verdict, utc_now
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import candidates, categories, detections, embeddings, image_labels, images, oracle
from pipeline.store.database import Database
from pipeline.store.schema import detection, image, image_label
from pipeline.store.schema import oracle as oracle_table
from tests.helpers.annotations import record
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

BOX = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.6)
OTHER = Box(x1=0.6, y1=0.5, x2=0.9, y2=0.9)


def label(
    category: str | None,
    level: Level = Level.IMAGE,
    *,
    source: str = "coco:t",
    weak: bool = False,
    key: str = "",
    **details: str,
) -> SourceLabel:
    return SourceLabel(
        category=category,
        source=source,
        level=level,
        weak=weak,
        confidence=0.7 if weak else None,
        key=key,
        details=details or None,
    )


def boxed(*labels: SourceLabel, box: Box = BOX, category: str = "animal") -> DetectedBox:
    return DetectedBox(box=box, confidence=1.0, category=category, labels=labels)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        put(tmp_path / "photos" / "A" / f"{number}.jpg", encoded(scene(seed=number)))
    return tmp_path / "photos"


def ingest(
    database: Database,
    photos: Path,
    *entries: SourceImage,
    detector: WholeFrame | None = None,
    **options: object,
) -> ImportReport:
    intake = Ingestor(
        make_workspace(database, photos.parent / "data"),
        detector,
        by_folder(photos),
        ImportOptions(**options),  # type: ignore[arg-type]
        ImportReport(source="test"),
    )
    return intake.run(entries, len(entries), progress=False)


def entry(
    photos: Path, number: int = 0, *, boxes: tuple[DetectedBox, ...] | None = None, **more: object
) -> SourceImage:
    detections = None if boxes is None else SourceDetections(detector="coco:t", boxes=boxes)
    name = f"A/{number}.jpg"
    return SourceImage(file_name=name, path=str(photos / name), detections=detections, **more)  # type: ignore[arg-type]


def current(database: Database) -> Iterator[tuple[str | None, DetectionKind]]:
    with database.read() as conn:
        names = categories.names(conn)
        for row in conn.execute(sa.select(detection).order_by(detection.c.bbox_X1, detection.c.id)):
            yield (None if row.category_id is None else names[row.category_id], DetectionKind(row.kind))


def count(database: Database, table: sa.Table) -> int:
    with database.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


@pytest.mark.both_databases
def test_a_labelled_box_enters_the_oracle_with_its_source_and_a_rerun_adds_nothing(
    database: Database, photos: Path
) -> None:
    one = entry(photos, boxes=(boxed(label("Red Fox", Level.BOX)), boxed(box=OTHER)))
    report = ingest(database, photos, one)
    assert (report.photographs, report.detections, report.labels) == (1, 2, 1)
    assert list(current(database)) == [("red fox", DetectionKind.USER), (None, DetectionKind.ACTIVE)]
    again = ingest(database, photos, one)
    assert (again.known, again.labels, count(database, oracle_table)) == (1, 0, 1)
    with database.read() as conn:
        row = conn.execute(sa.select(oracle_table)).one()
    assert (row.source, row.project_id, row.revision) == ("coco:t", None, 1)


@pytest.mark.both_databases
def test_a_corrected_source_adds_a_revision(database: Database, photos: Path) -> None:
    ingest(database, photos, entry(photos, boxes=(boxed(label("fox", Level.BOX)),)))
    report = ingest(database, photos, entry(photos, boxes=(boxed(label("badger", Level.BOX)),)))
    assert report.labels == 1
    assert list(current(database)) == [("badger", DetectionKind.USER)]
    assert count(database, oracle_table) == 2


@pytest.mark.parametrize("rows_only", [True, False])
def test_a_box_that_a_source_brings_later_is_taken_with_its_label(
    database: Database, photos: Path, rows_only: bool
) -> None:
    ingest(database, photos, entry(photos, boxes=(boxed(label("fox", Level.BOX)),)), rows_only=rows_only)
    corrected = entry(photos, boxes=(boxed(label("deer", Level.BOX), box=OTHER),))
    report = ingest(database, photos, corrected, rows_only=rows_only)
    assert (report.known, report.looked_again, report.detections, report.labels) == (0, 1, 1, 1)
    assert list(current(database)) == [("fox", DetectionKind.USER), ("deer", DetectionKind.USER)]
    assert ingest(database, photos, corrected, rows_only=rows_only).known == 1


def test_labels_of_a_photograph_reach_boxes_that_come_before_or_after(
    database: Database, photos: Path
) -> None:
    labelled = entry(photos, 0, labels=(label("deer"),))
    report = ingest(database, photos, labelled)
    assert (report.not_looked_at, report.labels, report.detections) == (1, 1, 0)
    ingest(database, photos, entry(photos, 0, boxes=(boxed(), boxed(box=OTHER))))
    assert list(current(database)) == [("deer", DetectionKind.USER)] * 2
    ingest(database, photos, entry(photos, 1, boxes=(boxed(),)))
    ingest(database, photos, entry(photos, 1, labels=(label("boar", Level.SEQUENCE),)))
    assert ("boar", DetectionKind.USER) in list(current(database))


def test_a_photograph_of_several_species_labels_no_box(database: Database, photos: Path) -> None:
    ingest(
        database,
        photos,
        entry(photos, labels=(label("deer"), label("boar")), boxes=(boxed(),)),
    )
    assert list(current(database)) == [(None, DetectionKind.ACTIVE)]
    assert count(database, image_label) == 2


def labels_of(database: Database) -> list[SourceLabel]:
    with database.read() as conn:
        ids = conn.scalars(sa.select(image.c.id)).all()
        return [label for found in image_labels.by_image(conn, ids).values() for label in found]


def test_observations_of_one_species_are_kept_apart_and_label_a_box_together(
    database: Database, photos: Path
) -> None:
    labels = (label("deer", key="o1", weak=True, sex="male"), label("Deer", key="o2", sex="female"))
    given = entry(photos, labels=labels, boxes=(boxed(),))
    ingest(database, photos, given)
    assert labels_of(database) == [replace(one, category="deer") for one in labels]
    assert list(current(database)) == [("deer", DetectionKind.USER)]
    assert ingest(database, photos, given).labels == 0


@pytest.mark.parametrize("later", [True, False])
def test_what_nobody_could_name_is_kept_and_labels_no_box(
    database: Database, photos: Path, later: bool
) -> None:
    unknown, deer = label(None, key="o1", behavior='a\tb\\ "é"'), label("deer", key="o2")
    given = entry(photos, 0, labels=(unknown,), boxes=None if later else (boxed(),))
    both = entry(photos, 1, labels=(unknown, deer), boxes=None if later else (boxed(),))
    ingest(database, photos, given, both)
    ingest(
        database,
        photos,
        *(replace(one, detections=entry(photos, boxes=(boxed(),)).detections) for one in (given, both)),
    )
    assert [one.category for one in sorted(labels_of(database), key=lambda one: one.key)] == [
        None,
        None,
        "deer",
    ]
    assert labels_of(database).count(unknown) == 2
    assert list(current(database)) == [(None, DetectionKind.ACTIVE)] * 2


def test_that_nobody_looked_yet_does_not_hold_a_label_back_but_a_doubt_does(
    database: Database, photos: Path
) -> None:
    nobody = label(None, Level.SEQUENCE, key="o1", observationType="unclassified")
    labels = (nobody, label("deer", Level.SEQUENCE, key="o2"))
    doubted = boxed(label(None, Level.BOX), box=OTHER)
    ingest(database, photos, entry(photos, labels=labels, boxes=(boxed(), doubted)))
    assert list(current(database)) == [("deer", DetectionKind.USER), (None, DetectionKind.ACTIVE)]


def test_a_label_of_people_does_not_reach_the_animal_beside_them(database: Database, photos: Path) -> None:
    given = entry(
        photos,
        labels=(label("human"), label("dog")),
        boxes=(boxed(), boxed(box=OTHER, category="person")),
    )
    ingest(database, photos, given, keep=frozenset({"animal", "person"}))
    assert [name for name, _ in current(database)] == ["dog", "human"]


def test_what_is_said_of_the_photograph_goes_before_what_is_said_of_the_sequence(
    database: Database, photos: Path
) -> None:
    labels = (label("deer", Level.SEQUENCE), label("empty"))
    ingest(database, photos, entry(photos, labels=labels, boxes=(boxed(),)))
    assert [name for name, _ in current(database)] == ["empty"]


def test_weak_labels_leave_the_detection_in_the_queue_and_any_person_outvotes_them(
    database: Database, photos: Path
) -> None:
    weak = label("fox", Level.BOX, source="megadetector:v2", weak=True)
    ingest(database, photos, entry(photos, boxes=(boxed(weak),)))
    with database.read() as conn:
        row = conn.execute(sa.select(detection)).one()
    assert (DetectionKind(row.kind), row.category_confidence) == (DetectionKind.MODEL, pytest.approx(0.7))
    with database.write() as conn:
        badger = categories.ensure(conn, ["badger"])["badger"]
    said = AnnotationRecord(
        project_id=1,
        detection_id=row.id,
        annotation_uid="a",
        annotation_id=1,
        task_id=1,
        verdict=Verdict.LABEL,
        label=badger,
        annotator="ann",
        annotated_at=utc_now(),
    )
    record(database, [said])
    assert list(current(database)) == [("badger", DetectionKind.USER)]
    with database.read() as conn:
        assert conn.execute(sa.select(detection.c.category_confidence)).scalar_one() is None


def test_two_sources_that_disagree_leave_the_detection_disputed(database: Database, photos: Path) -> None:
    labels = (label("fox", Level.BOX), label("badger", Level.BOX, source="coco:other"))
    ingest(database, photos, entry(photos, boxes=(boxed(*labels),)))
    assert list(current(database)) == [(None, DetectionKind.ACTIVE)]


def test_photographs_that_are_not_read_are_rows_and_the_same_import_cuts_their_crops_later(
    database: Database, photos: Path
) -> None:
    given = [
        entry(photos, number, boxes=(boxed(label("fox", Level.BOX)),), width=160, height=120)
        for number in range(3)
    ]
    (photos / "A" / "2.jpg").unlink()
    report = ingest(database, photos, *given, rows_only=True)
    assert (report.photographs, report.detections, report.labels) == (3, 3, 3)
    again = ingest(database, photos, *given, rows_only=True)
    assert (again.photographs, again.known, again.detections, again.labels) == (0, 3, 0, 0)
    with database.read() as conn:
        assert detections.counts(conn) == {"detections": 3, "crops": 0}
    read = ingest(database, photos, *given)
    assert (read.looked_again, read.cut, dict(read.failed)) == (2, 2, {"missing": 1})
    with database.read() as conn:
        assert detections.counts(conn) == {"detections": 3, "crops": 2}
        rows = conn.execute(sa.select(image).where(image.c.failure.is_(None))).all()
    assert len(rows) == 3
    assert sum(row.content_hash is not None for row in rows) == 2
    assert ingest(database, photos, *given[:2]).known == 2
    assert ingest(database, photos, *given[:2], rows_only=True).known == 2


def test_a_second_source_adds_to_what_the_first_said_of_an_unread_photograph(
    database: Database, photos: Path
) -> None:
    ingest(database, photos, entry(photos, boxes=(boxed(),), width=160, height=120), rows_only=True)
    more = entry(photos, labels=(label("fox"),), seq_id="s1", frame_num=0, seq_num_frames=1, source_id="x1")
    ingest(database, photos, more, rows_only=True)
    with database.read() as conn:
        row = conn.execute(sa.select(image)).one()
    assert (row.width, row.seq_id, row.source_id) == (160, "s1", "x1")
    assert list(current(database)) == [("fox", DetectionKind.USER)]


def test_the_two_pools_stay_apart(database: Database, photos: Path) -> None:
    learnt = entry(photos, 0, boxes=(boxed(label("fox", Level.BOX)),))
    ingest(database, photos, learnt, role=Role.PRETRAINING)
    ingest(database, photos, entry(photos, 1, boxes=(boxed(),)))
    report = ingest(database, photos, learnt)
    assert report.other_role == 1
    with database.read() as conn:
        roles = {row.file_name: row.role for row in conn.execute(sa.select(image))}
        assert roles == {"A/0.jpg": "pretraining", "A/1.jpg": "target"}
        assert len(candidates.unasked(conn, 1, 10)) == candidates.count(conn) == 1
        assert embeddings.missing_count(conn, "any") == 1
        assert oracle.label_count(conn) == 0


def test_photographs_are_read_from_an_object_store(database: Database, tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://survey/A/0.jpg", "wb") as file:
        file.write(encoded(scene()))
    there = SourceImage(file_name="A/0.jpg", path="memory://survey/A/0.jpg")
    gone = replace(there, file_name="A/1.jpg", path="memory://survey/A/1.jpg")
    broken = replace(there, file_name="A/2.jpg", path="nosuchprotocol://survey/A/2.jpg")
    report = ingest(database, tmp_path, there, gone, broken, detector=WholeFrame())
    assert (report.detections, dict(report.failed)) == (1, {"missing": 1, "unreadable": 1})
    assert ingest(database, tmp_path, there, detector=WholeFrame()).known == 1
    with database.read() as conn:
        assert images.counts(conn)["photographs"] == 1


def test_a_person_whose_box_is_not_kept_leaves_the_photograph_not_empty(
    database: Database, photos: Path
) -> None:
    people = boxed(label("Hiker", Level.BOX), category="person")
    ingest(
        database,
        photos,
        entry(photos, 0, boxes=(people,)),
        entry(photos, 1, boxes=(boxed(category="person"),)),
    )
    told = {
        one.image.file_name: [(label.category, label.weak, label.source) for label in one.labels]
        for one in StoreExport(make_workspace(database, photos), None).photographs()
    }
    assert told == {"A/0.jpg": [("hiker", False, "coco:t")], "A/1.jpg": [("person", True, "coco:t")]}


@pytest.mark.parametrize("rows_only", [True, False])
@pytest.mark.both_databases
def test_a_second_source_leaves_the_time_and_place_that_the_first_gave(
    database: Database, photos: Path, rows_only: bool
) -> None:
    noon = dt.datetime(2024, 5, 1, 12)
    told = entry(photos, labels=(label("fox"),), location="SITE9", datetime=noon, seq_id="s1", frame_num=2)
    ingest(database, photos, told, rows_only=rows_only)
    ingest(database, photos, entry(photos, boxes=(boxed(),)), rows_only=rows_only)
    with database.read() as conn:
        row = conn.execute(sa.select(image)).one()
    assert (row.location, row.datetime, row.seq_id, row.frame_num) == ("SITE9", noon, "s1", 2)


@pytest.mark.parametrize("rows_only", [True, False])
def test_what_a_corrected_source_says_of_a_photograph_is_taken(
    database: Database, photos: Path, rows_only: bool
) -> None:
    for hour, sequence, frame in ((11, "old", 4), (12, "new", None)):
        moment = dt.datetime(2024, 5, 1, hour)
        told = entry(photos, labels=(label("fox"),), datetime=moment, seq_id=sequence, frame_num=frame)
        ingest(database, photos, told, rows_only=rows_only)
    with database.read() as conn:
        row = conn.execute(sa.select(image)).one()
    assert (row.datetime.hour, row.seq_id, row.frame_num) == (12, "new", None)


def test_a_file_that_changed_and_changed_back_is_told_as_it_is_now(database: Database, photos: Path) -> None:
    path = photos / "A" / "0.jpg"
    first = path.read_bytes()
    for content in (first, encoded(scene(seed=9)), first):
        path.write_bytes(content)
        ingest(database, photos, entry(photos), detector=WholeFrame())
    (one,) = StoreExport(make_workspace(database, photos), None).photographs()
    assert one.image.content_hash == hashlib.blake2b(first, digest_size=16).hexdigest()


@pytest.mark.both_databases
def test_a_photograph_of_one_pool_never_hides_one_of_the_other(database: Database, photos: Path) -> None:
    path = photos / "A" / "0.jpg"
    ingest(database, photos, entry(photos), detector=WholeFrame())
    path.write_bytes(encoded(scene(seed=9)))
    ingest(database, photos, entry(photos), detector=WholeFrame(), role=Role.PRETRAINING)
    assert len(list(StoreExport(make_workspace(database, photos), None).photographs())) == 1


def test_a_source_that_corrects_the_label_of_a_photograph_corrects_that_of_its_boxes(
    database: Database, photos: Path
) -> None:
    ingest(database, photos, entry(photos, boxes=(boxed(),), labels=(label("deer"),)))
    ingest(database, photos, entry(photos, boxes=(boxed(),), labels=(label("fox"),)))
    assert [name for name, _ in current(database)] == ["fox"]
    assert count(database, image_label) == 1
    ingest(database, photos, entry(photos, boxes=(boxed(),), labels=(label("fox"), label("deer"))))
    assert list(current(database)) == [(None, DetectionKind.ACTIVE)]
    other = label("badger", source="coco:other")
    ingest(database, photos, entry(photos, boxes=(boxed(),), labels=(other,)))
    assert [name for name, _ in current(database)] == ["badger"]
    assert count(database, image_label) == 3


@pytest.mark.both_databases
def test_more_photographs_than_one_lookup_takes_come_in_once(database: Database, photos: Path) -> None:
    given = [
        entry(photos, number, boxes=(boxed(label("fox", Level.BOX)),), labels=(label("fox"),))
        for number in range(1_300)
    ]
    assert ingest(database, photos, *given, rows_only=True).photographs == 1_300
    again = ingest(database, photos, *given, rows_only=True)
    assert (again.known, again.photographs, again.detections, again.labels) == (1_300, 0, 0, 0)
    assert sum(1 for _ in StoreExport(make_workspace(database, photos), None).photographs()) == 1_300
    assert set(current(database)) == {("fox", DetectionKind.USER)}


def test_a_label_of_a_photograph_that_became_one_of_a_box_is_no_more_of_the_photograph(
    database: Database, photos: Path
) -> None:
    ingest(database, photos, entry(photos, labels=(label("fox"),)), rows_only=True)
    assert [each.level for each in labels_of(database)] == [Level.IMAGE]
    ingest(database, photos, entry(photos, boxes=(boxed(label("fox", Level.BOX)),)))
    assert (labels_of(database), list(current(database))) == ([], [("fox", DetectionKind.USER)])


def test_a_box_that_people_labelled_is_kept_whatever_its_confidence(database: Database, photos: Path) -> None:
    by_people, by_machine = label("fox", Level.BOX), label("deer", Level.BOX, weak=True)
    boxes = (boxed(by_people), boxed(by_machine, box=OTHER))
    unsure = tuple(replace(box, confidence=0.1) for box in boxes)
    for _ in range(2):
        ingest(database, photos, entry(photos, boxes=unsure))
        assert list(current(database)) == [("fox", DetectionKind.USER)]


def test_a_source_in_which_people_and_machines_disagree_votes_as_its_people_do() -> None:
    by_people, by_machine = label("red fox"), label("roe deer", weak=True)
    assert only_ones([by_machine, by_people], "animal") == [by_people]
    assert only_ones([by_machine, label("wild boar", weak=True)], "animal") == []
    assert only_ones([by_people, label("wild boar"), by_machine], "animal") == []
