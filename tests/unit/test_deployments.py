"""Tables of deployments, as people write them."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.reading import csv_file
from importers.sources.deployments import DeploymentsReport, import_deployments
from pipeline.errors import SourceError
from pipeline.records import DeploymentRecord
from pipeline.render.importing import deployments_report
from pipeline.store import deployments
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import put

GOOD = {
    **{"location": "X", "latitude": "52.1", "longitude": "5.1", "timezone": "Europe/Brussels"},
    **{"start": "2021-05-01", "end": "2021-06-01"},
}
HEADER = ",".join(GOOD)
MAY = {"started_at": dt.datetime(2021, 5, 1), "ended_at": dt.datetime(2021, 6, 1, 23, 59, 59)}
PLACE = ["latitude", "longitude"]  # of no use without the other
WHOLE = DeploymentRecord(
    id="X",
    location="X",
    latitude=52.1,
    longitude=5.1,
    timezone="Europe/Brussels",
    **MAY,  # type: ignore[arg-type]
)


def taken(database: Database, folder: Path, text: str | bytes) -> DeploymentsReport:
    data = text if isinstance(text, bytes) else text.encode()
    return import_deployments(make_workspace(database, folder / "data"), put(folder / "d.csv", data))


def stored(database: Database) -> dict[str, DeploymentRecord]:
    with database.read() as conn:
        return deployments.all(conn)


def test_a_row_without_coordinates_keeps_its_zone_and_period_and_another_table_brings_them(
    sqlite_database: Database, tmp_path: Path
) -> None:
    report = taken(sqlite_database, tmp_path, f"{HEADER}\nX,NA,,Europe/Brussels,2021-05-01,2021-06-01\n")
    assert (report.new, report.without_coordinates, dict(report.rows.unused_values)) == (1, 1, {})
    assert "1  deployment without coordinates: another table" in deployments_report(report)
    kept = stored(sqlite_database)["X"]
    assert (kept.latitude, kept.longitude, kept.timezone) == (None, None, "Europe/Brussels")
    assert (kept.started_at, kept.ended_at) == tuple(MAY.values())
    taken(sqlite_database, tmp_path, "location,latitude,longitude\nX,52.1,5.1\n")
    assert stored(sqlite_database) == {"X": WHOLE}


@pytest.mark.parametrize(
    "text",
    [
        "location;latitude;longitude;timezone;start;end\nX;52,1;5,1;Europe/Brussels;2021-05-01;2021-06-01\n",
        "location\tlatitude\tlongitude\ttimezone\tstart\tend\nX\t52.1\t5.1\tEurope/Brussels\t2021-05-01\t2021-06-01",
        f"\ufeff{HEADER}\r\nX,52.1,5.1,Europe/Brussels,2021-05-01,2021-06-01\r\n",
        f'\n\n{HEADER}\nX,"52,1","5,1",Europe/Brussels,2021-05-01 00:00,2021-06-01\n',
        gzip.compress(f"{HEADER}\nX,52.1,5.1,Europe/Brussels,2021-05-01,2021-06-01\n".encode(), mtime=0),
    ],
)
def test_tables_as_spreadsheets_and_programs_write_them_are_read(
    sqlite_database: Database, tmp_path: Path, text: str | bytes
) -> None:
    taken(sqlite_database, tmp_path, text)
    assert stored(sqlite_database) == {"X": WHOLE}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("latitude", "91", "latitude '91' is not a number from -90 to 90"),
        ("latitude", "nan", "is not a number from"),
        ("longitude", "181", "is not a number from"),
        ("longitude", "1,2,3", "is not a number from"),
        ("timezone", "Mars/Base", "use an IANA name"),
        ("timezone", "../UTC", "use an IANA name"),
        ("timezone", "+25:00", "use an IANA name"),
        ("start", "soon", "start 'soon' is not a date and time: write 2024-05-31"),
        ("start", "01/05/2021", "write 2024-05-31"),
        ("end", "2021-04-01", "it ends before it starts"),
        ("start", "0001-01-01T00:00:00+14:00", "is before 1900"),
    ],
)
def test_a_bad_value_costs_itself_alone(
    sqlite_database: Database, tmp_path: Path, column: str, value: str, said: str
) -> None:
    row = ",".join(f'"{text}"' for text in (GOOD | {column: value}).values())
    report = taken(sqlite_database, tmp_path, f"{HEADER}\n{row}\n")
    assert report.rows.unused_values == {column: 1}
    assert not report.rows.refused
    assert said in deployments_report(report)
    attribute = {"start": "started_at", "end": "ended_at"}.get(column, column)
    lost = PLACE if column in PLACE else [attribute]
    expected = vars(WHOLE) | dict.fromkeys(lost)
    assert vars(stored(sqlite_database)["X"]) == expected


@given(column=st.sampled_from(list(GOOD)[1:]), value=st.text(max_size=12))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_one_column_says_the_others_stay(
    sqlite_database: Database, tmp_path: Path, column: str, value: str
) -> None:
    text = value.replace('"', "").replace("\x00", "").encode("utf-8", "ignore").decode()
    row = ",".join(f'"{field}"' for field in (GOOD | {column: text}).values())
    with sqlite_database.write() as conn:
        conn.exec_driver_sql("DELETE FROM deployment")
    report = taken(sqlite_database, tmp_path, f"{HEADER}\n{row}\n")
    assert report.new == 1
    found = vars(stored(sqlite_database)["X"])
    other = {"latitude": PLACE, "longitude": PLACE, "timezone": ["timezone"]}
    may_differ = other.get(column, ["started_at", "ended_at"])
    assert {name for name in found if found[name] != vars(WHOLE)[name]} <= set(may_differ)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dep_lat", "no column latitude, longitude; its first line names location, lat, lon"),
        ("dep_caps", "no column latitude, longitude; its first line names Location, Latitude, Longitude"),
        ("dep_latin1", "is not UTF-8"),
    ],
)
def test_tables_with_other_columns_or_letters_are_refused_in_words(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, name: str, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        import_deployments(make_workspace(sqlite_database, tmp_path), field_cases / "csv" / f"{name}.csv")


def test_tables_as_they_are_found(sqlite_database: Database, tmp_path: Path, field_cases: Path) -> None:
    workspace = make_workspace(sqlite_database, tmp_path)
    place = DeploymentRecord(id="CamA", location="CamA", latitude=52.1, longitude=5.1)
    report = import_deployments(workspace, field_cases / "csv" / "dep_dmy.csv")
    assert stored(sqlite_database) == {"CamA": place}
    assert report.rows.unused_values == {"start": 1, "end": 1}
    import_deployments(workspace, field_cases / "csv" / "dep_semicolon.csv")
    period = {"started_at": dt.datetime(2021, 5, 1), "ended_at": dt.datetime(2021, 6, 1, 23, 59, 59)}
    assert vars(stored(sqlite_database)["CamA"]) == vars(place) | period


def test_a_place_is_never_made_of_two_tables(sqlite_database: Database, tmp_path: Path) -> None:
    taken(sqlite_database, tmp_path, "location,latitude,longitude\nX,50.5,4.25\n")
    taken(sqlite_database, tmp_path, "location,latitude,longitude\nX,10.5,425\n")
    found = stored(sqlite_database)["X"]
    assert (found.latitude, found.longitude) == (50.5, 4.25)


@pytest.mark.parametrize("text", ["1_0", "١٢", "0x10", "1 000"])
def test_what_only_python_reads_is_no_number(sqlite_database: Database, tmp_path: Path, text: str) -> None:
    report = taken(sqlite_database, tmp_path, f"location,latitude,longitude\nX,{text},5\n")
    assert report.rows.unused_values == {"latitude": 1}


def test_a_file_of_one_endless_line_is_refused(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "_LONGEST_LINE", 1_000)
    with pytest.raises(SourceError, match="is not a CSV file: a line has more than 1,000 characters"):
        taken(sqlite_database, tmp_path, f"location,latitude,longitude\n{'X' * 2_000}\n")
