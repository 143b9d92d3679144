"""CSV files of Timelapse: the fields of a template as labels, and the photographs that they are of."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.ingest.videos import VideoSampler
from importers.reading import photograph_rows
from importers.reading.image_root import ImageRoot
from importers.sources.timelapse import import_timelapse, read, source_images
from importers.sources.timelapse.table import fields_of
from pipeline.cli import wildloop
from pipeline.errors import SourceError
from pipeline.records import LARGEST, Level
from pipeline.store.database import Database
from pipeline.store.schema import image
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene


def seen(number: int = 1, /, **cells: Any) -> dict[str, Any]:
    row = {
        **{"RootFolder": "Survey", "File": f"IMG_{number}.JPG", "RelativePath": "CamA\\100RECNX"},
        **{"DateTime": f"2024-05-11 21:40:{number:02}", "DeleteFlag": "false", "Species": "Red Fox"},
    }
    return row | cells


def table(folder: Path, *rows: dict[str, Any], name: str = "timelapse.csv") -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return put(folder / name, text.getvalue().encode())


def entries(
    folder: Path, *rows: dict[str, Any], species: tuple[str, ...] = ("Species",), count: str | None = None
) -> tuple[list[SourceImage], ImportReport]:
    path = table(folder, *rows)
    report, root = ImportReport(source=str(path)), ImageRoot(folder)
    fields, further = fields_of(path, species, count)
    sampler = VideoSampler(folder / "data", ImportOptions(), report)
    with photograph_rows.opened() as scratch:
        read(path, root, scratch, report)
        scratch.join()
        return list(
            source_images(scratch, root, fields, "timelapse:spring", further, sampler, report)
        ), report


def labels(folder: Path, species: tuple[str, ...] = ("Species",), **cells: Any) -> list[tuple[Any, Any]]:
    (entry,), _ = entries(folder, seen(**cells), species=species, count="Count" if "Count" in cells else None)
    return [(label.category, label.count) for label in entry.labels]


# Labels


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Count": "3"}, [("Red Fox", 3)]),
        ({"Count": "0"}, [("Red Fox", None)]),
        ({"Species": "Blank"}, [("empty", None)]),
        ({"Species": "Nothing here"}, [("empty", None)]),
        ({"Species": ""}, []),
        ({"Species": "unknown"}, [(None, None)]),
        ({"Species": "person"}, [("person", None)]),
    ],
)
def test_a_field_that_names_species_is_a_label_by_people_and_an_empty_one_no_answer(
    tmp_path: Path, cells: dict[str, Any], expected: list[tuple[Any, Any]]
) -> None:
    assert labels(tmp_path, **cells) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Empty": "true"}, [("empty", None)]),
        ({"Empty": "False"}, []),
        ({"Deer": "2"}, [("Deer", 2)]),
        ({"Deer": "0"}, []),
    ],
)
def test_flags_and_counters_are_named_after_what_they_flag_and_count(
    tmp_path: Path, cells: dict[str, Any], expected: list[tuple[Any, Any]]
) -> None:
    assert labels(tmp_path, tuple(cells), **cells) == expected


def test_several_fields_have_their_own_counts_and_methods(tmp_path: Path) -> None:
    row = seen() | {
        **{"Count": 2, "ClassificationMethod": "human", "Species2": "Roe Deer", "Count2": 4},
        **{"ClassificationMethod2": "machine", "Probability2": "0.91"},
    }
    (entry,), _ = entries(tmp_path, row, species=("Species", "Species2"), count="Count")
    first, second = entry.labels
    assert (first.category, first.count, first.weak) == ("Red Fox", 2, False)
    assert (second.category, second.count, second.weak) == ("Roe Deer", 4, True)
    assert second.confidence == 0.91
    assert first.source == "timelapse:spring"


def test_further_fields_of_the_template_are_kept(tmp_path: Path) -> None:
    (entry,), _ = entries(tmp_path, seen(Temperature="12", Notes="a, b", Flag=""), count=None)
    assert entry.details == {"Notes": "a, b", "Temperature": "12"}


def test_without_a_named_field_those_called_species_are_read(tmp_path: Path) -> None:
    path = table(tmp_path, seen(Count=2, species2="Roe Deer", count2=1, Animal="x"))
    fields, further = fields_of(path, (), None)
    assert [(field.name, field.count) for field in fields] == [("Species", "Count"), ("species2", None)]
    assert further == {"Animal", "count2"}


def test_without_such_a_field_the_likely_one_is_proposed(tmp_path: Path) -> None:
    row = {name: value for name, value in seen(Animal="Red Fox", Temperature=12).items() if name != "Species"}
    path = table(tmp_path, row)
    with pytest.raises(SourceError) as raised:
        fields_of(path, (), None)
    assert "--species-field 'Animal'" in str(raised.value.remedy)
    assert "Animal, Temperature" in str(raised.value)
    with pytest.raises(SourceError, match="has no field Species"):
        fields_of(path, ("Species",), None)
    with pytest.raises(SourceError, match="has no field Number"):
        fields_of(path, ("Animal",), "Number")


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no column RelativePath"):
        fields_of(put(tmp_path / "a.csv", b"File,Species\na.jpg,fox\n"), ("Species",), None)


# Photographs


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, dt.datetime(2024, 5, 11, 21, 40, 1)),
        ({"DateTime": "11-May-2024 21:40:01"}, dt.datetime(2024, 5, 11, 21, 40, 1)),
        ({"DateTime": "", "Date": "11-May-2024", "Time": "21:40:01"}, dt.datetime(2024, 5, 11, 21, 40, 1)),
        ({"DateTime": "", "Date": "2024-05-11", "Time": "21:40:01"}, dt.datetime(2024, 5, 11, 21, 40, 1)),
        (
            {"DateTime": "2024-05-12T04:40:01.000Z", "UtcOffset": "-7.0"},
            dt.datetime(2024, 5, 11, 21, 40, 1),
        ),
        ({"DateTime": ""}, None),
    ],
)
def test_times_of_every_version_are_read(
    tmp_path: Path, cells: dict[str, Any], expected: dt.datetime | None
) -> None:
    (entry,), report = entries(tmp_path, seen(**cells))
    assert entry.datetime == expected
    assert not report.notes


def test_a_time_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    (entry,), report = entries(tmp_path, seen(DateTime="yesterday", UtcOffset="far"))
    assert (entry.datetime, len(entry.labels), report.unused_values) == (None, 1, {"DateTime": 1})


def test_deleted_photographs_videos_and_second_rows_are_told_apart(tmp_path: Path) -> None:
    rows = [seen(1, DeleteFlag="true"), seen(2), seen(2), seen(3, File="V.AVI"), seen(4, File="")]
    found, report = entries(tmp_path, *rows)
    assert [(entry.file_name, entry.failure and entry.failure[0]) for entry in found] == [
        ("CamA/100RECNX/IMG_2.JPG", None),
        ("CamA/100RECNX/V.AVI", "video"),
    ]
    assert report.notes == {Note.MARKED_FOR_DELETION: 1}
    assert (len(found[0].labels), report.refused) == (1, {"without a file name": 1})


def test_a_row_that_was_duplicated_for_another_species_counts(tmp_path: Path) -> None:
    rows = [
        seen(1, Count="2"),
        seen(1, Species="Roe Deer"),
        seen(1, Species="red fox", Count="1"),
        seen(1, Species=""),
    ]
    ((entry,), _) = entries(tmp_path, *rows, count="Count")
    assert [(label.category, label.count, label.key) for label in entry.labels] == [
        ("Red Fox", 2, ""),
        ("Roe Deer", None, ""),
        ("red fox", 1, "2"),
    ]


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"DateTime": "2024-05-01T10:00:00Z", "UtcOffset": "1e300"}, "DateTime"),
        ({"DateTime": "2024-05-01T10:00:00Z", "UtcOffset": "soon"}, "DateTime"),
        ({"DateTime": "01-Jan-0001 00:00:00"}, "DateTime"),
        ({"Count": "99999999999"}, "Count"),
        ({"Count": "9" * 5_000}, "Count"),
    ],
)
def test_a_value_of_another_world_costs_itself(tmp_path: Path, cells: dict[str, str], column: str) -> None:
    ((entry,), report) = entries(tmp_path, seen(**cells), count="Count" if column == "Count" else None)
    assert report.unused_values == {column: 1}
    assert [label.category for label in entry.labels] == ["Red Fox"]
    assert entry.datetime is None or column == "Count"


@pytest.mark.parametrize("digits", [10, 20, 5_000])
def test_a_counter_of_any_length_is_stored(tmp_path: Path, digits: int) -> None:
    ((entry,), _) = entries(tmp_path, seen(Species="9" * digits))
    assert [label.count for label in entry.labels] == [LARGEST]


def test_the_folder_above_the_root_folder_is_known_by_the_root_folder(tmp_path: Path) -> None:
    put(tmp_path / "Survey/CamA/100RECNX/IMG_2.JPG", b"")
    found, _ = entries(tmp_path, seen(1), seen(2))  # the file of the first row is gone
    assert [entry.file_name for entry in found] == [
        f"Survey/CamA/100RECNX/IMG_{number}.JPG" for number in (1, 2)
    ]


def test_a_video_is_sampled_and_its_species_is_that_of_all_its_frames(tmp_path: Path) -> None:
    helpers = pytest.importorskip("tests.helpers.videos", reason="the extra `video` is absent")
    helpers.video(tmp_path / "CamA/100RECNX/V.MP4", frames=25)
    found, report = entries(tmp_path, seen(1, File="V.MP4", Notes="dusk"))
    assert [entry.file_name for entry in found] == [
        f"CamA/100RECNX/V.MP4/frame{number:06}.jpg" for number in (0, 10, 20)
    ]
    assert [entry.datetime for entry in found] == [
        dt.datetime(2024, 5, 11, 21, 40, 1 + second) for second in range(3)
    ]
    assert {entry.video for entry in found} == {"CamA/100RECNX/V.MP4"}
    assert {entry.labels[0].level for entry in found} == {Level.SEQUENCE}
    assert found[2].details == {"Notes": "dusk"}
    assert report.notes == {Note.VIDEOS: 1}


def test_images_may_be_the_folder_above_the_root_folder(tmp_path: Path) -> None:
    put(tmp_path / "Survey/CamA/100RECNX/IMG_1.JPG", b"x")
    (entry,), _ = entries(tmp_path, seen())
    assert entry.file_name == "Survey/CamA/100RECNX/IMG_1.JPG"


def test_names_that_lead_out_of_the_folder_are_failures(tmp_path: Path) -> None:
    (entry,), _ = entries(tmp_path, seen(RelativePath="..\\other"))
    assert entry.failure is not None
    assert entry.failure[0] == "outside"


def test_a_file_of_a_field_case_has_its_species_its_location_and_its_time(
    field_cases: Path, sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/CamA/100RECNX/IMG_1.JPG", encoded(scene()))
    report = import_timelapse(
        make_workspace(sqlite_database, tmp_path / "data"),
        field_cases / "csv/timelapse.csv",
        tmp_path / "photos",
    )
    assert (report.photographs, report.labels, report.failed) == (1, 1, {})
    with sqlite_database.read() as conn:
        (row,) = conn.execute(image.select()).all()
    assert (row.location, row.datetime) == ("CamA", dt.datetime(2021, 5, 2, 10))


def test_the_command_says_which_fields_it_reads_unless_they_are_named(tmp_path: Path) -> None:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    path = table(tmp_path, seen(Animal="cow"))
    command = ["import", "timelapse", str(path), "--images", str(tmp_path), "--rows-only"]
    done = CliRunner().invoke(wildloop, command, env=environ)
    assert done.exit_code == 0, done.output
    assert "1  field called Species, read as what is seen" in done.output
    assert "1  new label from the source" in done.output
    done = CliRunner().invoke(wildloop, [*command, "--species-field", "Animal"], env=environ)
    assert done.exit_code == 0, done.output
    assert "called Species" not in done.output


def test_fields_of_a_template_do_not_replace_what_another_source_said(
    sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/CamA/100RECNX/IMG_1.JPG", encoded(scene()))
    workspace = make_workspace(sqlite_database, tmp_path / "data")

    def details(name: str, temperature: int) -> tuple[str, dict[str, str]]:
        path = table(tmp_path, seen(Temperature=temperature), name=f"{name}.csv")
        import_timelapse(workspace, path, tmp_path / "photos", species_fields=("Species",))
        with sqlite_database.read() as conn:
            (row,) = conn.execute(image.select()).all()
        return row.source, row.details

    assert details("first", 12) == ("timelapse:first", {"Temperature": "12"})
    assert details("second", 13) == ("timelapse:first", {"Temperature": "12"})
    assert details("first", 14) == ("timelapse:first", {"Temperature": "14"})


OPTIONAL = ["RootFolder", "DateTime", "Date", "Time", "UtcOffset", "Count", "Probability", "Notes", "Folder"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))


@settings(max_examples=60, deadline=None)
@given(column=st.sampled_from(OPTIONAL), value=st.one_of(TEXTS, st.floats().map(str)))
def test_one_bad_value_costs_a_value(
    tmp_path_factory: pytest.TempPathFactory, column: str, value: str
) -> None:
    row = seen(ClassificationMethod="machine", Count=1, Probability=0.5) | {column: value}
    (entry,), report = entries(tmp_path_factory.mktemp("timelapse"), row, count="Count")
    assert [label.category for label in entry.labels] == ["Red Fox"]
    assert not report.refused
