"""Record tables of camtrapR: stations, species and the files of records."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import SourceImage
from importers.reading import photograph_rows
from importers.reading.image_root import ImageRoot
from importers.reading.walk import WalkCounts
from importers.sources.camtrapr import import_camtrapr, read, source_images
from pipeline.errors import SourceError
from pipeline.store import categories
from pipeline.store.database import Database
from pipeline.store.schema import image
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

HEADER = '"","Station","Camera","Species","DateTimeOriginal","Date","Time","Directory","FileName","n"\n'


def record(
    station: str = "StationA",
    species: str = "PBE",
    *,
    directory: str = "C:/x/StationA/PBE",
    name: str = "IMG_1.JPG",
    at: str = "2009-04-10 05:07:00",
    number: str = "NA",
) -> str:
    date, _, time = at.partition(" ")
    return f'"1","{station}",NA,"{species}","{at}","{date}","{time}","{directory}","{name}",{number}\n'


def entries(folder: Path, *records: str) -> tuple[list[SourceImage], ImportReport]:
    path = put(folder / "recordTable.csv", (HEADER + "".join(records)).encode())
    (folder / "photos").mkdir(exist_ok=True)
    report, root = ImportReport(source=str(path)), ImageRoot(folder / "photos")
    with photograph_rows.opened() as rows:
        read(path, root, rows, report)
        rows.add_files(root.photographs(folder / "data", WalkCounts()))
        rows.join()
        return list(source_images(rows, root, "camtrapr:recordTable", report)), report


def test_a_record_is_a_label_by_people_at_its_station(tmp_path: Path) -> None:
    put(tmp_path / "photos/StationA/PBE/IMG_1.JPG", b"x")
    (entry,), report = entries(tmp_path, record(number="2"))
    (label,) = entry.labels
    assert (label.category, label.weak, label.source) == ("PBE", False, "camtrapr:recordTable")
    assert (entry.file_name, entry.location) == ("StationA/PBE/IMG_1.JPG", "StationA")
    assert entry.datetime == dt.datetime(2009, 4, 10, 5, 7)
    assert entry.details == {"n": "2"}
    assert not report.notes


def test_several_records_of_a_file_are_labels_of_one_photograph(tmp_path: Path) -> None:
    (entry,), _ = entries(tmp_path, record(), record(species="Red Fox"), record())
    assert [label.category for label in entry.labels] == ["PBE", "Red Fox"]


@pytest.mark.parametrize(
    ("species", "expected"), [("blank", ["empty"]), ("NA", []), ("unidentified", [None])]
)
def test_words_that_name_no_species_mean_what_they_mean_elsewhere(
    tmp_path: Path, species: str, expected: list[str | None]
) -> None:
    (entry,), _ = entries(tmp_path, record(species=species))
    assert [label.category for label in entry.labels] == expected


def test_a_file_that_two_stations_have_is_found_in_the_folder_of_its_own(tmp_path: Path) -> None:
    for name in ("A/IMG_1.JPG", "B/IMG_1.JPG"):
        put(tmp_path / "photos" / name, b"x")
    records = [record(name_, directory=f"D:\\\\old\\\\{name_}") for name_ in ("B", "A", "C")]
    found, report = entries(tmp_path, *records)
    assert [entry.file_name for entry in found] == ["B/IMG_1.JPG", "A/IMG_1.JPG", "C/IMG_1.JPG"]
    assert report.notes == {Note.AMBIGUOUS_NAMES: 1}


def test_one_file_is_never_taken_for_two_photographs(tmp_path: Path) -> None:
    put(tmp_path / "photos/A/IMG_1.JPG", b"x")
    records = [record("A", directory=f"D:\\\\old\\\\{folder}") for folder in ("100RECNX", "101RECNX")]
    found, report = entries(tmp_path, *records)
    assert [entry.failure and entry.failure[0] for entry in found] == ["missing", "missing"]
    assert report.notes == {Note.AMBIGUOUS_NAMES: 2}


def test_a_name_that_leads_out_of_the_folder_is_outside(tmp_path: Path) -> None:
    put(tmp_path / "secret.jpg", b"x")
    ((entry,), _) = entries(tmp_path, record("A", directory="", name="../../secret.jpg"))
    assert entry.failure is not None
    assert entry.failure[0] == "outside"


def test_a_table_of_a_european_spreadsheet_is_read(tmp_path: Path) -> None:
    header = "\ufeff;Station;Species;DateTimeOriginal;FileName;distance\n"
    text = header + "1;A;Red Fox;2009-04-10 05:07:00;1.JPG;2,5\n"
    path = put(tmp_path / "records.csv", text.encode())
    report, root = ImportReport(source=str(path)), ImageRoot(tmp_path)
    with photograph_rows.opened() as rows:
        read(path, root, rows, report)
        rows.join()
        (entry,) = source_images(rows, root, "camtrapr:records", report)
    assert (entry.location, entry.labels[0].category) == ("A", "Red Fox")
    assert entry.details == {"distance": "2,5"}


def test_a_bad_time_costs_itself_and_a_record_without_a_file_is_refused(tmp_path: Path) -> None:
    (entry,), report = entries(tmp_path, record(at="noon today"), record(name="NA"), record(station="NA"))
    assert (entry.datetime, len(entry.labels)) == (None, 1)
    assert report.unused_values == {"DateTimeOriginal": 1}
    assert report.refused == {"incomplete": 2}


def test_another_table_is_refused(sqlite_database: Database, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", b"Station,Species\nA,fox\n")
    with pytest.raises(SourceError, match="has no column FileName"):
        import_camtrapr(make_workspace(sqlite_database, tmp_path / "data"), path, tmp_path)


def test_a_table_of_a_field_case_has_its_species_its_station_and_its_time(
    field_cases: Path, sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/StationA/PBE/IMG_1.JPG", encoded(scene()))
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_camtrapr(workspace, field_cases / "csv/recordTable.csv", tmp_path / "photos")
    assert (report.photographs, report.labels, report.failed) == (1, 1, {})
    with sqlite_database.read() as conn:
        (row,) = conn.execute(image.select()).all()
        assert "pbe" in categories.names(conn).values()
    assert (row.location, row.datetime) == ("StationA", dt.datetime(2009, 4, 10, 5, 7))
