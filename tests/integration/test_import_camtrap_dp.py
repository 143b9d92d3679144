"""Camtrap DP packages and tables of deployments, into the store and out again."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.detectors import WholeFrame
from importers.ingest.source_image import ImportOptions
from importers.sources.camtrap_dp import import_camtrap_dp
from importers.sources.deployments import import_deployments
from pipeline.cli import wildloop
from pipeline.errors import ExportError, SourceError
from pipeline.records import DeploymentRecord
from pipeline.render.importing import deployments_report
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import deployments, schema
from pipeline.store.database import Database
from tests.helpers.camtrap_dp_packages import (
    boxed,
    content,
    deployment,
    medium,
    observation,
    package,
    rows,
    write,
    zipped,
)
from tests.helpers.camtrap_dp_standard import problems
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

ROWS_ONLY = ImportOptions(rows_only=True)
STORED = (schema.deployment, schema.image, schema.detection, schema.image_label, schema.oracle)


def photographed(folder: Path, *rows: Any) -> Path:
    """A package whose photographs lie in it."""
    root = package(folder, *rows)
    for number, row in enumerate(rows[1] if len(rows) > 1 else [medium()]):
        put(root / row["filePath"], encoded(scene(seed=number)))
    return root


def stored(database: Database, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
    chosen = [table.c[name] for name in columns] or list(table.c)
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(sa.select(*chosen).order_by(*chosen[:2]))]


def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    return [stored(database, table) for table in STORED]


@pytest.mark.both_databases
def test_a_package_becomes_photographs_deployments_boxes_and_labels(
    database: Database, tmp_path: Path
) -> None:
    event = {"observationLevel": "event", "eventID": "e1", "scientificName": "Meles meles"}
    observations = [
        observation("o1", **boxed(), eventID="e1", classifiedBy="Ann"),
        observation("o2", mediaID="m2", observationType="blank", eventID="e1"),
        observation("o3", **event),
    ]
    media = [medium("m1"), medium("m2", timestamp="2024-05-02T10:00:05Z")]
    root = photographed(tmp_path / "p", [deployment()], media, observations)
    report = import_camtrap_dp(make_workspace(database, tmp_path / "data"), root)
    assert (report.photographs, report.detections, report.not_looked_at) == (2, 1, 1)
    assert stored(database, schema.deployment, "id", "location", "latitude", "longitude", "timezone") == [
        ("d1", "site d1", 51.1, 4.2, "+02:00")
    ]
    noon = dt.datetime(2024, 5, 2, 12, 0)
    columns = ("source_id", "datetime", "location", "deployment_id", "seq_id", "frame_num", "seq_num_frames")
    assert stored(database, schema.image, *columns) == [
        ("m1", noon, "site d1", "d1", "e1", 0, 2),
        ("m2", noon + dt.timedelta(seconds=5), "site d1", "d1", "e1", 1, 2),
    ]
    with database.read() as conn:
        names = dict(conn.execute(sa.select(schema.category.c.id, schema.category.c.name)).all())
    labels = stored(database, schema.image_label, "level", "category_id", "source")
    assert Counter((level, names[number]) for level, number, _ in labels) == {
        ("image", "empty"): 1,
        ("sequence", "meles meles"): 2,
    }
    assert {source for _, _, source in labels} == {"camtrap-dp:sample"}
    (answer,) = stored(database, schema.oracle, "source", "annotator", "label")
    assert (*answer[:2], names[answer[2]]) == ("camtrap-dp:sample", "Ann", "vulpes vulpes")


def test_a_second_import_changes_nothing(database: Database, tmp_path: Path) -> None:
    root = photographed(tmp_path / "p", [deployment()], [medium()], [observation(**boxed())])
    import_camtrap_dp(make_workspace(database, tmp_path / "data"), root)
    before = everything(database)
    report = import_camtrap_dp(make_workspace(database, tmp_path / "data"), root)
    assert (report.photographs, report.known, report.detections, report.labels) == (0, 1, 0, 0)
    assert everything(database) == before


def test_photographs_are_read_out_of_a_zip(sqlite_database: Database, tmp_path: Path) -> None:
    parts = content([deployment()], [medium("m1"), medium("m2")], [observation(**boxed())])
    photos = {f"media/m{number}.jpg": encoded(scene(seed=number)) for number in (1, 2)}
    path = zipped(tmp_path / "sample.zip", {**parts, **photos}, "sample/")
    report = import_camtrap_dp(make_workspace(sqlite_database, tmp_path / "data"), path, None, WholeFrame())
    assert (report.photographs, report.detections, report.failed) == (2, 2, {})
    assert len(list((tmp_path / "data/crops").rglob("*.jpg"))) == 2
    again = import_camtrap_dp(make_workspace(sqlite_database, tmp_path / "data"), path, None, WholeFrame())
    assert (again.photographs, again.known) == (0, 2)


@pytest.mark.both_databases
def test_a_broken_package_leaves_the_store_as_it_was(database: Database, tmp_path: Path) -> None:
    root = photographed(tmp_path / "p", [deployment()], [medium()])
    import_camtrap_dp(make_workspace(database, tmp_path / "data"), root)
    before = everything(database)
    other = package(tmp_path / "q", [deployment("d2")], [medium("m2", deploymentID="d2")])
    with (other / "observations.csv").open("ab") as file:
        file.write(b"o1,\xff\n")
    with pytest.raises(SourceError, match=r"observations\.csv is not UTF-8"):
        import_camtrap_dp(make_workspace(database, tmp_path / "data"), other)
    assert everything(database) == before


def test_videos_missing_and_outside_photographs_are_recorded_as_failures(
    sqlite_database: Database, tmp_path: Path
) -> None:
    media = [
        medium("m1"),
        medium("m2", fileMediatype="video/mp4"),
        medium("m3", filePath="../m3.jpg"),
        medium("m4", filePath="media/m4.jpg"),
    ]
    root = package(tmp_path / "p", [deployment()], media)
    put(root / "media/m1.jpg", encoded(scene()))
    report = import_camtrap_dp(make_workspace(sqlite_database, tmp_path / "data"), root)
    assert report.failed == {"video": 1, "outside": 1, "missing": 1}
    assert report.photographs == 1


# The official package.


def observed(found: Sequence[Mapping[str, str]]) -> Counter[tuple[str, ...]]:
    """How many observations there are of each level, type and species."""
    columns = ("observationLevel", "observationType", "scientificName")
    return Counter(tuple(row[name] for name in columns) for row in found)


def individuals(found: Sequence[Mapping[str, str]], level: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in found:
        if row["observationLevel"] == level and row["count"]:
            total[row["scientificName"].lower()] += int(row["count"])
    return total


def test_the_official_package_goes_in_and_comes_out_with_equal_counts(
    database: Database, tmp_path: Path, shared_data: Path
) -> None:
    official = shared_data / "camtrap_dp"
    report = import_camtrap_dp(make_workspace(database, tmp_path / "data"), official, options=ROWS_ONLY)
    assert (report.photographs, sum(report.refused.values()), sum(report.notes.values())) == (423, 0, 0)
    out = tmp_path / "out"
    told = {row["scientificName"].lower(): row["scientificName"] for row in rows(official, "observations")}
    write(out, StoreExport(make_workspace(database, tmp_path / "data"), None), taxa=told)
    assert problems(out) == []

    before, after = (
        {table: rows(root, table) for table in ("deployments", "media", "observations")}
        for root in (official, out)
    )
    columns: tuple[str, ...] = ("locationName", "latitude", "longitude", "deploymentStart", "deploymentEnd")
    cameras = [
        {row["deploymentID"]: tuple(row[name] for name in columns) for row in one["deployments"]}
        for one in (before, after)
    ]
    assert cameras[0] == cameras[1]
    columns = ("deploymentID", "timestamp", "filePath", "fileName", "fileMediatype")
    media = [
        {row["mediaID"]: tuple(row[name] for name in columns) for row in one["media"]}
        for one in (before, after)
    ]
    assert media[0] == media[1]

    old, new = before["observations"], after["observations"]
    assert (len(old), len(new)) == (549, 549)
    assert observed(new) == observed(old)
    for level in ("media", "event"):
        assert individuals(new, level) == individuals(old, level)
    # Row by row everything is the same but what is listed here: boxes have ids and tags of ours, and times
    # are written with the offset of the camera's clock.
    by_id = [{row["observationID"]: row for row in one if not row["bboxX"]} for one in (old, new)]
    assert by_id[0].keys() == by_id[1].keys()
    assert len(by_id[0]) == 529
    for id_, row in by_id[0].items():
        other = by_id[1][id_]
        differ = {name for name in row if row[name] != other[name]} - {"eventStart", "eventEnd"}
        assert not differ, (id_, differ)
        for name in ("eventStart", "eventEnd"):
            assert dt.datetime.fromisoformat(row[name]) == dt.datetime.fromisoformat(other[name])
    boxed_rows = [{row["mediaID"]: row for row in one if row["bboxX"]} for one in (old, new)]
    lost = {
        name
        for id_, row in boxed_rows[0].items()
        for name in row
        if row[name] and not boxed_rows[1][id_][name]
    }
    assert lost == set()
    assert {row["mediaID"] for row in new if row["mediaID"]} == {
        row["mediaID"] for row in old if row["mediaID"]
    }
    events = [{row["mediaID"]: row["eventID"] for row in one if row["mediaID"]} for one in (old, new)]
    assert events[0] == events[1]
    boxes = [sorted(_boxed(row) for row in one if row["bboxX"]) for one in (old, new)]
    assert boxes[0] == boxes[1]
    assert len(boxes[0]) == 20
    methods = [
        Counter(
            (row["classificationMethod"], row["classifiedBy"])
            for row in one
            if row["observationLevel"] == "event"
        )
        for one in (old, new)
    ]
    assert methods[0].keys() == methods[1].keys()


def _boxed(row: Mapping[str, str]) -> tuple[Any, ...]:
    sides = (round(float(row[name]), 5) for name in ("bboxX", "bboxY", "bboxWidth", "bboxHeight"))
    said = (
        "mediaID",
        "scientificName",
        "count",
        "classificationMethod",
        "classifiedBy",
        "classificationTimestamp",
    )
    return (*(row[name] for name in said), float(row["classificationProbability"]), *sides)


def test_the_photographs_of_the_official_package_are_cut(
    sqlite_database: Database, tmp_path: Path, shared_data: Path
) -> None:
    official = shared_data / "camtrap_dp"
    here = [
        row for row in rows(official, "media") if "://" not in row["filePath"]
    ]  # no test asks the network
    ids = {row["mediaID"] for row in here}
    seen = [row for row in rows(official, "observations") if row["mediaID"] in ids]
    root = package(tmp_path / "p", rows(official, "deployments"), here, seen)
    report = import_camtrap_dp(
        make_workspace(sqlite_database, tmp_path / "data"), root, str(official / "media")
    )
    assert (report.photographs, report.detections, report.failed) == (10, 10, {})
    assert len(list((tmp_path / "data/crops").rglob("*.jpg"))) == 10


def test_a_package_of_ours_comes_back_as_it_was(sqlite_database: Database, tmp_path: Path) -> None:
    observations = [
        observation("o1", **boxed(), classifiedBy="Ann"),
        observation("o2", mediaID="m2", count=2),
    ]
    root = photographed(tmp_path / "p", [deployment()], [medium("m1"), medium("m2")], observations)
    import_camtrap_dp(make_workspace(sqlite_database, tmp_path / "data"), root)
    first, second = tmp_path / "first.zip", tmp_path / "second"
    write(first, StoreExport(make_workspace(sqlite_database, tmp_path / "data"), None))
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    try:
        report = import_camtrap_dp(make_workspace(other, tmp_path / "other"), first, str(root))
        assert (report.photographs, report.failed, sum(report.refused.values())) == (2, {}, 0)
        write(second, StoreExport(make_workspace(other, tmp_path / "other"), None))
    finally:
        other.dispose()
    write(tmp_path / "third", StoreExport(make_workspace(sqlite_database, tmp_path / "data"), None))
    for table in ("deployments", "media"):
        assert rows(second, table) == rows(tmp_path / "third", table)
    plain = ("mediaID", "eventStart", "observationType", "scientificName", "count", "bboxX", "classifiedBy")
    for one, two in zip(rows(second, "observations"), rows(tmp_path / "third", "observations"), strict=True):
        assert [one[name] for name in plain[:-1]] == [two[name] for name in plain[:-1]]


ODD = st.sampled_from(
    [
        "",
        "NaN",
        "-1",
        "2",
        "1e400",
        "0001-01-01T00:00:00+14:00",
        "1850-01-01T00:00:00Z",
        "../x.jpg",
        "a\x00b",
        "é" * 90,
    ]
)
TABLES: dict[str, list[dict[str, Any]]] = {
    "deployments": [deployment(), deployment("d2")],
    "media": [medium("m1"), medium("m2", deploymentID="d2"), medium("m3", filePath="https://[::1/x")],
    "observations": [observation("o1", **boxed()), observation("o2", mediaID="m2", eventID="e1", count=2)],
}
CELLS = [
    (table, n, column) for table, found in TABLES.items() for n, row in enumerate(found) for column in row
]


@given(
    changes=st.lists(st.tuples(st.sampled_from(CELLS), ODD), min_size=1, max_size=3),
    cut=st.none() | st.tuples(st.sampled_from([f"{name}.csv" for name in TABLES]), st.floats(0, 1)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.both_databases
def test_mutated_packages_enter_either_database_or_leave_it_alone(
    database: Database,
    tmp_path: Path,
    changes: list[tuple[tuple[str, int, str], str]],
    cut: tuple[str, float] | None,
) -> None:
    tables = {table: [dict(row) for row in found] for table, found in TABLES.items()}
    for (table, number, column), value in changes:
        tables[table][number][column] = value
    parts = content(**tables)
    if cut is not None:
        parts[cut[0]] = parts[cut[0]][: int(len(parts[cut[0]]) * cut[1])]
    for name, data in parts.items():
        put(tmp_path / "p" / name, data)
    before = everything(database)
    try:
        import_camtrap_dp(make_workspace(database, tmp_path / "data"), tmp_path / "p", options=ROWS_ONLY)
    except SourceError:
        assert everything(database) == before


# Tables of deployments.


def deployments_of(database: Database) -> dict[str, DeploymentRecord]:
    with database.read() as conn:
        return deployments.all(conn)


@pytest.mark.both_databases
def test_a_table_of_deployments_gives_places_zones_and_periods(database: Database, tmp_path: Path) -> None:
    text = (
        "deploymentID,location,latitude,longitude,timezone,start,end\n"
        "d1,North,51.5,4.25,Europe/Brussels,2024-05-01,2024-05-31\n"
        "d2,South,-1.5,36.75,,2024-05-01T08:00:00+03:00,2024-05-31T05:00:00Z\n"
        ",West,0,-180,+05:30,,\n"
    )
    report = import_deployments(
        make_workspace(database, tmp_path / "data"), put(tmp_path / "d.csv", text.encode())
    )
    assert (report.new, report.updated, report.nothing_taken) == (3, 0, False)
    assert "3 new deployments" in deployments_report(report)
    north = DeploymentRecord(
        id="d1",
        location="North",
        latitude=51.5,
        longitude=4.25,
        timezone="Europe/Brussels",
        started_at=dt.datetime(2024, 5, 1),
        ended_at=dt.datetime(2024, 5, 31, 23, 59, 59),
    )
    south = DeploymentRecord(
        id="d2",
        location="South",
        latitude=-1.5,
        longitude=36.75,
        timezone="+03:00",
        started_at=dt.datetime(2024, 5, 1, 8, 0),
        ended_at=dt.datetime(2024, 5, 31, 8, 0),
    )
    west = DeploymentRecord(id="West", location="West", latitude=0.0, longitude=-180.0, timezone="+05:30")
    assert deployments_of(database) == {"d1": north, "d2": south, "West": west}
    again = import_deployments(make_workspace(database, tmp_path / "data"), tmp_path / "d.csv")
    assert (again.new, again.updated) == (0, 3)
    assert deployments_of(database) == {"d1": north, "d2": south, "West": west}


@pytest.mark.parametrize("column", ["location", "locationName", "locationID", "deploymentID"])
def test_a_place_may_be_named_by_any_of_its_columns(
    sqlite_database: Database, tmp_path: Path, column: str
) -> None:
    import_deployments(
        make_workspace(sqlite_database, tmp_path / "data"),
        put(tmp_path / "d.csv", f"{column},latitude,longitude\nX,1,2\n".encode()),
    )
    assert deployments_of(sqlite_database)["X"].location == "X"


def test_a_row_for_a_location_completes_the_deployments_there(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bare = DeploymentRecord(id="roll 1", location="North")
    own = DeploymentRecord(id="roll 2", location="North", latitude=9.0, longitude=9.0, timezone="UTC")
    with sqlite_database.write() as conn:
        deployments.add(conn, [bare, own])
    text = b"location,latitude,longitude,timezone\nNorth,51.5,4.25,+02:00\n"
    import_deployments(make_workspace(sqlite_database, tmp_path / "data"), put(tmp_path / "d.csv", text))
    found = deployments_of(sqlite_database)
    assert found["roll 1"] == replace(bare, latitude=51.5, longitude=4.25, timezone="+02:00")
    assert found["roll 2"] == own


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (",1,2,,,", "location"),
        ("A,1,2,,,", "duplicate"),
    ],
)
def test_a_broken_row_of_the_table_is_refused_alone(
    sqlite_database: Database, tmp_path: Path, row: str, kind: str
) -> None:
    text = f"location,latitude,longitude,timezone,start,end\nA,1,2,UTC,,\n{row}\n"
    report = import_deployments(
        make_workspace(sqlite_database, tmp_path / "data"), put(tmp_path / "d.csv", text.encode())
    )
    assert dict(report.rows.refused) == {kind: 1}
    assert "line 3" in deployments_report(report)
    assert list(deployments_of(sqlite_database)) == ["A"]


@pytest.mark.parametrize(
    "text",
    ["", "location,latitude\nA,1\n", "place,latitude,longitude\nA,1,2\n", "\udcff,latitude,longitude\n"],
)
def test_a_table_that_is_none_is_refused_as_a_whole(
    sqlite_database: Database, tmp_path: Path, text: str
) -> None:
    path = put(tmp_path / "d.csv", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=r"d\.csv"):
        import_deployments(make_workspace(sqlite_database, tmp_path / "data"), path)
    assert deployments_of(sqlite_database) == {}


@given(
    cells=st.lists(ODD | st.text(max_size=8), min_size=6, max_size=8),
    header=st.permutations(["location", "latitude", "longitude", "timezone", "start", "end", "deploymentID"]),
    cut=st.floats(0.5, 1),
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_mutated_table_of_deployments_gives_anything_but_rows_or_an_error_of_ours(
    sqlite_database: Database, tmp_path: Path, cells: list[str], header: list[str], cut: float
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([header, cells, ["A", "1", "2"], list(reversed(cells))])
    data = text.getvalue().encode("utf-8", "surrogatepass")
    try:
        import_deployments(
            make_workspace(sqlite_database, tmp_path / "data"),
            put(tmp_path / "d.csv", data[: int(len(data) * cut)]),
        )
    except SourceError as exc:
        if "d.csv" not in str(exc):
            raise AssertionError("the error does not name the table") from exc
    for one in deployments_of(sqlite_database).values():
        assert one.latitude is None or -90 <= one.latitude <= 90


def test_photographs_without_deployments_are_exported_once_a_table_places_them(
    sqlite_database: Database, tmp_path: Path
) -> None:
    from importers.sources.folder import import_folder

    photos = tmp_path / "photos"
    for number in range(2):
        data = encoded(scene(seed=number), taken_at=dt.datetime(2024, 7, 1, 6, number))
        put(photos / f"site {number}" / "IMG_1.JPG", data)
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    import_folder(workspace, photos, WholeFrame())
    view = StoreExport(workspace, None)
    with pytest.raises(ExportError, match=r"none of site 0, site 1 .*wildloop import deployments"):
        write(tmp_path / "out", view)
    text = b"location,latitude,longitude\nsite 0,51.5,4.25\nsite 1,51.6,4.5\n"
    import_deployments(workspace, put(tmp_path / "d.csv", text))
    view = StoreExport(workspace, None)
    with pytest.raises(ExportError, match="--timezone"):
        write(tmp_path / "out", view)
    write(tmp_path / "out", view, timezone="Europe/Brussels")
    assert problems(tmp_path / "out") == []
    assert [row["timestamp"] for row in rows(tmp_path / "out", "media")] == [
        "2024-07-01T06:00:00+02:00",
        "2024-07-01T06:01:00+02:00",
    ]


def test_the_commands_import_and_say_what_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    root = photographed(tmp_path / "p", [deployment()], [medium()], [observation(**boxed())])
    run = CliRunner().invoke(wildloop, ["import", "camtrap-dp", str(root)])
    assert run.exit_code == 0, run.output
    assert "1 new photograph" in run.output
    table = put(tmp_path / "d.csv", b"location,latitude,longitude\nX,1,2\n")
    run = CliRunner().invoke(wildloop, ["import", "deployments", str(table)])
    assert run.exit_code == 0, run.output
    assert "1 new deployment" in run.output
    broken = put(tmp_path / "b.csv", b"location,latitude,longitude\n,1,2\n")
    run = CliRunner().invoke(wildloop, ["import", "deployments", str(broken)])
    assert run.exit_code == 1
    assert "line 2" in run.output
