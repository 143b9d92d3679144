"""Folders of crops: by class, with a classification set's JSON, and without any label."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions
from importers.sources.crop_folder import import_crops
from pipeline.errors import SourceError, WildloopError
from pipeline.records import WHOLE_FRAME
from pipeline.store import schema
from pipeline.store.database import Database
from tests.helpers.coco_files import annotation, document, image
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

FOX, DEER = {"id": 1, "name": "red fox"}, {"id": 2, "name": "roe deer"}


def crops(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        put(root / name, encoded(scene(64, 64, seed=seed)))
    return root


def taken(database: Database, root: Path, *files: Path, **others: Any) -> ImportReport:
    options = ImportOptions(workers=1, **others.pop("options", {}))
    return import_crops(
        make_workspace(database, root.parent / "data"), root, files, options=options, **others
    )


def stored(database: Database) -> dict[str, tuple[Any, ...]]:
    """Of each photograph: its label by the oracle, the label's source, and its place and time."""
    query = (
        sa.select(
            schema.image.c.file_name,
            schema.category.c.name,
            schema.oracle.c.source,
            schema.image.c.location,
            schema.image.c.seq_id,
            schema.image.c.frame_num,
            schema.image.c.datetime,
        )
        .join(schema.detection, schema.detection.c.image_id == schema.image.c.id)
        .outerjoin(schema.category, schema.category.c.id == schema.detection.c.category_id)
        .outerjoin(schema.oracle, schema.oracle.c.detection_id == schema.detection.c.id)
    )
    with database.read() as conn:
        return {row[0]: tuple(row[1:]) for row in conn.execute(query)}


def classification_set(path: Path, images: list[Any], annotations: list[Any]) -> Path:
    info = {"version": "1", "description": "crops"}
    whole = {"info": info, "images": images, "annotations": annotations, "categories": [FOX, DEER]}
    return put(path, json.dumps(whole).encode())


def test_the_first_folder_is_the_class_and_no_location(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "Red Fox/a.jpg", "Red Fox/2019/deep/b.jpg", "empty/c.jpg", "loose.jpg")
    report = taken(sqlite_database, root)
    assert (report.photographs, report.detections, report.labels) == (4, 4, 3)
    labels = {name: row[:3] for name, row in stored(sqlite_database).items()}
    assert labels == {
        "Red Fox/a.jpg": ("red fox", "crops:set", None),
        "Red Fox/2019/deep/b.jpg": ("red fox", "crops:set", None),
        "empty/c.jpg": ("empty", "crops:set", None),
        "loose.jpg": (None, None, None),
    }


def test_folders_of_nothing_are_empty_and_folders_of_no_species_no_class(
    tmp_path: Path, sqlite_database: Database
) -> None:
    root = crops(tmp_path / "set", "Blank/a.jpg", "no_animal/b.jpg", "unknown/c.jpg", "Animal/d.jpg")
    taken(sqlite_database, root)
    labels = {name: row[0] for name, row in stored(sqlite_database).items()}
    assert labels == {
        "Blank/a.jpg": "empty",
        "no_animal/b.jpg": "empty",
        "unknown/c.jpg": None,
        "Animal/d.jpg": None,
    }


def test_every_crop_is_one_detection_that_fills_it(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "fox/a.jpg")
    taken(sqlite_database, root, options={"keep": frozenset({"person"}), "threshold": 1.0})
    columns = [schema.detection.c[name] for name in ("bbox_X1", "bbox_Y1", "bbox_X2", "bbox_Y2")]
    with sqlite_database.read() as conn:
        row = conn.execute(sa.select(*columns, schema.detection.c.detector)).one()
    frame = WHOLE_FRAME
    assert tuple(row) == (frame.x1, frame.y1, frame.x2, frame.y2, "whole-frame")


def test_classes_can_be_left_out(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "fox/a.jpg", "deer/b.jpg")
    report = taken(sqlite_database, root, labels=False)
    assert (report.detections, report.labels) == (2, 0)
    taken(sqlite_database, root)
    assert {row[0] for row in stored(sqlite_database).values()} == {"fox", "deer"}


def test_a_flat_folder_brings_crops_without_labels(tmp_path: Path, sqlite_database: Database) -> None:
    report = taken(sqlite_database, crops(tmp_path / "flat", "a.jpg", "b.png"))
    assert (report.photographs, report.detections, report.labels) == (2, 2, 0)


def test_a_second_import_brings_nothing_new(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "fox/a.jpg", "deer/b.jpg")
    taken(sqlite_database, root)
    again = taken(sqlite_database, root)
    assert (again.photographs, again.known, again.detections, again.labels) == (0, 2, 0, 0)


def test_a_location_comes_from_a_pattern_alone(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "fox/CAM3_1.jpg", "fox/other.jpg")
    taken(sqlite_database, root, options={"location_pattern": "(?P<location>CAM[0-9]+)"})
    assert {name: row[2] for name, row in stored(sqlite_database).items()} == {
        "fox/CAM3_1.jpg": "CAM3",
        "fox/other.jpg": None,
    }


