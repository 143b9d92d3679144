"""What exports say of each detection, from a store whose history is known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from pipeline.exporters.attributes import Attributes
from pipeline.exporters.source import Basis
from pipeline.records import (
    AnnotationRecord,
    Box,
    DetectionRecord,
    ImageRecord,
    Role,
    Verdict,
    Way,
)
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.learning.train import train
from pipeline.store import categories, detections, images, models, projects
from pipeline.store.database import Database
from tests.helpers import labelled_workspace
from tests.helpers.annotations import record
from tests.helpers.labelled_workspace import make_workspace

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def said(
    detection: str,
    label: int | None,
    *,
    verdict: Verdict = Verdict.LABEL,
    annotator: str = "ann",
    source: str = "label-studio",
    confidence: float | None = None,
    **further: Any,
) -> AnnotationRecord:
    return AnnotationRecord(
        project_id=1 if source == "label-studio" else None,
        detection_id=detection,
        annotation_uid=f"{source}-{annotator}-{detection}",
        annotation_id=None,
        task_id=None,
        verdict=verdict,
        label=label,
        annotator=annotator,
        annotated_at=NOON,
        source=source,
        confidence=confidence,
        **further,
    )


@pytest.fixture
def project_database(database: Database) -> Database:
    """Five boxes on one photograph, one for each way to get an answer, a blank one and a broken one."""
    box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
    with database.write() as conn:
        images.add(
            conn,
            [
                ImageRecord(id="i1", file_name="A/1.jpg", path="/p/A/1.jpg", location="A"),
                ImageRecord(id="i2", file_name="A/2.jpg", path="/p/A/2.jpg", location="A"),
                ImageRecord(id="i3", file_name="B/1.jpg", path="/p/B/1.jpg", location="B", failure="corrupt"),
                ImageRecord(
                    id="i4", file_name="C/1.jpg", path="/q/C/1.jpg", location="C", role=Role.PRETRAINING
                ),
            ],
        )
        detections.add(
            conn,
            (
                DetectionRecord(
                    id=f"d{number}", image_id="i1", box=box, bbox_confidence=1 - number / 10, detector="md"
                )
                for number in range(5)
            ),
        )
        images.add_scans(conn, [("i1", "md@0"), ("i2", "rows:md@0"), ("i4", "nobody@0")])
        number = categories.ensure(conn, ["fox", "deer"])
    record(
        database,
        [
            said("d0", number["fox"], source="coco:x", annotator="x"),
            said("d0", number["deer"], annotator="bob"),
            said("d0", number["deer"]),
            said("d1", number["fox"], source="coco:x", annotator="x"),
            said("d2", None, verdict=Verdict.UNSURE),
            said("d3", number["fox"], verdict=Verdict.WEAK, source="megadetector:v2", confidence=0.6),
        ],
    )
    return database


def test_people_go_before_sources_before_machines(project_database: Database, tmp_path: Path) -> None:
    photographs = list(StoreExport(make_workspace(project_database, tmp_path), None).photographs())
    assert [one.image.file_name for one in photographs] == ["A/1.jpg", "A/2.jpg", "B/1.jpg"]
    answers = [one.answer for one in photographs[0].detections]
    assert [(one.basis, one.category, one.unsure, one.by) for one in answers] == [
        (Basis.PEOPLE, "deer", False, ("ann", "bob")),
        (Basis.SOURCE, "fox", False, ("x",)),
        (Basis.PEOPLE, None, True, ("ann",)),
        (Basis.WEAK, "fox", False, ("ann",)),
        (Basis.NONE, None, False, ()),
    ]
    assert answers[3].probability == pytest.approx(0.6)
    assert answers[0].at == NOON


def test_who_looked_is_told_also_where_they_found_nothing(project_database: Database, tmp_path: Path) -> None:
    one, blank, broken = StoreExport(make_workspace(project_database, tmp_path), None).photographs()
    assert (one.detectors, blank.detectors, broken.detectors) == (("md",), ("md",), ())
    (other,) = StoreExport(
        make_workspace(project_database, tmp_path), None, role=Role.PRETRAINING
    ).photographs()
    assert (other.image.id, other.detectors) == ("i4", ())
    without = next(
        StoreExport(make_workspace(project_database, tmp_path), None, detector="other").photographs()
    )
    assert (without.detections, without.detectors) == ((), ())


def test_only_the_newest_content_of_a_file_is_told(project_database: Database, tmp_path: Path) -> None:
    with project_database.write() as conn:
        images.add(conn, [ImageRecord(id="i5", file_name="A/1.jpg", path="/p/A/1.jpg", location="A")])
        images.add(conn, [ImageRecord(id="i6", file_name="B/1.jpg", path="/p/B/1.jpg", location="B")])
        images.add(conn, [ImageRecord(id="i7", file_name="A/2.jpg", path="/other/A/2.jpg", location="A")])
    told = {
        one.image.id: one.image.file_name
        for one in StoreExport(make_workspace(project_database, tmp_path), None).photographs()
    }
    assert told == {"i5": "A/1.jpg", "i2": "A/2.jpg", "i7": "A/2.jpg", "i6": "B/1.jpg"}


def test_the_current_version_answers_for_the_rest_where_it_is_sure_enough(
    database: Database, tmp_path: Path
) -> None:
    labelled_workspace.populate(database)
    labelled_workspace.label(database, range(24))
    version = train(make_workspace(database, tmp_path, top_k=5, retrain_every=1), labelled_workspace.PROJECT)
    assert version is not None
    with database.read() as conn:
        project = projects.get(conn, labelled_workspace.PROJECT)
        assert models.current(conn, project.id) == version
    every = [
        (box.record.id, box.answer)
        for one in StoreExport(make_workspace(database, tmp_path), project.id, threshold=0.5).photographs()
        for box in one.detections
    ]
    by_people = [one for _, one in every if one.basis is Basis.PEOPLE]
    by_model = [(id_, one) for id_, one in every if one.basis is Basis.MODEL]
    assert len(by_people) == 24
    assert by_model
    right = [one.category == labelled_workspace.species(int(id_[1:])) for id_, one in by_model]
    assert sum(right) / len(right) > 0.8
    assert all(one.by == (version.version,) and (one.probability or 0) >= 0.5 for _, one in by_model)
    strict = StoreExport(make_workspace(database, tmp_path), project.id, threshold=1.0)
    assert strict.model_version == version.version
    left = [box.answer for one in strict.photographs() for box in one.detections]
    assert {one.basis for one in left} == {Basis.PEOPLE, Basis.NONE}
    assert all(one.category is None for one in left if one.basis is Basis.NONE)


def test_how_people_gave_a_label_and_what_else_they_said_is_with_the_answer(
    project_database: Database, tmp_path: Path
) -> None:
    with project_database.write() as conn:
        categories.merge(conn, ["stag"], into="deer")
        number = categories.numbers(conn)
    said_of = {"count": 2, "sex": "female", "age": "old", "also": ["badger", "stag"], "behaviour": ["eating"]}
    record(
        project_database,
        [
            said("d4", number["fox"], way=Way.BOARD, shown=number["fox"], kept=True, attributes=said_of),
            said("d3", number["deer"], way=Way.SINGLE, shown=number["fox"], kept=False),
            said("d2", number["deer"], way=Way.SINGLE, annotator="bob", attributes={"count": "many"}),
        ],
    )
    (first, *_) = StoreExport(make_workspace(project_database, tmp_path), None).photographs()
    answers = {one.record.id: one.answer for one in first.detections}
    assert (answers["d4"].way, answers["d4"].kept) == (Way.BOARD, True)
    assert answers["d4"].attributes == Attributes(
        count=2, sex="female", also=("badger", "deer"), behaviour=("eating",)
    )
    assert (answers["d3"].way, answers["d3"].kept) == (Way.SINGLE, False)
    assert (answers["d2"].kept, answers["d2"].attributes) == (None, Attributes())  # nothing was suggested
    assert (answers["d1"].way, answers["d1"].kept) == (None, None)  # of a source
