"""Real results through the store and out again: what a second store makes of an export is the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from importers.ingest.source_image import ImportOptions
from importers.sources.detections_csv import import_detections
from importers.sources.megadetector import import_results
from pipeline.exporters import detections_csv, megadetector
from pipeline.records import Verdict, category_name
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import schema
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.megadetector_rules import broken_rules

EVERYTHING = ImportOptions(threshold=0.0, keep=frozenset({"animal", "person", "vehicle"}), rows_only=True)


@pytest.fixture
def second(tmp_path: Path) -> Database:
    store = Database(f"sqlite:///{tmp_path / 'second.db'}")
    store.migrate()
    return store


def boxes(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """Every detection by its photograph's name and its corners, with further columns."""
    image, detection = schema.image, schema.detection
    sides = [detection.c[name] for name in ("bbox_X1", "bbox_Y1", "bbox_X2", "bbox_Y2")]
    query = sa.select(image.c.file_name, *sides, *(detection.c[name] for name in columns)).join(
        image, image.c.id == detection.c.image_id
    )
    with database.read() as conn:
        return sorted(
            (row[0], *(f"{side:.5f}" for side in row[1:5]), *row[5:]) for row in conn.execute(query)
        )


def names(database: Database) -> list[str]:
    with database.read() as conn:
        return sorted(conn.scalars(sa.select(schema.image.c.file_name)))


@pytest.mark.parametrize("name", ["lila_mixed/megadetector_v5a.json", "ena24/md_annotations.json"])
def test_megadetector_results_go_through_the_store_and_come_out_the_same(
    database: Database, second: Database, shared_data: Path, tmp_path: Path, name: str
) -> None:
    source = shared_data / name
    given = json.loads(source.read_text())
    classified = "classification_categories" in given
    first = import_results(
        make_workspace(database, tmp_path),
        source,
        source.parent,
        options=EVERYTHING,
        classifications=classified,
    )
    assert first.labels == (21 if classified else 0)
    out = tmp_path / "out.json"
    report = megadetector.write(out, StoreExport(make_workspace(database, tmp_path), None))
    assert (report.photographs, report.detections) == (first.photographs, first.detections)
    written = json.loads(out.read_text())
    assert broken_rules(written) == []
    assert written["info"]["detector"] == given["info"]["detector"]
    import_results(
        make_workspace(second, tmp_path / "2"),
        out,
        source.parent,
        options=EVERYTHING,
        classifications=classified,
    )
    assert names(second) == names(database)
    columns = ("bbox_confidence", "detector", "detector_category")
    assert boxes(second, *columns) == boxes(database, *columns)
    if classified:
        assert labels(second) == labels(database)
        assert {row[1] for row in labels(database)} == {Verdict.WEAK.value}
        expected = {category_name(text) for text in given["classification_categories"].values()}
        assert {row[2] for row in labels(database)} == expected


def labels(database: Database) -> list[tuple[Any, ...]]:
    image, detection, oracle, category = schema.image, schema.detection, schema.oracle, schema.category
    query = (
        sa.select(image.c.file_name, oracle.c.verdict, category.c.name, oracle.c.confidence, oracle.c.source)
        .join(detection, detection.c.image_id == image.c.id)
        .join(oracle, oracle.c.detection_id == detection.c.id)
        .join(category, category.c.id == oracle.c.label)
    )
    with database.read() as conn:
        return sorted(tuple(row) for row in conn.execute(query))


@pytest.mark.parametrize("axis_order", ["yxyx", "xyxy"])
def test_detections_as_csv_go_through_the_store_and_come_out_the_same(
    database: Database, second: Database, shared_data: Path, tmp_path: Path, axis_order: Any
) -> None:
    source = shared_data / "lila_mixed" / "megadetector_v5a.json"
    animals = ImportOptions(threshold=0.0, rows_only=True)
    import_results(make_workspace(database, tmp_path), source, source.parent, options=animals)
    out = tmp_path / "out.csv"
    detections_csv.write(out, StoreExport(make_workspace(database, tmp_path), None), axis_order=axis_order)
    report = import_detections(
        make_workspace(second, tmp_path / "2"), out, source.parent, axis_order=axis_order, options=animals
    )
    assert report.refused == report.notes == {}
    assert boxes(second, "bbox_confidence") == boxes(database, "bbox_confidence")
