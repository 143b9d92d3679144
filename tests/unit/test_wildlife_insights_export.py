"""The batch upload of Wildlife Insights: what it says, what it leaves open, and that it comes in again."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from importers.ingest.report import ImportReport
from importers.reading import photograph_rows
from importers.reading.image_root import ImageRoot
from importers.reading.walk import WalkCounts
from importers.sources.wildlife_insights import read, source_images
from importers.sources.wildlife_insights.download import opened
from pipeline.errors import ExportError, FileError
from pipeline.exporters import wildlife_insights
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.source import Basis, ExportReport, LabelledImage
from pipeline.exporters.wildlife_insights.columns import CAMERA, DEPLOYMENT, IMAGE, PROJECT
from pipeline.records import Box, DeploymentRecord, SourceLabel, Taxon
from pipeline.render.datasets import export_report
from tests.helpers.photographs import put
from tests.helpers.surveys import NOON, box, photograph, survey

PEOPLE, MODEL = Basis.PEOPLE, Basis.MODEL
HILL = DeploymentRecord(
    id="DEP1",
    location="Hill",
    latitude=52.1,
    longitude=5.1,
    started_at=dt.datetime(2024, 4, 1),
    ended_at=dt.datetime(2024, 6, 1, 23, 59, 59),
    source="wildlife-insights:17",
    details={
        **{"project_id": "17", "camera_id": "c1", "make": "Reconyx", "feature_type": "Trail"},
        **{"bait_type": "None", "camera_functioning": "Camera Functioning"},
    },
)
FOX = Taxon(
    category="red fox",
    scientific_name="Vulpes vulpes",
    rank="species",
    taxon_id="f1d2b2e4-3b5c-4d6e-8f70-0123456789ab",
    lineage={"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Vulpes"},
    source="wildlife-insights:17",
)
DEER = Taxon(
    category="cervidae family",
    scientific_name="Cervidae",
    rank="family",
    taxon_id="2440901",
    lineage={"class": "Mammalia"},
)
TAXA = {"red fox": FOX, "cervidae family": DEER}


def at_hill(name: str, *boxes: Any, **fields: Any) -> LabelledImage:
    return photograph(name, *boxes, **{"location": "Hill", "deployment_id": "DEP1", **fields})


def written(
    folder: Path, *images: LabelledImage, deployments: Any = (HILL,), packages: Any = None, **options: Any
) -> tuple[dict[str, list[dict[str, str]]], ExportReport]:
    source = survey(*images, deployments=deployments, taxa=TAXA, packages=packages or {})
    report = wildlife_insights.write(folder, source, **options)
    tables = {}
    for path in folder.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            tables[path.stem] = list(csv.DictReader(file))
    return tables, report


def test_the_folder_has_the_four_tables_with_the_columns_of_the_templates(tmp_path: Path) -> None:
    written(tmp_path / "wi", at_hill("1.jpg", box("red fox", PEOPLE)))
    for name, columns in (
        *(("projects", PROJECT), ("cameras", CAMERA), ("deployments", DEPLOYMENT), ("images", IMAGE)),
    ):
        assert (tmp_path / f"wi/{name}.csv").read_text().splitlines()[0] == ",".join(columns)


def test_an_identification_has_its_taxon_its_count_and_who_made_it(tmp_path: Path) -> None:
    image = at_hill(
        "a/1.jpg",
        box("red fox", PEOPLE, by=("ada",)),
        box("red fox", PEOPLE, by=("ada",), at=Box(x1=0, y1=0, x2=0.1, y2=0.1)),
        box("cervidae family", MODEL, probability=0.9, at=Box(x1=0.9, y1=0, x2=1, y2=0.1)),
        seq_id="s1",
        source_id="i1",
    )
    tables, report = written(tmp_path / "wi", image, images_url="gs://bucket/x/")
    fox, deer = ({name: value for name, value in row.items() if value} for row in tables["images"])
    of_both = {
        **{"project_id": "17", "deployment_id": "DEP1", "image_id": "i1"},
        **{"location": "gs://bucket/x/a/1.jpg", "timestamp": "2024-05-01 12:00:00"},
        **{"external_sequence_id": "s1", "sequence_start_time": "2024-05-01 12:00:00"},
    }
    assert fox == of_both | {
        **{"identified_by": "ada", "wi_taxon_id": FOX.taxon_id, "class": "Mammalia", "order": "Carnivora"},
        **{"family": "Canidae", "genus": "Vulpes", "species": "vulpes", "common_name": "Red fox"},
        **{"number_of_objects": "2"},
    }
    assert deer == of_both | {
        **{"identified_by": "Computer Vision", "class": "Mammalia", "family": "Cervidae"},
        **{"common_name": "Cervidae family", "number_of_objects": "1"},
    }
    text = export_report(report)
    assert "1  row without wi_taxon_id" in text
    assert "1  row by a machine" in text


def test_what_annotators_said_of_an_animal_has_its_columns(tmp_path: Path) -> None:
    said = Attributes(count=3, sex="female", age="subadult", comment="ear tag", also=("red fox",))
    given = box("cervidae family", PEOPLE, attributes=said, by=("ada",))
    tables, _ = written(tmp_path / "wi", at_hill("1.jpg", given))
    names = ("common_name", "number_of_objects", "sex", "age", "individual_animal_notes", "identified_by")
    assert [[row[name] for name in names] for row in tables["images"]] == [
        ["Cervidae family", "3", "Female", "Subadult", "ear tag", "ada"],
        ["Red fox", "1", "", "", "", "ada"],
    ]


def test_photographs_of_two_sources_with_one_id_stay_apart(tmp_path: Path) -> None:
    images = [at_hill(name, box("red fox", PEOPLE), source_id="7") for name in ("a/1.jpg", "b/1.jpg")]
    tables, _ = written(tmp_path / "wi", *images)
    assert [row["image_id"] for row in tables["images"]] == ["7", images[1].image.id]


@pytest.mark.parametrize(
    ("category", "kind", "name", "id_", "count"),
    [
        ("empty", "animal", "Blank", "f1856211-cfb7-4a5b-9158-c0f72fd09ee6", "0"),
        (None, "person", "Human", "990ae9dd-7a59-4344-afcb-1b7b21368000", "1"),
        (None, "vehicle", "Vehicle", "e2895ed5-780b-48f6-8a11-9e27cb594511", "1"),
    ],
)
def test_what_is_no_taxon_has_its_word_and_its_id(
    tmp_path: Path, category: str | None, kind: str, name: str, id_: str, count: str
) -> None:
    basis = PEOPLE if category else Basis.NONE
    tables, _ = written(tmp_path / "wi", at_hill("1.jpg", box(category, basis, kind=kind)))
    (row,) = tables["images"]
    assert (row["common_name"], row["wi_taxon_id"], row["number_of_objects"]) == (name, id_, count)


def test_a_deployment_has_its_columns_and_its_camera_and_the_rest_is_listed(tmp_path: Path) -> None:
    tables, report = written(tmp_path / "wi", at_hill("1.jpg", box("red fox", PEOPLE)))
    (deployment,) = tables["deployments"]
    assert {name: value for name, value in deployment.items() if value} == {
        **{"project_id": "17", "deployment_id": "DEP1", "placename": "Hill"},
        **{"longitude": "5.1", "latitude": "52.1"},
        **{"start_date": "2024-04-01 00:00:00", "end_date": "2024-06-01 23:59:59"},
        **{"camera_id": "c1", "feature_type": "Trail", "bait_type": "None"},
        **{"camera_functioning": "Camera Functioning"},
    }
    (camera,) = tables["cameras"]
    assert (camera["camera_id"], camera["make"], camera["model"]) == ("c1", "Reconyx", "")
    assert tables["projects"][0]["project_name"] == "Spring survey"
    text = export_report(report)
    assert "2  columns of deployments.csv to fill in" in text
    assert "sensor_height, sensor_orientation" in text
    assert "1  photograph by file name" in text


def test_a_project_that_came_in_goes_out_with_its_columns(tmp_path: Path) -> None:
    project = {"project_id": "17", "project_name": "Hills", "metadata_license": "CC0", "embargo": "12"}
    image = at_hill("1.jpg", box("red fox", PEOPLE))
    tables, _ = written(tmp_path / "wi", image, packages={"wildlife-insights:17": {"project": project}})
    (row,) = tables["projects"]
    assert {name: value for name, value in row.items() if value} == project


def test_a_deployment_of_a_camtrap_dp_package_has_its_camera(tmp_path: Path) -> None:
    row = {"deploymentID": "DEP1", "cameraID": "c9", "cameraModel": "Reconyx-HF2", "setupBy": "ada"}
    record = replace(HILL, source="camtrap-dp:x", details={"deployments": row})
    image = at_hill("1.jpg", box("red fox", PEOPLE))
    tables, _ = written(tmp_path / "wi", image, deployments=(record,), project_id="mine")
    assert (tables["deployments"][0]["camera_id"], tables["deployments"][0]["recorded_by"]) == ("c9", "ada")
    assert (tables["cameras"][0]["camera_id"], tables["cameras"][0]["model"]) == ("c9", "Reconyx-HF2")


def test_a_photograph_of_a_download_has_the_address_that_it_had(tmp_path: Path) -> None:
    image = at_hill(
        "1.jpg",
        box("red fox", PEOPLE),
        source="wildlife-insights:17",
        details={"location": "gs://bucket/DEP1/1-abc.jpg"},
    )
    tables, report = written(tmp_path / "wi", image)
    assert tables["images"][0]["location"] == "gs://bucket/DEP1/1-abc.jpg"
    assert "by file name" not in export_report(report)


def test_without_a_deployment_the_location_and_the_photographs_tell_place_and_period(tmp_path: Path) -> None:
    later = NOON + dt.timedelta(days=2)
    images = [photograph("1.jpg", box("red fox", PEOPLE))]
    images.append(photograph("2.jpg", box("red fox", PEOPLE), datetime=later))
    tables, report = written(tmp_path / "wi", *images, deployments=(), project_id="mine")
    (row,) = tables["deployments"]
    assert (row["project_id"], row["deployment_id"], row["placename"]) == ("mine", "site a", "site a")
    assert (row["start_date"], row["end_date"]) == ("2024-05-01 12:00:00", "2024-05-03 12:00:00")
    assert (row["latitude"], tables["cameras"]) == ("", [])
    assert "1  deployment whose period" in export_report(report)


def test_without_a_known_project_its_id_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as raised:
        written(tmp_path / "wi", photograph("1.jpg"), deployments=())
    assert "--project-id" in str(raised.value.remedy)
    assert not (tmp_path / "wi").exists()


def test_what_has_no_place_in_the_upload_is_left_out_and_counted(tmp_path: Path) -> None:
    images = [
        at_hill("1.jpg", box()),
        at_hill("2.jpg", failure="truncated"),
        at_hill("3.jpg", box("red fox", PEOPLE), video="v.mp4"),
        at_hill("4.jpg", box("red fox", PEOPLE), datetime=None),
        at_hill("5.jpg", box(None, PEOPLE, unsure=True)),
    ]
    tables, report = written(tmp_path / "wi", *images)
    assert tables["images"] == []
    text = export_report(report)
    assert "1  photograph without an answer left out" in text
    assert "1  photograph that failed" in text
    assert "1  frame of videos left out" in text
    assert "1  photograph without a location or a time left out" in text
    assert "1  photograph that people are unsure of left out" in text


def test_a_folder_that_has_something_is_not_replaced(tmp_path: Path) -> None:
    put(tmp_path / "wi/images.csv", b"mine")
    with pytest.raises(FileError, match="exists already"):
        written(tmp_path / "wi", at_hill("1.jpg", box("red fox", PEOPLE)))
    assert (tmp_path / "wi/images.csv").read_bytes() == b"mine"


def test_uploads_that_we_write_are_read_back_as_they_were(tmp_path: Path) -> None:
    details = {"sex": "female", "lifeStage": "adult", "individualID": "F3"}
    by_source = SourceLabel(category="red fox", source="coco:x", annotator="bo", count=3, details=details)
    images = [
        at_hill("Hill/1.JPG", labels=[by_source], source_id="i1"),
        at_hill("Hill/2.JPG", box("cervidae family", MODEL, probability=0.9), source_id="i2"),
        at_hill("Hill/3.JPG", box("empty", PEOPLE, by=("ada",)), source_id="i3"),
    ]
    written(tmp_path / "wi", *images, images_url="gs://bucket/folder")
    for image in images:
        put(tmp_path / "photos" / image.image.file_name, b"x")
    report, root = ImportReport(source=""), ImageRoot(tmp_path / "photos")
    with opened(tmp_path / "wi") as source, photograph_rows.opened() as rows:
        tables = read(source, rows, report)
        rows.add_files(root.photographs(tmp_path / "data", WalkCounts()))
        rows.join()
        found = list(source_images(tables, rows, root, source.folder, report))
    assert [(entry.file_name, entry.source_id, entry.location) for entry in found] == [
        (image.image.file_name, image.image.source_id, "Hill") for image in images
    ]
    assert {entry.datetime for entry in found} == {NOON}
    fox, deer, empty = (entry.labels[0] for entry in found)
    assert (fox.category, fox.weak, fox.annotator, fox.count) == ("red fox", False, "bo", 3)
    assert fox.details == details
    assert (deer.category, deer.weak, deer.count) == ("cervidae family", True, 1)
    assert (empty.category, empty.weak, empty.annotator) == ("empty", False, "ada")
    assert tables.deployments["DEP1"] == HILL
    assert tables.taxa["red fox"].scientific_name == "Vulpes vulpes"
    assert not report.refused
    assert not report.unused_values