def test_a_classification_set_brings_classes_places_and_sequences(
    tmp_path: Path, sqlite_database: Database
) -> None:
    root = crops(tmp_path / "set", "f/a.jpg", "d/b.jpg", "d/c.jpg", "d/unlisted.jpg")
    place = {"location": "L1", "seq_id": "S1", "frame_num": 3, "seq_num_frames": 9}
    train = [{"id": "1", "file_name": "f/a.jpg", "datetime": "2024-05-01 12:00:00", **place}]
    classification_set(root / "train.json", train, [{"id": "1", "image_id": "1", "category_id": 1}])
    test = [{"id": "1", "file_name": "d/b.jpg"}, {"id": "2", "file_name": "d/c.jpg"}]
    both = [{"id": str(n), "image_id": "2", "category_id": n} for n in (1, 2)]
    labels = [{"id": "0", "image_id": "1", "category_id": 2}, *both]
    classification_set(root / "test.json", test, labels)
    report = taken(sqlite_database, root)
    assert stored(sqlite_database) == {
        "f/a.jpg": ("red fox", "crops:set", "L1", "S1", 3, dt.datetime(2024, 5, 1, 12)),
        "d/b.jpg": ("roe deer", "crops:set", None, None, None, None),
        "d/c.jpg": (None, None, None, None, None, None),
    }
    assert report.notes[Note.SEVERAL_CLASSES] == 1


def test_the_class_of_a_crop_stays_whatever_is_wrong_with_its_box(
    tmp_path: Path, sqlite_database: Database
) -> None:
    boxes: list[Any] = [[500, 0, 5, 5], [0, 0, 0, 0], ["1"], [0, 0, 9, 9]]
    for number in range(len(boxes)):
        put(tmp_path / f"{number}.jpg", encoded(scene(seed=number)))
    given = [image(f"{number}.jpg") for number in range(3)] + [{"id": "id of 3.jpg", "file_name": "3.jpg"}]
    seen = [annotation(f"{number}.jpg", bbox=box) for number, box in enumerate(boxes)]
    path = put(tmp_path / "list.json", json.dumps(document(*given, *seen)).encode())
    report = import_crops(make_workspace(sqlite_database, tmp_path / "data"), tmp_path, [path])
    assert (report.photographs, report.labels, dict(report.refused)) == (4, 4, {})


def test_a_crop_that_two_files_list_is_taken_once(tmp_path: Path, sqlite_database: Database) -> None:
    root = crops(tmp_path / "set", "a.jpg")
    one = classification_set(tmp_path / "1.json", [{"id": "1", "file_name": "a.jpg"}], [])
    two = classification_set(tmp_path / "2.json", [{"id": "9", "file_name": "a.jpg"}], [])
    report = taken(sqlite_database, root, one, two)
    assert (report.photographs, report.duplicates) == (1, 1)


def test_a_folder_without_crops_is_an_error(tmp_path: Path, sqlite_database: Database) -> None:
    put(tmp_path / "set" / "notes.txt", b"none")
    with pytest.raises(SourceError, match="there is no crop"):
        taken(sqlite_database, tmp_path / "set")
    with pytest.raises(SourceError, match="is not a folder"):
        taken(sqlite_database, tmp_path / "nowhere")


# Fuzz

# fmt: off
VALUES: st.SearchStrategy[Any] = st.sampled_from([
    None, True, -1, 0, 1, 2, 10**400, 1.5, "", "1", "x", "a.jpg", "../a.jpg", "a\x00.jpg", "\ud800", [], {},
    "/etc/passwd", "0001-01-01 00:00:00", "2024-05-01 12:00:00", [0, 0, 1, 1], [-5, "x", None, 1e308],
])
# fmt: on
FIELDS = ("location", "seq_id", "frame_num", "seq_num_frames", "datetime", "width", "height", "corrupt")
IMAGES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", 3]) | VALUES,
        "file_name": st.sampled_from(["a.jpg", "b.jpg"]) | VALUES,
    },
    optional=dict.fromkeys(FIELDS, VALUES),
)
ANNOTATIONS = st.fixed_dictionaries(
    {"id": VALUES, "image_id": st.sampled_from(["1", 3]) | VALUES, "category_id": st.just(1) | VALUES},
    optional=dict.fromkeys(("bbox", "bbox_relative", "count"), VALUES),
)


def rows(database: Database) -> int:
    with database.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(schema.image)).scalar_one()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=st.lists(IMAGES | VALUES, max_size=4),
    annotations=st.lists(ANNOTATIONS | VALUES, max_size=4),
    categories=st.just([FOX, DEER]) | st.lists(VALUES, max_size=2),
    cut=st.integers(0, 40),
)
def test_no_file_however_mangled_ends_in_a_traceback(
    tmp_path: Path,
    sqlite_database: Database,
    images: list[Any],
    annotations: list[Any],
    categories: list[Any],
    cut: int,
) -> None:
    root = crops(tmp_path / "set", "a.jpg")
    whole = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    text = json.dumps(whole).encode()
    file = put(tmp_path / "any.json", text[: len(text) - cut] if cut > 30 else text)
    before = rows(sqlite_database)
    try:
        taken(sqlite_database, root, file)
    except SourceError:
        assert rows(sqlite_database) == before
    except WildloopError:
        pass
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def test_crops_are_read_from_an_object_store(sqlite_database: Database, tmp_path: Path) -> None:
    hidden = ("DeletedFiles/3.jpg", "fox/@eaDir/2.jpg", "fox/._2.jpg")
    for name in ("fox/2.jpg", "fox/10.jpg", "hare/1.jpg", "fox/readme.txt", *hidden):
        with fsspec.open(f"memory://pool/{name}", "wb") as file:
            file.write(encoded(scene()))
    report = import_crops(make_workspace(sqlite_database, tmp_path / "data"), "memory://pool")
    assert (report.photographs, report.detections, report.labels, report.hidden) == (3, 3, 3, 3)
    with pytest.raises(SourceError, match="no crop"):
        import_crops(make_workspace(sqlite_database, tmp_path / "data"), "memory://nothing")
