"""Downloads from Wildlife Insights: what people and Computer Vision identified, and where it was."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading import photograph_rows
from importers.reading.image_root import ImageRoot
from importers.reading.walk import WalkCounts
from importers.sources.wildlife_insights import Tables, import_wildlife_insights, read, source_images
from importers.sources.wildlife_insights.download import opened
from pipeline.errors import SourceError
from pipeline.records import DeploymentRecord, Level
from pipeline.store import categories, deployments, packages, taxa
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

FOX = {
    **{"wi_taxon_id": "t-fox", "class": "Mammalia", "order": "Carnivora", "family": "Canidae"},
    **{"genus": "Vulpes", "species": "vulpes", "common_name": "Red Fox"},
}
DEER = {"class": "Mammalia", "order": "Artiodactyla", "family": "Cervidae", "common_name": "Cervidae Family"}
NOBODY = {"common_name": "No CV Result", "class": "No CV Result"}


def seen(number: int = 1, /, **cells: Any) -> dict[str, Any]:
    """A row of images.csv by a person."""
    row = {
        **{"project_id": "17", "deployment_id": "DEP1", "image_id": f"i{number}"},
        **{"filename": f"IMG_{number}.JPG", "location": f"gs://bucket/DEP1/{number}-abc.JPG"},
        **{"is_blank": 0, "identified_by": "A. Tester", "timestamp": f"2021-05-02 10:00:{number:02}"},
        **{"number_of_objects": 1, "cv_confidence": ""},
    }
    return row | cells


def deployed(**cells: Any) -> dict[str, Any]:
    row = {
        "project_id": "17",
        "deployment_id": "DEP1",
        "placename": "Hill",
        "longitude": 5.1,
        "latitude": 52.1,
    }
    return row | {"start_date": "2021-05-01 00:00:00", "end_date": "2021-06-01 00:00:00"} | cells


def table(rows: list[dict[str, Any]]) -> bytes:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def download(folder: Path, *images: dict[str, Any], **tables: list[dict[str, Any]]) -> Path:
    put(folder / "images.csv", table(list(images)))
    for name, rows in {"deployments": [deployed()], **tables}.items():
        put(folder / f"{name}.csv", table(rows))
    return folder


def entries(folder: Path, images: Path | None = None) -> tuple[list[SourceImage], Tables, ImportReport]:
    report = ImportReport(source=str(folder))
    root = ImageRoot(images) if images is not None else None
    with opened(folder) as source, photograph_rows.opened() as rows:
        tables = read(source, rows, report)
        if root is not None:
            rows.add_files(root.photographs(folder / "none", WalkCounts()))
        rows.join()
        return list(source_images(tables, rows, root, source.folder, report)), tables, report


def labels(folder: Path, *images: dict[str, Any], **tables: Any) -> list[tuple[str | None, bool]]:
    (entry,), _, _ = entries(download(folder, *images, **tables))
    return [(label.category, label.weak) for label in entry.labels]


# Labels


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (FOX, [("red fox", False)]),
        (FOX | {"common_name": ""}, [("vulpes vulpes", False)]),
        (DEER, [("cervidae family", False)]),
        (FOX | {"identified_by": "Computer Vision", "cv_confidence": 0.97}, [("red fox", True)]),
        (FOX | {"identified_by": "CV"}, [("red fox", True)]),
        (FOX | {"identified_by": "", "cv_confidence": 97}, [("red fox", True)]),
        ({"is_blank": 1}, [("empty", False)]),
        ({"is_blank": "TRUE", "common_name": "Blank"}, [("empty", False)]),
        ({"common_name": "Blank"}, [("empty", False)]),
        ({"genus": "Homo", "species": "sapiens", "common_name": "Human-Camera Trapper"}, [("human", False)]),
        ({"common_name": "Vehicle"}, [("vehicle", False)]),
        ({"common_name": "Animal"}, [(None, False)]),
        (NOBODY | {"identified_by": "Computer Vision"}, []),
        ({}, []),
    ],
)
def test_a_row_is_a_label_by_people_or_a_weak_one_by_computer_vision(
    tmp_path: Path, cells: dict[str, Any], expected: list[tuple[str | None, bool]]
) -> None:
    assert labels(tmp_path, seen(**cells)) == expected


def test_several_rows_of_a_photograph_are_its_labels_with_counts_and_details(tmp_path: Path) -> None:
    rows = [
        seen(**FOX, number_of_objects=2, sex="Female", age="Adult", behavior="running"),
        seen(**DEER, individual_id="D7", individual_animal_notes="limps", markings="none"),
        seen(**FOX, sex="Unknown", age="Young", uncertainty="Probable"),
    ]
    (entry,), _, report = entries(download(tmp_path, *rows))
    first, second, third = entry.labels
    assert (first.category, first.count, first.annotator) == ("red fox", 2, "A. Tester")
    assert (first.level, first.source) == (Level.IMAGE, "wildlife-insights:17")
    assert first.details == {"sex": "female", "lifeStage": "adult", "behavior": "running"}
    assert second.details == {"individualID": "D7", "observationComments": "limps", "markings": "none"}
    assert (third.details, third.key) == ({"uncertainty": "Probable", "age": "Young"}, "2")
    assert report.notes == {Note.NO_TIME_ZONE: 1}
    assert not report.unused_values


def test_how_sure_computer_vision_is_comes_as_a_share_or_in_percent(tmp_path: Path) -> None:
    machine = {**FOX, "identified_by": "Computer Vision"}
    rows = [seen(1, **machine, cv_confidence="0.92"), seen(2, **machine, cv_confidence="92")]
    found, _, _ = entries(download(tmp_path, *rows))
    assert [entry.labels[0].confidence for entry in found] == [0.92, 0.92]


def test_labels_of_a_sequence_take_the_place_of_those_that_its_photographs_repeat(tmp_path: Path) -> None:
    rows = [seen(number, **FOX, sequence_id="s1") for number in (2, 1)]
    sequence = {
        "project_id": "17",
        "deployment_id": "DEP1",
        "sequence_id": "s1",
        "identified_by": "A. Tester",
    }
    found, _, _ = entries(download(tmp_path, *rows, sequences=[sequence | FOX | {"group_size": 3}]))
    assert [(entry.seq_id, entry.frame_num, entry.seq_num_frames) for entry in found] == [
        ("s1", 1, 2),
        ("s1", 0, 2),
    ]
    for entry in found:
        (label,) = entry.labels
        assert (label.category, label.level, label.count) == ("red fox", Level.SEQUENCE, 3)


# Deployments, times, further columns


def test_a_deployment_has_its_place_its_period_and_the_columns_of_its_camera(tmp_path: Path) -> None:
    camera = {"project_id": "17", "camera_id": "c1", "make": "Reconyx", "model": "HF2"}
    rows = [deployed(camera_id="c1", feature_type="Trail", bait_type="NA")]
    (entry,), tables, _ = entries(download(tmp_path, seen(), deployments=rows, cameras=[camera]))
    assert tables.deployments["DEP1"] == DeploymentRecord(
        id="DEP1",
        location="Hill",
        latitude=52.1,
        longitude=5.1,
        started_at=dt.datetime(2021, 5, 1),
        ended_at=dt.datetime(2021, 6, 1, 23, 59, 59),
        source="wildlife-insights:17",
        details={
            **{"project_id": "17", "camera_id": "c1", "make": "Reconyx", "model": "HF2"},
            **{"feature_type": "Trail"},
        },
    )
    assert (entry.location, entry.deployment_id) == ("Hill", "DEP1")
    assert entry.datetime == dt.datetime(2021, 5, 2, 10, 0, 1)


def test_a_deployment_keeps_what_is_good_of_it(tmp_path: Path) -> None:
    rows = [deployed(latitude="north", start_date="soon")]
    _, tables, report = entries(download(tmp_path, seen(), deployments=rows))
    record = tables.deployments["DEP1"]
    assert (record.location, record.latitude, record.longitude, record.started_at) == ("Hill", *[None] * 3)
    assert record.ended_at is not None
    assert report.unused_values == {"latitude": 1, "start_date": 1}
    assert report.notes[Note.NO_COORDINATES] == 1


def test_photographs_of_no_listed_deployment_have_its_id_as_location(tmp_path: Path) -> None:
    (entry,), _, report = entries(download(tmp_path, seen(), deployments=[deployed(deployment_id="D2")]))
    assert (entry.location, entry.deployment_id) == ("DEP1", None)
    assert report.notes[Note.UNKNOWN_DEPLOYMENTS] == 1


def test_further_columns_of_a_photograph_are_kept(tmp_path: Path) -> None:
    (entry,), _, _ = entries(download(tmp_path, seen(license="CC-BY", highlighted=1, bounding_boxes="NA")))
    assert entry.source_id == "i1"
    assert entry.details == {
        **{"license": "CC-BY", "highlighted": "1", "location": "gs://bucket/DEP1/1-abc.JPG"}
    }


# Files


def test_photographs_are_found_by_the_end_of_their_address_or_by_their_name(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("DEP1/1-abc.JPG", "DEP1/IMG_2.JPG", "DEP9/IMG_2.JPG", "elsewhere/IMG_3.JPG"):
        put(photos / name, b"x")
    found, _, report = entries(download(tmp_path / "wi", *map(seen, range(1, 5))), photos)
    assert [entry.file_name for entry in found] == [
        *("DEP1/1-abc.JPG", "DEP1/IMG_2.JPG", "elsewhere/IMG_3.JPG", "DEP1/IMG_4.JPG")
    ]
    assert found[0].path == f"{photos.resolve()}/DEP1/1-abc.JPG"
    assert found[3].path == "gs://bucket/DEP1/4-abc.JPG"
    assert Note.AMBIGUOUS_NAMES not in report.notes


def test_a_file_is_given_to_no_photograph_if_several_could_be_meant(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    put(photos / "IMG_1.JPG", b"x")
    rows = [seen(1), seen(2, filename="IMG_1.JPG", deployment_id="DEP2")]
    found, _, report = entries(download(tmp_path / "wi", *rows), photos)
    assert [entry.path for entry in found] == ["gs://bucket/DEP1/1-abc.JPG", "gs://bucket/DEP1/2-abc.JPG"]
    assert report.notes[Note.AMBIGUOUS_NAMES] == 2


def test_one_file_is_never_taken_for_two_photographs_of_a_deployment(tmp_path: Path) -> None:
    put(tmp_path / "photos/DEP1/IMG_1.JPG", b"x")
    rows = [seen(1, location=""), seen(2, location="", filename="IMG_1.JPG")]
    found, _, _ = entries(download(tmp_path / "wi", *rows), tmp_path / "photos")
    assert [entry.failure and entry.failure[0] for entry in found] == ["missing", "missing"]


def test_a_photograph_that_is_not_below_images_says_so_before_its_address_fails(
    sqlite_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    path = download(tmp_path / "wi", seen(1, location="nowhere://bucket/1.JPG"))
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_wildlife_insights(workspace, path, str(tmp_path / "photos"))
    assert report.examples[0][1].startswith("unreadable: not below --images; Protocol not known")
    report = import_wildlife_insights(workspace, path)
    assert report.examples[0][1].startswith("unreadable: Protocol not known")


def test_a_copy_of_a_table_beside_it_counts_no_animal_twice(tmp_path: Path) -> None:
    path = download(tmp_path / "wi", seen(1, **FOX, number_of_objects="2"))
    (path / "images (1).csv").write_bytes((path / "images.csv").read_bytes())
    ((entry,), _, report) = entries(path)
    assert [(label.category, label.count) for label in entry.labels] == [("red fox", 2)]
    assert report.duplicates == 1


def test_tables_may_be_split_and_in_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("wi/images_1.csv", table([seen(1, **FOX)]))
        file.writestr("wi/images_2.csv", table([seen(2, **DEER)]))
        file.writestr("wi/deployments.csv", table([deployed()]))
        file.writestr("__MACOSX/wi/._images_1.csv", b"\x00\x05")
    found, _, _ = entries(archive)
    assert [entry.labels[0].category for entry in found] == ["red fox", "cervidae family"]


def test_tables_of_a_spreadsheet_and_compressed_ones_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "wi"
    put(folder / "images.csv.gz", gzip.compress(table([seen(1, **FOX)])))
    text = "deployment_id;placename;longitude;latitude\nDEP1;Hill;5,1;52,1\n"
    put(folder / "deployments.csv", text.encode())
    (entry,), tables, report = entries(folder)
    assert entry.labels[0].category == "red fox"
    assert (tables.deployments["DEP1"].latitude, tables.deployments["DEP1"].longitude) == (52.1, 5.1)
    assert not report.unused_values


@pytest.mark.parametrize("kind", ["folder", "zip", "damaged", "columns"])
def test_what_is_no_download_is_refused_before_anything_is_written(
    sqlite_database: Database, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "wi"
    if kind == "folder":
        put(path / "pictures.csv", b"a\n1\n")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.csv", b"a\n")
    elif kind == "damaged":
        put(path, b"PK nothing")
    else:
        put(path / "images.csv", b"image_id\n1\n")
    with pytest.raises(SourceError):
        import_wildlife_insights(make_workspace(sqlite_database, tmp_path / "data"), path)
    with sqlite_database.read() as conn:
        assert (deployments.all(conn), taxa.all(conn)) == ({}, {})


def test_rows_without_a_deployment_or_a_file_are_refused(tmp_path: Path) -> None:
    bad = [seen(1, deployment_id=""), seen(2, filename="", location="NA")]
    found, _, report = entries(download(tmp_path, *bad, seen(3)))
    assert [entry.source_id for entry in found] == ["i3"]
    assert report.refused == {"photograph: incomplete": 2}


def test_everything_is_in_the_store(sqlite_database: Database, tmp_path: Path) -> None:
    put(tmp_path / "photos/IMG_1.JPG", encoded(scene()))
    project = {"project_id": "17", "project_name": "Hills", "metadata_license": "CC0"}
    path = download(tmp_path / "wi", seen(1, **FOX), projects=[project])
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_wildlife_insights(workspace, path, str(tmp_path / "photos"))
    assert (report.photographs, report.labels) == (1, 1)
    with sqlite_database.read() as conn:
        assert deployments.all(conn)["DEP1"].location == "Hill"
        assert packages.all(conn) == {"wildlife-insights:17": {"project": project}}
        (taxon,) = taxa.all(conn).values()
        assert (taxon.scientific_name, taxon.taxon_id) == ("Vulpes vulpes", "t-fox")
        assert "red fox" in categories.names(conn).values()


OPTIONAL = [
    *("image_id", "location", "is_blank", "identified_by", "timestamp", "number_of_objects", "cv_confidence"),
    *("wi_taxon_id", "class", "genus", "sex", "age", "license", "sequence_id", "project_id"),
]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))


@settings(max_examples=60, deadline=None)
@given(column=st.sampled_from(OPTIONAL), value=st.one_of(TEXTS, st.integers().map(str)))
def test_one_bad_value_costs_a_value(
    tmp_path_factory: pytest.TempPathFactory, column: str, value: str
) -> None:
    row = seen(1, **FOX) | {"location": "a/IMG_1.JPG"} | {column: value}
    (spoilt, other), _, report = entries(download(tmp_path_factory.mktemp("wi"), row, seen(2, **DEER)))
    assert not report.refused
    assert other.labels[0].category == "cervidae family"
    expected = (
        "empty" if column == "is_blank" and value.lower() in ("1", "t", "y", "yes", "true") else "red fox"
    )
    assert [label.category for label in spoilt.labels] == [expected]


def test_the_command_of_a_field_case_keeps_labels_deployment_and_period(
    field_cases: Path, sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/IMG_1.JPG", encoded(scene()))
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_wildlife_insights(
        workspace, field_cases / "wi_bundle", str(tmp_path / "photos"), options=ImportOptions(rows_only=True)
    )
    assert (report.photographs, report.labels, report.refused) == (1, 1, {})
    with sqlite_database.read() as conn:
        record = deployments.all(conn)["DEP1"]
    assert (record.location, record.latitude, record.longitude) == ("PlaceA", 52.1, 5.1)
    assert record.started_at == dt.datetime(2021, 5, 1)
