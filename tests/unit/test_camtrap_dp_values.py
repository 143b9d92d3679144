"""One bad value of a Camtrap DP table costs that value: its row, and all else that the row says, stay."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport
from importers.ingest.source_image import SourceImage
from importers.sources.camtrap_dp.rows import Deployment
from pipeline.camtrap_dp import MISSING
from pipeline.errors import SourceError
from pipeline.records import Box
from tests.helpers.camtrap_dp_packages import (
    boxed,
    content,
    deployment,
    medium,
    observation,
    package,
    said,
    taken,
    zipped,
)
from tests.helpers.photographs import put


def only(path: Path) -> tuple[SourceImage, Deployment, ImportReport]:
    """The only photograph and the only deployment of a package, and the report."""
    (one,), deployments, report = taken(path)
    (camera,) = deployments.values()
    return one, camera, report


def box_of(one: SourceImage) -> Box | None:
    return one.detections.boxes[0].box if one.detections else None


@pytest.mark.parametrize("missing", sorted(MISSING))
def test_a_missing_value_is_none_in_every_optional_column(tmp_path: Path, missing: str) -> None:
    rows = {
        "deployments": [deployment(locationName=missing, latitude=missing, habitat=missing)],
        "media": [medium(fileName=missing, captureMethod=missing)],
        "observations": [
            observation(
                scientificName=missing,
                eventID=missing,
                count=missing,
                classifiedBy=missing,
                classificationTimestamp=missing,
                classificationProbability=missing,
                sex=missing,
                **dict.fromkeys(boxed(), missing),
            )
        ],
    }
    one, camera, report = only(package(tmp_path, *rows.values()))
    (label,) = one.labels
    assert (label.category, label.count, label.annotator, label.annotated_at) == (None, None, None, None)
    assert label.details == {"observationType": "animal"}
    assert (one.seq_id, one.detections) == (None, None)
    assert (camera.record.location, camera.record.latitude) == ("d1", None)
    assert not report.refused
    assert not report.unused_values


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("count", 0),
        ("count", "9" * 30),
        ("count", "two"),
        ("count", "1.5"),
        ("classificationProbability", 90),
        ("classificationProbability", "1e400"),
        ("classificationMethod", "guess"),
        ("classificationTimestamp", "yesterday"),
        ("lifeStage", "old"),
        ("sex", "both"),
        ("individualSpeed", "fast"),
        ("individualPositionAngle", 91),
        ("cameraSetupType", "repair"),
    ],
)
def test_a_wrong_value_of_an_observation_is_counted_and_its_label_stays(
    tmp_path: Path, column: str, value: Any
) -> None:
    row = {**observation(count=2, sex="male", **boxed()), column: value}
    one, _, report = only(package(tmp_path, [deployment()], [medium()], [row]))
    assert dict(report.unused_values) == {column: 1}
    assert report.examples[0][0] == "observations.csv line 2"
    assert f"{column} {str(value)[:40]!r}" in report.examples[0][1]
    assert not report.refused
    assert one.detections is not None
    (label,) = one.detections.boxes[0].labels
    assert label.category == "Vulpes vulpes"
    assert label.count == (None if column == "count" else 2)


@pytest.mark.parametrize("text", ["1.0", "1", "1,0", "+1", "1e0"])
def test_a_whole_number_may_be_written_with_a_fraction_of_zero(tmp_path: Path, text: str) -> None:
    one, _, report = only(package(tmp_path, [deployment()], [medium()], [observation(count=text)]))
    assert one.labels[0].count == 1
    assert not report.unused_values


@pytest.mark.parametrize(
    ("sides", "found"),
    [
        (boxed(x=-0.001), Box(x1=0, y1=0.25, x2=0.249, y2=0.75)),
        (boxed(height=1.0001), Box(x1=0.25, y1=0.25, x2=0.5, y2=1)),
        ({**boxed(), "bboxX": ".25", "bboxWidth": "0,25"}, Box(x1=0.25, y1=0.25, x2=0.5, y2=0.75)),
    ],
)
def test_a_box_that_is_out_by_a_rounding_is_cut_off(
    tmp_path: Path, sides: dict[str, Any], found: Box
) -> None:
    one, _, report = only(package(tmp_path, [deployment()], [medium()], [observation(**sides)]))
    box = box_of(one)
    assert box is not None
    assert (box.x1, box.y1) == (found.x1, found.y1)
    assert (box.x2, box.y2) == pytest.approx((found.x2, found.y2))
    assert not report.unused_values


@pytest.mark.parametrize(
    ("sides", "column"),
    [
        (boxed(x=-0.1), "bboxX"),
        (boxed(width=25), "bboxWidth"),
        (boxed(width=0), "box"),
        (boxed(x=1), "box"),
        ({**boxed(), "bboxX": "NaN"}, "box"),
        ({**boxed(), "bboxY": "top"}, "bboxY"),
    ],
)
def test_a_box_that_is_none_leaves_its_species_as_a_label_of_the_photograph(
    tmp_path: Path, sides: dict[str, Any], column: str
) -> None:
    one, _, report = only(package(tmp_path, [deployment()], [medium()], [observation(**sides)]))
    assert (box_of(one), said(one)) == (None, [("image", "Vulpes vulpes")])
    assert dict(report.unused_values) == {column: 1}


@pytest.mark.parametrize("latitude", ["NA", 91, "north"])
def test_a_deployment_without_a_good_latitude_keeps_its_name_period_and_clock(
    tmp_path: Path, latitude: Any
) -> None:
    row = deployment(locationName="Wood", latitude=latitude)
    one, camera, report = only(package(tmp_path, [row], [medium(timestamp="2024-05-02T10:00:00Z")]))
    assert (one.location, one.datetime) == ("Wood", dt.datetime(2024, 5, 2, 12, 0))
    record = camera.record
    assert (record.latitude, record.longitude, record.timezone) == (None, None, "+02:00")
    assert record.started_at == dt.datetime(2024, 5, 1, 10, 0)
    assert report.unused_values.total() == (latitude != "NA")


def test_a_deployment_whose_start_is_wrong_has_the_clock_of_its_end(tmp_path: Path) -> None:
    one, camera, report = only(package(tmp_path, [deployment(deploymentStart="May")]))
    assert (camera.record.started_at, camera.record.timezone) == (None, "+02:00")
    assert (camera.record.latitude, one.location) == (51.1, "site d1")
    assert dict(report.unused_values) == {"deploymentStart": 1}


@pytest.mark.parametrize("time", ["", "noon", "0001-01-01T00:00:00+14:00"])
def test_a_medium_without_a_good_time_is_a_photograph_without_one(tmp_path: Path, time: str) -> None:
    one, _, report = only(package(tmp_path, [deployment()], [medium(timestamp=time)], [observation()]))
    assert (one.datetime, said(one)) == (None, [("image", "Vulpes vulpes")])
    assert not report.refused
    assert dict(report.unused_values) == ({"timestamp": 1} if time else {})


def test_a_time_without_a_zone_is_on_the_clock_of_the_deployment(tmp_path: Path) -> None:
    row = observation(classificationTimestamp="2024-06-01 09:00:00")
    one, _, _ = only(package(tmp_path, [deployment()], [medium(timestamp="2024-05-02 12:00:00")], [row]))
    assert one.datetime == dt.datetime(2024, 5, 2, 12, 0)
    assert one.labels[0].annotated_at == dt.datetime(2024, 6, 1, 7, 0, tzinfo=dt.UTC)


def test_letter_case_makes_no_difference_to_words_of_the_standard(tmp_path: Path) -> None:
    row = observation(
        observationLevel="Media", observationType="Animal", classificationMethod="Machine", sex="MALE"
    )
    one, _, report = only(package(tmp_path, [deployment()], [medium()], [row]))
    (label,) = one.labels
    assert (label.category, label.weak, label.details) == ("Vulpes vulpes", True, {"sex": "male"})
    assert not report.unused_values


# Any text in any optional cell of a good row.
GOOD: dict[str, dict[str, Any]] = {
    "deployments": deployment(habitat="wood", cameraTilt=-15, baitUse="false", locationID="l1"),
    "media": medium(captureMethod="timeLapse", favorite="true", exifData="{}", mediaComments="x"),
    "observations": observation(
        count=2,
        eventID="e1",
        lifeStage="adult",
        sex="male",
        behavior="foraging",
        classifiedBy="Ann",
        classificationTimestamp="2024-06-01T08:00:00Z",
        classificationProbability=0.9,
        **boxed(),
    ),
}
TOLD = {  # what each column decides; further columns decide nothing here
    "locationName": ("location",),
    "locationID": (),
    "latitude": ("coordinates",),
    "longitude": ("coordinates",),
    "deploymentStart": ("start", "zone", "end", "time"),
    "deploymentEnd": ("end",),
    "timestamp": ("time", "frame"),
    "fileName": (),
    "fileMediatype": ("failure",),
    # A box of which nothing is named has no label.
    "scientificName": ("category", "labels", "seen", "count", "weak", "confidence", "annotator", "annotated"),
    "count": ("count",),
    "eventID": ("seq_id", "frame"),
    "classificationMethod": ("weak", "confidence"),
    "classifiedBy": ("annotator",),
    "classificationTimestamp": ("annotated",),
    "classificationProbability": ("confidence", "seen"),
    "bboxX": ("box", "labels", "seen"),
    "bboxY": ("box", "labels", "seen"),
    "bboxWidth": ("box", "labels", "seen"),
    "bboxHeight": ("box", "labels", "seen"),
    "observationTags": ("seen",),
}
REQUIRED = (
    *("deploymentID", "mediaID", "filePath", "observationID"),
    *("observationLevel", "observationType"),
)
CELLS = [(table, column) for table, row in GOOD.items() for column in row if column not in REQUIRED]
SPOILT = st.one_of(
    st.sampled_from(
        [
            *sorted(MISSING),
            "-1",
            "2",
            "1.0",
            "1,5",
            "90%",
            "inf",
            "1e400",
            "2024-02-30T00:00:00Z",
            "a\x00b",
            '"',
            "\n",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)


def told(one: SourceImage, camera: Deployment) -> dict[str, Any]:
    """All that the import tells of a photograph, its deployment and its observation."""
    label = one.detections.boxes[0].labels[:1] if one.detections else one.labels[:1]
    first = label[0] if label else None
    record = camera.record
    return {
        "location": one.location,
        "coordinates": (record.latitude, record.longitude),
        "start": record.started_at,
        "end": record.ended_at,
        "zone": record.timezone,
        "time": one.datetime,
        "failure": one.failure,
        "file": (one.file_name, one.source_id, one.deployment_id),
        "seq_id": one.seq_id,
        "frame": one.frame_num,
        "box": box_of(one),
        "labels": len(one.labels),
        "seen": one.detections.boxes[0].confidence if one.detections else None,
        "category": first and first.category,
        "count": first and first.count,
        "weak": first and first.weak,
        "confidence": first and first.confidence,
        "annotator": first and first.annotator,
        "annotated": first and first.annotated_at,
    }


@given(cell=st.sampled_from(CELLS), value=SPOILT)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_spoilt_cell_costs_no_more_than_what_it_says(
    tmp_path: Path, cell: tuple[str, str], value: str
) -> None:
    table, column = cell
    rows: dict[str, list[Mapping[str, Any]]] = {name: [row] for name, row in GOOD.items()}
    one, camera, _ = only(package(tmp_path / "good", *rows.values()))
    before = told(one, camera)
    rows[table] = [{**GOOD[table], column: value}]
    one, camera, report = only(package(tmp_path / "spoilt", *rows.values()))
    assert not report.refused
    assert report.unused_values.total() <= 1
    after = told(one, camera)
    may_differ = TOLD.get(column, ())
    assert {name for name in before if before[name] != after[name]} <= {*may_differ}
    assert after["category"] or column == "scientificName"


# Tables as the descriptor says.


def described(table: str, **entries: Any) -> dict[str, bytes]:
    """The files of a package of which the resource of one table has further entries."""
    files = content([deployment(locationName="Forêt")], [medium()], [observation(**boxed())])
    about = json.loads(files["datapackage.json"])
    resource = next(each for each in about["resources"] if each["name"] == table)
    resource.update(entries)
    return {**files, "datapackage.json": json.dumps(about).encode()}


def laid(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        put(folder / name, data)
    return folder


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize(
    ("entries", "rewritten"),
    [
        ({"dialect": {"delimiter": ";"}}, lambda text: text.replace(",", ";")),
        ({"dialect": {"csv": {"delimiter": ";"}}}, lambda text: text.replace(",", ";")),
        ({"dialect": {"delimiter": "\t"}}, lambda text: text.replace(",", "\t")),
        ({"dialect": {"quoteChar": "'"}}, lambda text: text.replace("Forêt", "'Forêt'")),
        ({"dialect": {"commentChar": "#"}}, lambda text: f"# from a program\n{text}"),
        ({"dialect": {"skipInitialSpace": True}}, lambda text: text.replace(",", ", ")),
        ({"dialect": {"header": False}}, lambda text: text.partition("\n")[2]),
        ({"schema": {"missingValues": ["-"]}}, lambda text: text.replace(",,", ",-,").replace(",,", ",-,")),
    ],
)
def test_a_table_is_read_in_its_own_dialect(
    tmp_path: Path, entries: dict[str, Any], rewritten: Any, as_zip: bool
) -> None:
    files = described("deployments", **entries)
    files["deployments.csv"] = rewritten(files["deployments.csv"].decode()).encode()
    path = zipped(tmp_path / "p.zip", files) if as_zip else laid(tmp_path / "p", files)
    one, camera, report = only(path)
    assert (one.location, camera.record.latitude) == ("Forêt", 51.1)
    assert not report.unused_values


@pytest.mark.parametrize("encoding", ["iso-8859-1", "latin1", "windows-1252", "utf-16", "UTF-8"])
def test_a_table_is_read_in_its_own_encoding(tmp_path: Path, encoding: str) -> None:
    files = described("deployments", encoding=encoding)
    files["deployments.csv"] = files["deployments.csv"].decode().encode(encoding)
    assert only(laid(tmp_path, files))[0].location == "Forêt"


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("renamed", [False, True])
def test_a_table_may_be_compressed(tmp_path: Path, as_zip: bool, renamed: bool) -> None:
    entries = {"path": "observations.csv.gz"} if renamed else {"compression": "gz"}
    files = described("observations", **entries)
    packed = gzip.compress(files.pop("observations.csv"))
    files["observations.csv.gz" if renamed else "observations.csv"] = packed
    path = zipped(tmp_path / "p.zip", files) if as_zip else laid(tmp_path / "p", files)
    assert box_of(only(path)[0]) is not None


@pytest.mark.parametrize(
    ("entries", "data", "message"),
    [
        ({"encoding": "klingon"}, None, "the encoding 'klingon'.*correct it"),
        ({"encoding": "base64"}, None, "the encoding 'base64'"),
        ({"encoding": "ascii"}, None, "is not ASCII.*`encoding` in datapackage.json"),
        ({"dialect": {"delimiter": "::"}}, None, "`dialect` in datapackage.json"),
        ({}, "Forêt".encode("latin1"), "is not UTF-8.*`encoding`"),
        ({}, b"deploymentID;latitude\n", "has no column.*`dialect`"),
        ({}, gzip.compress(b"x" * 5_000, mtime=0)[:30], "is damaged"),
    ],
)
@pytest.mark.parametrize("as_zip", [False, True])
def test_a_table_that_is_not_as_the_descriptor_says_is_refused_with_the_remedy(
    tmp_path: Path, entries: dict[str, Any], data: bytes | None, message: str, as_zip: bool
) -> None:
    files = described("deployments", **entries)
    files["deployments.csv"] = data or files["deployments.csv"]
    path = zipped(tmp_path / "p.zip", files) if as_zip else laid(tmp_path / "p", files)
    with pytest.raises(SourceError, match=message):
        taken(path)


# The field cases: packages as people have them. Each has two photographs of which a person saw a fox.


@pytest.mark.parametrize(
    "case", ["plain", "zzbom", "gz", "semicolon", "latin1_said", "subsec", "space", "remote_media"]
)
def test_a_package_as_people_have_it_is_read_in_full(field_cases: Path, case: str) -> None:
    found, deployments, report = taken(field_cases / "cdp" / case)
    assert len(found) == 2
    for one in found:
        assert (one.failure, one.location) == (None, "Forêt" if case == "latin1_said" else "Wood")
        assert one.datetime is not None
        assert one.datetime.replace(microsecond=0) == dt.datetime(2021, 5, 2, 10, 0)
        assert one.datetime.microsecond == (123_000 if case == "subsec" else 0)
        assert one.detections is not None
        (detected,) = one.detections.boxes
        assert (detected.box.x1, detected.labels[0].category, detected.labels[0].count) == (
            0.3,
            "Vulpes vulpes",
            1,
        )
    assert deployments["d1"].record.latitude == 52.1
    assert not report.refused
    assert not report.unused_values


def test_a_package_of_r_has_no_value_called_na(field_cases: Path) -> None:
    found, deployments, report = taken(field_cases / "cdp/na")
    assert (found[0].location, found[0].seq_id, found[0].detections) == ("Wood", "e0", None)
    (label,) = found[0].labels
    assert (label.category, label.count, label.annotator) == (None, None, None)
    assert label.details == {"observationType": "animal"}
    assert deployments["d1"].record.latitude is None
    assert not report.refused
    assert not report.unused_values


def test_a_deployment_without_coordinates_keeps_its_name_and_clock(field_cases: Path) -> None:
    found, deployments, report = taken(field_cases / "cdp/shift")
    assert {(one.location, one.datetime) for one in found} == {("Wood", dt.datetime(2021, 5, 2, 12, 0))}
    record = deployments["d1"].record
    assert (record.timezone, record.started_at, record.latitude) == (
        "+02:00",
        dt.datetime(2021, 5, 1),
        None,
    )
    assert not report.refused


def test_wrong_numbers_of_a_package_leave_species_and_boxes(field_cases: Path) -> None:
    found, _, report = taken(field_cases / "cdp/bbox_neg")
    boxes = [one.detections.boxes[0] for one in found if one.detections]
    assert [box.labels[0].category for box in boxes] == ["Vulpes vulpes"] * 2
    assert [(box.box.x1, box.box.y2) for box in boxes] == [(0.0, 0.6), (0.3, 1.0)]
    assert [box.labels[0].confidence for box in boxes] == [0.9, None]
    assert dict(report.unused_values) == {"count": 1, "classificationProbability": 1}
    assert not report.refused


def test_photographs_at_paths_of_another_computer_are_outside(field_cases: Path) -> None:
    found, _, _ = taken(field_cases / "cdp/abs_media")
    assert {one.failure and one.failure[0] for one in found} == {"outside"}


def test_photographs_at_paths_of_another_computer_are_found_by_their_file_names(field_cases: Path) -> None:
    found, _, _ = taken(field_cases / "cdp/abs_media", field_cases / "cdp/abs_media/media")
    assert [(one.file_name, one.failure) for one in found] == [("0.jpg", None), ("1.jpg", None)]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("latin1", r"deployments\.csv is not UTF-8.*`encoding`"),
        ("remote_table", "resource media is outside the package"),
        ("v01", "has no column deploymentID"),
        ("no_mediaid", "has no column mediaID"),
        ("trapper", "rename it to datapackage.json"),
    ],
)
def test_a_package_that_cannot_be_read_is_refused_in_words(
    field_cases: Path, case: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        taken(field_cases / "cdp" / case)
