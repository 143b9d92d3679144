"""What Camtrap DP packages say, entry by entry, and what becomes of broken ones."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import Note
from pipeline.errors import PhotoError, SourceError
from pipeline.files import reading
from pipeline.records import Level, SourceLabel
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
from tests.helpers.photographs import encoded, put, scene

SOURCE = "camtrap-dp:sample"


def test_a_medium_becomes_an_entry_with_all_that_its_row_says(tmp_path: Path) -> None:
    (one,), deployments, report = taken(package(tmp_path))
    assert one.file_name == "media/m1.jpg"
    assert one.path == str(tmp_path / "media/m1.jpg")
    assert (one.source_id, one.deployment_id, one.location) == ("m1", "d1", "site d1")
    assert one.datetime == dt.datetime(2024, 5, 2, 12, 0)
    assert (one.detections, one.labels, one.failure) == (None, (), None)
    assert (one.seq_id, one.frame_num, one.seq_num_frames) == (None, None, None)
    record = deployments["d1"].record
    assert (record.latitude, record.longitude, record.timezone) == (51.1, 4.2, "+02:00")
    assert record.started_at == dt.datetime(2024, 5, 1, 10, 0)
    assert record.ended_at == dt.datetime(2024, 5, 31, 10, 0)
    assert not report.refused


@pytest.mark.parametrize(
    ("columns", "location"),
    [
        ({"locationName": "Pond", "locationID": "l1"}, "Pond"),
        ({"locationName": "", "locationID": "l1"}, "l1"),
        ({"locationName": "", "locationID": ""}, "d1"),
    ],
)
def test_a_location_is_called_by_its_name_else_its_id_else_the_deployments(
    tmp_path: Path, columns: dict[str, str], location: str
) -> None:
    (one,), _, _ = taken(package(tmp_path, [deployment(**columns)]))
    assert one.location == location


def test_every_time_is_brought_to_the_clock_of_the_deployments_start(tmp_path: Path) -> None:
    # Set up in winter time; the package gives summer time, and UTC, for what was taken after the change.
    start = {"deploymentStart": "2024-03-30T10:00:00+01:00", "deploymentEnd": "2024-04-02T10:00:00+02:00"}
    media = [
        medium("m1", timestamp="2024-03-31T01:59:59+01:00"),
        medium("m2", timestamp="2024-03-31T03:00:00+02:00"),
        medium("m3", timestamp="2024-03-31T01:00:01Z"),
    ]
    found, deployments, _ = taken(package(tmp_path, [deployment(**start)], media))
    assert [one.datetime and one.datetime.time() for one in found] == [
        dt.time(1, 59, 59),
        dt.time(2, 0, 0),
        dt.time(2, 0, 1),
    ]
    assert deployments["d1"].record.timezone == "+01:00"
    assert deployments["d1"].record.ended_at == dt.datetime(2024, 4, 2, 9, 0)


def test_a_deployment_in_universal_time_keeps_it(tmp_path: Path) -> None:
    given = deployment(deploymentStart="2024-05-01T10:00:00Z")
    (one,), deployments, _ = taken(package(tmp_path, [given]))
    assert deployments["d1"].record.timezone == "UTC"
    assert one.datetime == dt.datetime(2024, 5, 2, 10, 0)


def test_times_without_a_zone_stand_as_they_are_and_are_counted(tmp_path: Path) -> None:
    given = deployment(deploymentStart="2024-05-01T10:00:00", deploymentEnd="")
    (one,), deployments, report = taken(package(tmp_path, [given]))
    assert (deployments["d1"].record.timezone, deployments["d1"].record.ended_at) == (None, None)
    assert one.datetime == dt.datetime(2024, 5, 2, 12, 0)
    assert report.notes[Note.NO_TIME_ZONE] == 1


@pytest.mark.parametrize(
    ("columns", "category"),
    [
        ({}, "Vulpes vulpes"),
        ({"scientificName": ""}, "None as animal"),
        ({"observationType": "human", "scientificName": "Homo sapiens"}, "human"),
        ({"observationType": "vehicle", "scientificName": ""}, "vehicle"),
        ({"observationType": "blank", "scientificName": ""}, "empty"),
        ({"observationType": "unknown"}, "None"),
        ({"observationType": "unclassified"}, None),
    ],
)
def test_an_observation_becomes_the_label_of_its_type(
    tmp_path: Path, columns: dict[str, str], category: str | None
) -> None:
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], [observation(**columns)]))
    kinds = [(label.category, (label.details or {}).get("observationType")) for label in one.labels]
    told = [f"{name} as {kind}" if kind else str(name) for name, kind in kinds]
    assert told == ([category] if category else [])


def test_a_label_tells_who_gave_it_when_and_how_sure_a_machine_was(tmp_path: Path) -> None:
    by_person = {"classifiedBy": "Ann", "classificationTimestamp": "2024-06-01T12:00:00+02:00", "count": 2}
    by_machine = {
        "classificationMethod": "machine",
        "classifiedBy": "Model 1",
        "classificationProbability": 0.75,
        "scientificName": "Meles meles",
    }
    rows = [observation("o1", **by_person), observation("o2", **by_machine)]
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], rows))
    assert set(one.labels) == {
        SourceLabel(
            category="Vulpes vulpes",
            source=SOURCE,
            annotator="Ann",
            annotated_at=dt.datetime(2024, 6, 1, 10, 0, tzinfo=dt.UTC),
            count=2,
            key="o1",
        ),
        SourceLabel(
            category="Meles meles",
            source=SOURCE,
            weak=True,
            confidence=0.75,
            annotator="Model 1",
            key="o2",
        ),
    }


def test_observations_of_one_species_that_differ_are_labels_of_their_own(tmp_path: Path) -> None:
    rows = [
        observation("o1", sex="male", lifeStage="adult", count=1, observationComments="limps"),
        observation("o2", sex="female", count=3),
    ]
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], rows))
    assert [(label.key, label.category, label.count, label.details) for label in one.labels] == [
        (
            "o1",
            "Vulpes vulpes",
            1,
            {"sex": "male", "lifeStage": "adult", "observationComments": "limps"},
        ),
        ("o2", "Vulpes vulpes", 3, {"sex": "female"}),
    ]


def test_an_event_that_nobody_classified_is_a_label_that_says_so(tmp_path: Path) -> None:
    row = observation("o1", **EVENT, eventID="e1", observationType="unclassified", scientificName="")
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], [row]))
    (label,) = one.labels
    assert (label.category, label.is_unclassified, label.level) == (None, True, Level.SEQUENCE)


def test_a_person_and_a_machine_that_name_the_same_species_are_both_told(tmp_path: Path) -> None:
    machine = observation("o1", classificationMethod="machine", count=5)
    person = observation("o2", scientificName="vulpes vulpes", count=2)
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], [machine, person]))
    assert [(label.weak, label.count) for label in one.labels] == [(True, 5), (False, 2)]


def test_boxes_become_findings_with_their_labels(tmp_path: Path) -> None:
    rows = [
        observation("o1", **boxed()),
        observation("o2", **boxed(), classificationMethod="machine", scientificName="Canis lupus"),
        observation("o3", **boxed(x=0.9), observationType="human"),
        observation(
            "o4", **boxed(x=0.5), observationType="unclassified", observationTags="bboxConfidence:0.4"
        ),
        observation(
            "o5",
            **boxed(y=0),
            scientificName="",
            classificationMethod="machine",
            classificationProbability=0.3,
        ),
    ]
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium()], rows))
    assert one.detections is not None
    assert one.detections.detector == SOURCE
    fox, person, unknown, animal = one.detections.boxes
    assert {(label.category, label.level, label.weak) for label in fox.labels} == {
        ("Vulpes vulpes", Level.BOX, False),
        ("Canis lupus", Level.BOX, True),
    }
    assert (fox.category, fox.confidence) == ("animal", 1.0)
    assert (person.category, person.box.x2) == ("person", 1.0)  # clipped to the frame
    assert (unknown.category, unknown.confidence, unknown.labels) == ("animal", 0.4, ())
    assert (animal.confidence, animal.labels) == (0.3, ())
    assert one.labels == ()


EVENT = {
    "observationLevel": "event",
    "eventStart": "2024-05-02T12:00:00+02:00",
    "eventEnd": "2024-05-02T12:00:10+02:00",
}


def frames(*seconds: int, **columns: Any) -> list[dict[str, Any]]:
    return [
        medium(f"m{number}", timestamp=f"2024-05-02T12:00:{second:02d}+02:00", **columns)
        for number, second in enumerate(seconds, 1)
    ]


def test_events_are_found_by_the_observations_of_their_media(tmp_path: Path) -> None:
    named = [
        observation(f"o{number}", mediaID=f"m{number}", eventID="e1", observationType="blank")
        for number in (1, 2)
    ]
    # Its times would reach m3, but the id says which media it is of.
    event = observation("o9", **EVENT, eventID="e1")
    found, _, _ = taken(package(tmp_path, [deployment()], frames(5, 1, 3), [*named, event]))
    assert [said(one) for one in found] == [
        [("image", "empty"), ("sequence", "Vulpes vulpes")],
        [("image", "empty"), ("sequence", "Vulpes vulpes")],
        [],
    ]
    assert [(one.seq_id, one.frame_num, one.seq_num_frames) for one in found] == [
        ("e1", 1, 2),
        ("e1", 0, 2),
        (None, None, None),
    ]


def test_events_that_no_medium_names_are_found_by_deployment_and_time(tmp_path: Path) -> None:
    media = [*frames(0, 10, 11), medium("m4", deploymentID="d2")]
    rows = [observation("o1", **EVENT, eventID="e1")]
    found, _, _ = taken(package(tmp_path, [deployment(), deployment("d2")], media, rows))
    assert [one.seq_id for one in found] == ["e1", "e1", None, None]
    assert [said(one) for one in found] == [[("sequence", "Vulpes vulpes")]] * 2 + [[]] * 2


def test_events_are_also_found_across_zones_and_without_an_id(tmp_path: Path) -> None:
    event = {**EVENT, "eventStart": "2024-05-02T10:00:00Z", "eventEnd": "2024-05-02T10:00:00Z"}
    found, _, report = taken(
        package(tmp_path, [deployment()], frames(0, 1), [observation(**event, eventID="")])
    )
    assert [said(one) for one in found] == [[("sequence", "Vulpes vulpes")], []]
    assert found[0].seq_id is not None
    assert not report.notes


def test_media_may_name_their_event_themselves(tmp_path: Path) -> None:
    found, _, _ = taken(package(tmp_path, [deployment()], frames(0, 59, eventID="e7")))
    assert [(one.seq_id, one.frame_num) for one in found] == [("e7", 0), ("e7", 1)]


def test_photographs_of_one_second_follow_their_file_names(tmp_path: Path) -> None:
    media = [medium("m1", fileName="B.jpg", eventID="e"), medium("m2", fileName="A.jpg", eventID="e")]
    found, _, _ = taken(package(tmp_path, [deployment()], media))
    assert [one.frame_num for one in found] == [1, 0]


def test_an_event_id_that_two_deployments_use_stays_two_sequences(tmp_path: Path) -> None:
    media = [medium("m1", eventID="1"), medium("m2", eventID="1", deploymentID="d2")]
    found, _, _ = taken(package(tmp_path, [deployment(), deployment("d2")], media))
    assert [(one.seq_id, one.seq_num_frames) for one in found] == [("d1/1", 1), ("d2/1", 1)]


def test_an_event_without_photographs_is_counted(tmp_path: Path) -> None:
    event = observation(
        observationLevel="event", eventStart="2024-05-09T12:00:00Z", eventEnd="2024-05-09T12:00:01Z"
    )
    _, _, report = taken(package(tmp_path, [deployment()], [medium()], [event]))
    assert report.notes[Note.EVENTS_WITHOUT_MEDIA] == 1


URL = "https://example.org/assets/1/file"


def test_a_photograph_elsewhere_is_looked_for_in_the_package_by_its_file_name(tmp_path: Path) -> None:
    root = package(tmp_path, [deployment()], [medium(filePath=URL), medium("m2", filePath=URL + "2")])
    put(root / "media" / "roll 1" / "m1.jpg", b"")
    first, second = taken(root)[0]
    assert (first.file_name, first.path) == ("media/roll 1/m1.jpg", str(root / "media/roll 1/m1.jpg"))
    assert (second.file_name, second.path) == ("d1/m2.jpg", URL + "2")
    assert (first.failure, second.failure) == (None, None)


def test_photographs_below_images_come_before_those_in_the_package(tmp_path: Path) -> None:
    root = package(tmp_path / "package", [deployment()], [medium(), medium("m2"), medium("m3", filePath=URL)])
    put(root / "media/m1.jpg", b"")
    images = tmp_path / "images"
    for name in ("media/m1.jpg", "elsewhere/m2.jpg", "m3.jpg"):
        put(images / name, b"")
    found = taken(root, images)[0]
    assert [one.file_name for one in found] == ["media/m1.jpg", "elsewhere/m2.jpg", "m3.jpg"]
    assert [one.path for one in found] == [str(images / one.file_name) for one in found]


def test_file_names_that_repeat_are_told_apart_by_folders_named_after_deployments(tmp_path: Path) -> None:
    media = [
        medium("m1", filePath=URL, fileName="IMG_1.jpg"),
        medium("m2", filePath=URL + "2", fileName="IMG_1.jpg", deploymentID="d2"),
        medium("m3", filePath=URL + "3", fileName="IMG_1.jpg", deploymentID="d3"),
    ]
    root = package(tmp_path, [deployment(), deployment("d2")], media)
    for folder in ("site d1", "d2"):
        put(root / "media" / folder / "IMG_1.jpg", b"")
    found, _, report = taken(root)
    assert [one.file_name for one in found] == [
        "media/site d1/IMG_1.jpg",
        "media/d2/IMG_1.jpg",
        "d3/IMG_1.jpg",
    ]
    assert report.notes[Note.AMBIGUOUS_NAMES] == 1


def test_one_file_is_never_taken_for_two_media_of_a_deployment(tmp_path: Path) -> None:
    media = [medium(f"m{number}", filePath=f"{URL}{number}", fileName="IMG_1.jpg") for number in (1, 2)]
    root = package(tmp_path, [deployment()], media)
    put(root / "media/site d1/IMG_1.jpg", b"")
    found, _, report = taken(root)
    assert [one.path for one in found] == [f"{URL}1", f"{URL}2"]
    assert report.notes[Note.AMBIGUOUS_NAMES] == 2


@pytest.mark.parametrize(
    "path", ["../m1.jpg", "/etc/m1.jpg", "file:///etc/m1.jpg", "C:/m1.jpg", "media/../../m1.jpg"]
)
def test_paths_that_lead_out_of_the_package_are_failures(tmp_path: Path, path: str) -> None:
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium(filePath=path)]))
    assert one.failure is not None
    assert one.failure[0] == "outside"


@pytest.mark.parametrize("columns", [{"fileMediatype": "video/mp4"}, {"fileName": "m1.MP4"}])
def test_videos_are_failures(tmp_path: Path, columns: dict[str, str]) -> None:
    (one,), _, _ = taken(package(tmp_path, [deployment()], [medium(**columns)]))
    assert one.failure is not None
    assert one.failure[0] == "video"


@pytest.mark.parametrize("inside", ["", "sample/", "a/b/"])
def test_a_zip_is_read_where_it_lies(tmp_path: Path, inside: str) -> None:
    photo = encoded(scene())
    path = zipped(tmp_path / "sample.zip", {**content(), "media/m1.jpg": photo}, inside)
    (one,), deployments, _ = taken(path)
    assert (one.file_name, list(deployments)) == ("media/m1.jpg", ["d1"])
    assert reading.read(one.path, 10**6) == photo
    with pytest.raises(PhotoError, match="too_large"):
        reading.read(one.path, 10)
    assert [found.name for found in tmp_path.iterdir()] == ["sample.zip"]


def test_photographs_in_a_zip_are_found_by_their_file_name_too(tmp_path: Path) -> None:
    parts = {**content(media=[medium(filePath=URL)]), "media/roll/m1.jpg": b"x"}
    (one,), _, _ = taken(zipped(tmp_path / "sample.zip", parts, "in/"))
    assert one.file_name == "media/roll/m1.jpg"
    assert reading.read(one.path, 10) == b"x"


def test_a_zip_that_was_written_again_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "sample.zip"
    for text in (b"first", b"second time"):
        (one,), _, _ = taken(zipped(path, {**content(), "media/m1.jpg": text}))
        assert reading.read(one.path, 100) == text


@pytest.mark.parametrize(
    ("table", "row", "kind"),
    [
        ("deployments", deployment("", locationName="x"), "deployment: incomplete"),
        ("deployments", deployment("d1"), "deployment: duplicate"),
        ("media", medium("m1"), "medium: duplicate"),
        ("media", medium("", filePath="x.jpg"), "medium: incomplete"),
        ("media", medium("m2", filePath=""), "medium: incomplete"),
        ("observations", observation("o0"), "observation: duplicate"),
        ("observations", observation("o2", mediaID="m9"), "observation: unknown medium"),
        ("observations", observation("o2", mediaID=""), "observation: incomplete"),
        ("observations", observation("o2", observationLevel="deployment"), "observation: level"),
        ("observations", observation("o2", observationType="plant"), "observation: type"),
        ("observations", observation("o2", observationLevel="event", eventEnd=""), "observation: time"),
    ],
)
def test_a_row_that_says_too_little_is_refused_alone_and_named(
    tmp_path: Path, table: str, row: dict[str, Any], kind: str
) -> None:
    tables: dict[str, list[Mapping[str, Any]]] = {
        "deployments": [deployment()],
        "media": [medium()],
        "observations": [observation("o0")],
    }
    tables[table].append(row)
    (one,), deployments, report = taken(package(tmp_path, *tables.values()))
    assert dict(report.refused) == {kind: 1}
    assert report.examples[0][0] == f"{table}.csv line 3"
    assert said(one) == [("image", "Vulpes vulpes")]
    assert list(deployments) == ["d1"]


def test_a_photograph_of_an_unknown_deployment_is_kept_without_it(tmp_path: Path) -> None:
    (one,), _, report = taken(package(tmp_path, [], [medium(deploymentID="d9")]))
    assert (one.deployment_id, one.location) == (None, "d9")
    assert report.notes[Note.UNKNOWN_DEPLOYMENTS] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datapackage.json": b"{"}, "is not JSON"),
        ({"datapackage.json": b"[]"}, "no list `resources`"),
        ({"datapackage.json": b'{"resources": []}'}, "no resource deployments"),
        ({"datapackage.json": None}, "has no datapackage.json"),
        ({"media.csv": None}, "media.csv is missing"),
        ({"media.csv": b""}, "is empty"),
        ({"media.csv": b"mediaID,timestamp\n"}, "no column deploymentID, filePath, fileMediatype"),
        ({"deployments.csv": b"\xff\xfe"}, "is not UTF-8"),
        ({"observations.csv": b"observationID,start,end\n"}, "no column deploymentID"),
    ],
)
@pytest.mark.parametrize("as_zip", [False, True])
def test_what_is_wrong_with_the_whole_package_is_told_up_front(
    tmp_path: Path, changes: dict[str, bytes | None], message: str, as_zip: bool
) -> None:
    parts = {name: data for name, data in {**content(), **changes}.items() if data is not None}
    path = zipped(tmp_path / "p.zip", parts) if as_zip else tmp_path / "p"
    for name, data in {}.items() if as_zip else parts.items():
        put(path / name, data)
    with pytest.raises(SourceError, match=message):
        taken(path)


@pytest.mark.parametrize(
    "path", ["../media.csv", "/tmp/media.csv", "https://example.org/media.csv", 7, [], ""]
)
def test_tables_outside_the_package_are_refused(tmp_path: Path, path: Any) -> None:
    resources = json.loads(content()["datapackage.json"])["resources"]
    resources[1]["path"] = path
    with pytest.raises(SourceError, match="resource media"):
        taken(package(tmp_path / "p", resources=resources))


def test_a_table_whose_name_no_disk_takes_is_missing(tmp_path: Path) -> None:
    resources = json.loads(content()["datapackage.json"])["resources"]
    resources[1]["path"] = "x" * 5_000
    with pytest.raises(SourceError, match="is missing"):
        taken(package(tmp_path / "p", resources=resources))


def test_photographs_are_looked_for_in_an_object_store(tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/camtrap-dp-test/roll/m1.jpg", b"x")
    (one,), _, _ = taken(package(tmp_path), "memory://camtrap-dp-test")
    assert one.file_name == "roll/m1.jpg"
    assert reading.read(one.path, 10) == b"x"


def test_an_object_store_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be listed"):
        taken(package(tmp_path), "nowhere://bucket")


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "p.zip", content(media=[medium(f"m{n}") for n in range(200)])).read_bytes()
    for number, data in enumerate(
        (whole[: len(whole) // 2], whole[:200] + b"\x00" * 50 + whole[250:], b"no zip")
    ):
        with pytest.raises(SourceError, match="is damaged"):
            taken(put(tmp_path / f"{number}.zip", data))


# Fuzzing: valid tables with cells replaced, rows doubled, and files cut anywhere.
ODD = st.one_of(
    st.sampled_from(
        [
            *("", "NaN", "nan", "-1", "1e400", "2", "0.5", "-0.0", "inf", "0001-01-01T00:00:00+14:00"),
            *("1850-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2024-05-02", "2024-02-30T00:00:00Z"),
            *("../../x.jpg", "/x", "a\x00b", "~", "file:///etc/passwd", "zip://a::b", "media", "event"),
            *(
                "blank",
                "human",
                "m1",
                "m2",
                "d1",
                "e1",
                "x" * 300,
                '"',
                "\r\n",
                "\ud800",
                "https://[::1",
                "a://b",
            ),
        ]
    ),
    st.text(max_size=12),
)
ROWS: dict[str, Sequence[Mapping[str, Any]]] = {
    "deployments": [deployment(), deployment("d2", locationID="l2")],
    "media": [medium("m1", eventID="e1"), medium("m2", filePath=URL), medium("m3", deploymentID="d2")],
    "observations": [
        observation("o1", **boxed(), eventID="e1", count=1),
        observation("o2", **EVENT, eventID="e1", classificationTimestamp="2024-05-02T12:00:00Z"),
        observation("o3", **EVENT, classificationMethod="machine", classificationProbability=0.5),
    ],
}
CELLS = [
    (table, number, column)
    for table, rows in ROWS.items()
    for number, row in enumerate(rows)
    for column in row
]


@given(
    changes=st.lists(st.tuples(st.sampled_from(CELLS), ODD), max_size=4),
    doubled=st.lists(st.sampled_from(sorted(ROWS)), max_size=1),
    cut=st.none()
    | st.tuples(st.sampled_from(["datapackage.json", *(f"{name}.csv" for name in ROWS)]), st.floats(0, 1)),
    as_zip=st.booleans(),
    about=st.fixed_dictionaries(
        {}, optional={"name": st.none() | ODD | st.integers(), "resources": st.none() | st.lists(ODD)}
    ),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_mutation_gives_anything_but_entries_or_an_error_of_ours(
    tmp_path: Path,
    changes: list[tuple[tuple[str, int, str], str]],
    doubled: list[str],
    cut: tuple[str, float] | None,
    as_zip: bool,
    about: dict[str, Any],
) -> None:
    tables = {table: [dict(row) for row in rows] for table, rows in ROWS.items()}
    for (table, number, column), value in changes:
        tables[table][number][column] = value
    for table in doubled:
        tables[table] += tables[table]
    parts = content(**tables, **about)
    if cut is not None:
        parts[cut[0]] = parts[cut[0]][: int(len(parts[cut[0]]) * cut[1])]
    path = tmp_path / "p"
    if as_zip:
        path = zipped(tmp_path / "p.zip", parts)
    else:
        for name, data in parts.items():
            put(path / name, data)
    try:
        found, deployments, report = taken(path)
    except SourceError as exc:
        if str(path) not in str(exc):
            raise AssertionError("the error does not name the package") from exc
        return
    for one in found:
        for text in (one.file_name, one.path, one.location, one.source_id, one.seq_id):
            assert text is None or ("\x00" not in text and text.encode())
        assert one.deployment_id is None or one.deployment_id in deployments
        boxes = [finding.box for finding in one.detections.boxes] if one.detections else []
        assert all(0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1 for box in boxes)
    assert sum(report.refused.values()) <= sum(map(len, tables.values()))
    if not changes and not doubled and cut is None:
        assert len(found) == 3
