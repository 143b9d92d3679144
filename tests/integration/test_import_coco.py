"""COCO Camera Traps files into the store, rerun, with and without photographs, and broken."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.detectors import WholeFrame
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.sources.coco import import_coco
from pipeline.cli import wildloop
from pipeline.errors import SourceError, WildloopError
from pipeline.records import Role
from pipeline.store import categories
from pipeline.store.database import Database
from pipeline.store.schema import detection, image, image_label, metadata, oracle
from tests.helpers.coco_files import annotation, base, document, mutated
from tests.helpers.coco_files import image as listed
from tests.helpers.coco_rules import assert_valid
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

ROWS_ONLY = ImportOptions(rows_only=True)


def study(folder: Path) -> Path:
    """Four photographs of which one has a box, one a label, one nothing, and one is not there."""
    for number, name in enumerate("abc"):
        put(folder / "photos" / f"{name}.jpg", encoded(scene(seed=number)))
    place = {"seq_id": "s", "seq_num_frames": 3, "location": "cam 1", "datetime": "2022-12-31 09:52:50"}
    made = document(
        listed("a.jpg", frame_num=0, **place),
        listed("b.jpg", frame_num=1, **place),
        listed("c.jpg", frame_num=2, **place),
        listed("d.jpg"),
        annotation("a.jpg", bbox=[50, 25, 100, 50]),
        annotation("b.jpg", category=0),
    )
    return put(folder / "set.json", json.dumps(made).encode())


def ingest(database: Database, folder: Path, *files: Path, **options: Any) -> ImportReport:
    detector = options.pop("detector", None)
    return import_coco(
        make_workspace(database, folder / "data"),
        files,
        str(folder / "photos"),
        detector,
        options=ImportOptions(**options),
    )


def rows(database: Database, *columns: sa.Column[Any]) -> list[tuple[Any, ...]]:
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(sa.select(*columns).order_by(*columns))]


def everything(database: Database) -> dict[str, Any]:
    """Every row of the store."""
    with database.read() as conn:
        return {
            table.name: sorted(map(repr, conn.execute(sa.select(table)))) for table in metadata.sorted_tables
        }


def test_photographs_boxes_and_labels_enter_the_store_once(database: Database, tmp_path: Path) -> None:
    path = study(tmp_path)
    report = ingest(database, tmp_path, path)
    assert (report.photographs, report.detections, report.labels) == (3, 1, 2)
    assert report.failed == {"missing": 1}
    columns = (image.c.file_name, image.c.source_id, image.c.seq_id, image.c.frame_num, image.c.location)
    assert rows(database, *columns)[:3] == [
        (f"{name}.jpg", f"id of {name}.jpg", "s", number, "cam 1") for number, name in enumerate("abc")
    ]
    assert rows(database, oracle.c.source) == [("coco:set",)]
    with database.read() as conn:
        names = categories.names(conn)
    ((box, label, found),) = rows(
        database, detection.c.detector, detection.c.category_id, detection.c["bbox_X1"]
    )
    assert (box, names[label], found) == ("coco:set", "red fox", 0.25)
    assert [names[row[0]] for row in rows(database, image_label.c.category_id)] == ["empty"]
    before = everything(database)
    again = ingest(database, tmp_path, path)
    assert (again.photographs, again.known, again.detections, again.labels) == (0, 3, 0, 0)
    after = everything(database)
    assert [after[name] for name in ("detection", "oracle", "image_label", "category")] == [
        before[name] for name in ("detection", "oracle", "image_label", "category")
    ]


def test_a_detector_looks_where_the_file_has_no_boxes(database: Database, tmp_path: Path) -> None:
    report = ingest(database, tmp_path, study(tmp_path), detector=WholeFrame())
    assert report.detections == 3
    assert rows(database, detection.c.detector) == [("coco:set",), ("whole-frame",), ("whole-frame",)]


def test_rows_come_without_photographs_and_crops_later(database: Database, tmp_path: Path) -> None:
    path = study(tmp_path)
    report = ingest(database, tmp_path, path, rows_only=True, role=Role.PRETRAINING)
    assert (report.photographs, report.detections, report.labels) == (4, 1, 2)
    assert rows(database, detection.c.crop_path) == [(None,)]
    assert set(rows(database, image.c.role)) == {("pretraining",)}
    ingest(database, tmp_path, path, role=Role.PRETRAINING)
    ((crop,),) = rows(database, detection.c.crop_path)
    assert (tmp_path / "data" / crop).is_file()


def test_the_size_that_boxes_lack_comes_with_the_photographs(database: Database, tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.jpg", encoded(scene(160, 120)))
    made = document(
        {"id": "1", "file_name": "a.jpg"}, annotation("a.jpg", image_id="1", bbox=[40, 30, 80, 60])
    )
    path = put(tmp_path / "set.json", json.dumps(made).encode())
    listed_only = ingest(database, tmp_path, path, rows_only=True)
    assert (listed_only.photographs, listed_only.detections, listed_only.labels) == (1, 0, 1)
    report = ingest(database, tmp_path, path)
    assert (report.looked_again, report.detections, report.labels) == (1, 1, 1)
    columns = (detection.c.bbox_X1, detection.c.bbox_Y1, detection.c.bbox_X2, detection.c.bbox_Y2)
    assert rows(database, *columns) == [(0.25, 0.25, 0.75, 0.75)]
    with database.read() as conn:
        names = categories.names(conn)
    assert [names[number] for (number,) in rows(database, detection.c.category_id)] == ["red fox"]


def test_the_command_imports_several_files_under_prefixes(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study(tmp_path)
    second = put(tmp_path / "two.json", json.dumps(document(listed("e.jpg", location="cam 1"))).encode())
    put(tmp_path / "photos" / "e.jpg", encoded(scene(seed=9)))
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    command = ["import", "coco", str(first), str(second), "--images", str(tmp_path / "photos")]
    result = CliRunner().invoke(wildloop, command)
    assert result.exit_code == 0, result.output
    assert "4 new photographs, 1 new detection" in result.output
    store = Database(sqlite_url)
    found = rows(store, image.c.source_id, image.c.location)
    assert ("ds000_id of a.jpg", "ds000_cam 1") in found
    assert ("ds001_id of e.jpg", "ds001_cam 1") in found
    store.dispose()


def test_a_file_that_is_none_leaves_the_store_as_it_was(database: Database, tmp_path: Path) -> None:
    ingest(database, tmp_path, study(tmp_path))
    before = everything(database)
    broken = base()
    broken["images"].append(listed("a.jpg"))
    with pytest.raises(SourceError, match="two images"):
        ingest(database, tmp_path, put(tmp_path / "broken.json", json.dumps(broken).encode()))
    with pytest.raises(SourceError, match="is not a folder"):
        import_coco(
            make_workspace(database, tmp_path / "data"),
            [tmp_path / "set.json"],
            str(tmp_path / "nowhere"),
            None,
        )
    assert everything(database) == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_broken_file_is_half_written(database: Database, tmp_path: Path, seed: int) -> None:
    (tmp_path / "photos").mkdir(exist_ok=True)
    path = put(tmp_path / "set.json", mutated(random.Random(seed)))
    before = everything(database)
    try:
        ingest(database, tmp_path, path, rows_only=True)
    except WildloopError:
        assert everything(database) == before


def test_ena24_is_imported_with_its_species(database: Database, tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "ena24"
    report = import_coco(
        make_workspace(database, tmp_path / "data"),
        [folder / "coco_annotations.json"],
        str(folder),
        None,
        options=ROWS_ONLY,
    )
    assert (report.photographs, report.detections, report.labels) == (21, 21, 21)
    with database.read() as conn:
        assert sorted(categories.names(conn).values())[0] == "american black bear"
        assert len(categories.names(conn)) == 8


def test_ena24_goes_out_and_comes_in_again(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared_data / "ena24"
    runner = CliRunner()
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    given, species = folder / "coco_annotations.json", []
    for turn in range(2):
        monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / f"data {turn}"))
        command = ["import", "coco", str(given), "--images", str(folder), "--rows-only"]
        assert "21 new photographs" in runner.invoke(wildloop, command).output
        given = tmp_path / f"out {turn}.json"
        result = runner.invoke(wildloop, ["export", "coco", str(given)])
        assert result.exit_code == 0, result.output
        made = assert_valid(given)
        names = {one["id"]: one["name"] for one in made["categories"]}
        files = {one["id"]: one["file_name"] for one in made["images"]}
        species.append(
            sorted(
                (files[one["image_id"]], names[one["category_id"]], one["bbox"])
                for one in made["annotations"]
            )
        )
    assert species[0] == species[1]
    assert len(species[0]) == 21
