"""Camtrap DP packages that frictionless accepts, and what they say of each answer."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ExportError
from pipeline.exporters.attributes import AGES, SEXES, Attributes
from pipeline.exporters.camtrap_dp import read_taxa
from pipeline.exporters.camtrap_dp.deployments import OUTSIDE_PERIOD, WITHOUT_LOCATION, WITHOUT_TIME
from pipeline.exporters.camtrap_dp.package import RENAMED
from pipeline.exporters.camtrap_dp.source_rows import stamp
from pipeline.exporters.source import Basis
from pipeline.records import DRAWN_DETECTOR, Box, DeploymentRecord, Level, SourceLabel, Taxon, Way
from pipeline.timezones import zone_of
from tests.helpers.camtrap_dp_packages import (
    boxed,
    deployment,
    medium,
    observation,
    package,
    rows,
    taken,
    write,
)
from tests.helpers.camtrap_dp_standard import problems
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.surveys import NOON, SIGNED_OFF, STRUCK_OUT, FixedSurvey, box, photograph, survey

AT = dt.datetime(2024, 5, 20, 9, 30, tzinfo=dt.UTC)
DEPLOYMENT = DeploymentRecord(
    id="d1", location="site a", latitude=51.1, longitude=4.2, timezone="Europe/Brussels"
)


def written(folder: Path, *photographs: Any, **options: Any) -> list[dict[str, str]]:
    """The observations of a package of these photographs, which must be valid."""
    out = folder / "package"
    write(out, survey(*photographs, deployments=[DEPLOYMENT]), **options)
    assert problems(out) == []
    return rows(out, "observations")


def cells(row: dict[str, str], *columns: str) -> tuple[str, ...]:
    return tuple(row[column] for column in columns)


SAID = ("observationType", "scientificName", "classificationMethod", "classifiedBy")


def label(category: str | None = "roe deer", level: Level = Level.IMAGE, **others: Any) -> SourceLabel:
    return SourceLabel(category=category, source="coco:old", level=level, **others)


def test_the_official_package_is_valid_by_our_statement_of_the_standard(shared_data: Path) -> None:
    assert problems(shared_data / "camtrap_dp") == []


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"deploymentID": "d9"}, "foreign-key"),
        ({"mediaID": "m9"}, "foreign-key"),
        ({"observationType": "plant"}, "constraint-error"),
        ({"eventStart": "2024-05-02 12:00:00"}, "type-error"),
        ({"eventEnd": ""}, "constraint-error"),
        ({"count": 0}, "constraint-error"),
        (boxed(width=0), "constraint-error"),
        ({"classificationProbability": 1.1}, "constraint-error"),
    ],
)
def test_our_statement_of_the_standard_finds_what_is_wrong(
    tmp_path: Path, columns: dict[str, Any], complaint: str
) -> None:
    root = package(tmp_path, [deployment()], [medium()], [{**observation(), **columns}])
    found = [problem for problem in problems(root) if complaint in problem]
    assert found, problems(root)


@pytest.mark.parametrize("absent", ["created", "contributors", "project", "spatial", "temporal", "taxonomic"])
def test_our_statement_of_the_profile_demands_what_the_standard_does(tmp_path: Path, absent: str) -> None:
    root = package(tmp_path, [deployment()], [medium()], [observation()])
    assert problems(root) == []
    path = root / "datapackage.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in about.items() if name != absent}))
    assert any(absent in problem for problem in problems(root))


def test_what_other_tools_say_of_their_projects_is_no_descriptor(tmp_path: Path) -> None:
    hill = replace(DEPLOYMENT, source="wildlife-insights:17", details={"project_id": "17"})
    said = {"wildlife-insights:17": {"project": {"project_id": "17"}, "cameras": [{"camera_id": "c1"}]}}
    image = photograph("a/1.jpg", box("red fox", Basis.PEOPLE))
    write(tmp_path / "package", survey(image, deployments=[hill], packages=said))
    assert problems(tmp_path / "package") == []
    about = json.loads((tmp_path / "package/datapackage.json").read_text())
    assert "project_id" not in about["project"]
    assert "cameras" not in about


def test_a_detection_is_a_row_with_its_box_and_who_named_it(tmp_path: Path) -> None:
    (row,) = written(
        tmp_path, photograph("a/1.jpg", box("red fox", Basis.PEOPLE, by=("ann", "bob"), when=AT))
    )
    assert cells(row, *SAID) == ("animal", "Red fox", "human", "ann, bob")
    assert cells(row, "bboxX", "bboxY", "bboxWidth", "bboxHeight") == ("0.25", "0.25", "0.25", "0.5")
    assert cells(row, "count", "classificationProbability") == ("1", "")
    assert row["classificationTimestamp"] == "2024-05-20T09:30:00Z"
    assert row["eventStart"] == row["eventEnd"] == "2024-05-01T12:00:00+02:00"
    assert cells(row, "deploymentID", "observationLevel", "eventID") == ("d1", "media", "")
    assert row["observationTags"] == "detector:md_v5a | bboxConfidence:0.9"


DOE = Attributes(count=2, sex="female", age="adult", behaviour=("foraging", "vigilance"), comment="lame")
DESCRIBED = ("count", "sex", "lifeStage", "behavior", "observationComments")


def test_what_annotators_said_of_an_animal_is_in_the_columns_of_its_row(tmp_path: Path) -> None:
    doe = box("roe deer", Basis.PEOPLE, attributes=DOE, way=Way.BOARD, kept=True)
    plain = box("roe deer", Basis.PEOPLE, at=Box(x1=0, y1=0, x2=1, y2=1), way=Way.SINGLE)
    first, second = written(tmp_path, photograph("a/1.jpg", doe, plain))
    assert cells(first, *DESCRIBED) == ("2", "female", "adult", "foraging|vigilance", "lame")
    assert first["observationTags"].endswith("| way:board | suggestion:kept")
    assert cells(second, *DESCRIBED) == ("1", "", "", "", "")
    assert second["observationTags"].endswith("| way:single")


def test_a_comment_on_what_people_are_unsure_of_is_kept_but_no_count(tmp_path: Path) -> None:
    (row,) = written(
        tmp_path, photograph("a/1.jpg", box(basis=Basis.PEOPLE, unsure=True, attributes=DOE, kept=False))
    )
    assert cells(row, "observationType", "count", "observationComments") == ("unknown", "", "lame")
    assert row["observationTags"].endswith("| suggestion:changed")


def test_each_further_species_in_a_box_is_an_observation_with_that_box(tmp_path: Path) -> None:
    said = replace(DOE, also=("red fox", "roe deer", "human"))
    found = written(
        tmp_path, photograph("a/1.jpg", box("roe deer", Basis.PEOPLE, attributes=said, by=("ann",)))
    )
    assert [cells(row, *SAID, "count", "sex") for row in found] == [
        ("animal", "Roe deer", "human", "ann", "2", "female"),
        ("animal", "Red fox", "human", "ann", "1", ""),
        ("human", "Homo sapiens", "human", "ann", "1", ""),
    ]
    assert len({row["observationID"] for row in found}) == 3
    assert len({cells(row, "bboxX", "bboxY", "bboxWidth", "bboxHeight") for row in found}) == 1
    (medium,) = rows(tmp_path / "package", "media")
    assert medium["filePublic"] == "false"  # a person is on it


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (box("red fox", Basis.SOURCE, by=("coco:old",)), ("animal", "Red fox", "human", "coco:old")),
        (box("red fox", Basis.MODEL, by=("v3",), probability=0.97), ("animal", "Red fox", "machine", "v3")),
        (box("red fox", Basis.WEAK, by=("md",), probability=0.5), ("animal", "Red fox", "machine", "md")),
        (box("human", Basis.PEOPLE), ("human", "Homo sapiens", "human", "")),
        (box("person", Basis.MODEL, by=("v3",)), ("human", "Homo sapiens", "machine", "v3")),
        (box("vehicle", Basis.PEOPLE), ("vehicle", "", "human", "")),
        (box("empty", Basis.PEOPLE), ("blank", "", "human", "")),
        (box("animal", Basis.PEOPLE), ("animal", "", "human", "")),
        (box(basis=Basis.PEOPLE, unsure=True, by=("ann",)), ("unknown", "", "human", "ann")),
        (box(), ("unclassified", "", "", "")),
        (box(kind="person"), ("human", "Homo sapiens", "machine", "md_v5a")),
        (box(kind="vehicle"), ("vehicle", "", "machine", "md_v5a")),
    ],
)
def test_every_answer_has_its_type_and_method(tmp_path: Path, found: Any, said: tuple[str, ...]) -> None:
    (row,) = written(tmp_path, photograph("a/1.jpg", found))
    assert cells(row, *SAID) == said
    sure = found.answer.probability
    if said[2] == "machine" and sure is not None:
        assert float(row["classificationProbability"]) == sure


def test_photographs_without_boxes_are_blank_where_a_detector_looked(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        photograph("a/1.jpg", detectors=["md_v5a"]),
        photograph("a/2.jpg"),
        photograph("a/3.jpg", detectors=["md_v5a"], failure="truncated", failure_detail="cut short"),
        photograph("a/4.jpg", labels=[label("empty")]),
    )
    assert [cells(row, *SAID) for row in found] == [
        ("blank", "", "machine", "md_v5a"),
        ("unclassified", "", "", ""),
        ("unclassified", "", "", ""),
        ("blank", "", "human", "coco:old"),
    ]
    assert rows(tmp_path / "package", "media")[2]["mediaComments"] == "truncated: cut short"


def test_labels_of_whole_photographs_are_rows_without_a_box(tmp_path: Path) -> None:
    given = [
        label(count=3, annotator="eve", annotated_at=AT),
        label("red fox", weak=True, confidence=0.6, annotator="Model 1"),
    ]
    deer, fox = written(tmp_path, photograph("a/1.jpg", labels=given))
    assert cells(deer, *SAID, "count", "bboxX") == ("animal", "Roe deer", "human", "eve", "3", "")
    assert cells(fox, *SAID, "count") == ("animal", "Red fox", "machine", "Model 1", "")
    assert cells(fox, "classificationProbability") == ("0.6",)


def test_a_label_that_a_box_tells_or_that_people_overruled_is_not_told_again(tmp_path: Path) -> None:
    fox, deer = label("red fox"), label("roe deer")
    found = written(
        tmp_path,
        photograph("a/1.jpg", box("red fox", Basis.SOURCE), labels=[fox]),
        photograph("a/2.jpg", box("red fox", Basis.PEOPLE), labels=[deer]),
        photograph("a/3.jpg", box("red fox", Basis.MODEL), labels=[label("empty")]),
        photograph("a/4.jpg", box(), labels=[deer]),
        photograph("a/5.jpg", box("red fox", Basis.PEOPLE), labels=[label("human")]),
    )
    assert [(row["scientificName"], row["observationType"]) for row in found] == [
        ("Red fox", "animal"),
        ("Red fox", "animal"),
        ("Red fox", "animal"),
        ("", "unclassified"),
        ("Roe deer", "animal"),
        ("Red fox", "animal"),
        ("Homo sapiens", "human"),
    ]


def burst(*found: tuple[Any, ...], labels: Any = (), **fields: Any) -> list[Any]:
    return [
        photograph(
            f"a/{number}.jpg",
            *boxes,
            labels=labels,
            **{"seq_id": "s1", "datetime": NOON + dt.timedelta(seconds=number), **fields},
        )
        for number, boxes in enumerate(found)
    ]


def events(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in found if row["observationLevel"] == "event"]


def test_a_sequence_has_a_row_for_each_species_with_the_most_individuals_of_a_frame(tmp_path: Path) -> None:
    left, right = Box(x1=0, y1=0, x2=0.3, y2=0.3), Box(x1=0.6, y1=0, x2=0.9, y2=0.3)
    frames = burst(
        (box("red fox", Basis.MODEL, at=left, by=("v1",), probability=0.95),),
        (
            box("red fox", Basis.MODEL, at=left, by=("v1",), probability=0.91),
            box("red fox", Basis.PEOPLE, at=right, by=("ann",), when=AT),
        ),
        (box("roe deer", Basis.MODEL, by=("v1",), probability=0.92), box("empty", Basis.PEOPLE, at=left)),
        (box(), box(basis=Basis.PEOPLE, unsure=True, at=left)),
    )
    fox, deer = events(written(tmp_path, *frames))
    assert cells(fox, *SAID, "count") == ("animal", "Red fox", "human", "ann", "2")
    assert cells(fox, "classificationTimestamp", "mediaID", "eventID") == ("2024-05-20T09:30:00Z", "", "s1")
    assert cells(deer, *SAID, "count") == ("animal", "Roe deer", "machine", "v1", "1")
    assert fox["eventStart"] == "2024-05-01T12:00:00+02:00"
    assert fox["eventEnd"] == "2024-05-01T12:00:03+02:00"


def test_a_sequence_has_as_many_individuals_as_people_counted_in_it(tmp_path: Path) -> None:
    said = Attributes(sequence_count=5, comment="a herd")
    deer = box("roe deer", Basis.PEOPLE, attributes=said, way=Way.SEQUENCE)
    fox = box("red fox", Basis.PEOPLE, attributes=Attributes(count=2, sex="male", comment="limps"))
    found = written(tmp_path, *burst((deer,), (deer, fox), (fox,)))
    assert [cells(row, "scientificName", "count") for row in found if row["observationLevel"] == "media"] == [
        ("Roe deer", "1"),
        ("Roe deer", "1"),
        ("Red fox", "2"),
        ("Red fox", "2"),
    ]
    assert [cells(row, "scientificName", *DESCRIBED) for row in events(found)] == [
        ("Red fox", "2", "", "", "", ""),  # of one fox, not of both
        ("Roe deer", "5", "", "", "", "a herd"),
    ]


def test_an_event_counts_boxes_that_people_drew_beside_those_of_a_detector(tmp_path: Path) -> None:
    moved = box("red fox", Basis.PEOPLE, at=Box(x1=0, y1=0, x2=1, y2=1), detector=DRAWN_DETECTOR)
    (row,) = events(written(tmp_path, *burst((box("red fox", Basis.PEOPLE), moved))))
    assert row["count"] == "2"


def test_a_count_by_people_replaces_what_a_source_counted_in_the_sequence(tmp_path: Path) -> None:
    deer = box("roe deer", Basis.PEOPLE, attributes=Attributes(sequence_count=3), way=Way.SEQUENCE)
    herd = label("roe deer", Level.SEQUENCE, count=2, key="o1")
    unanswered = box(at=Box(x1=0, y1=0, x2=1, y2=1))
    (row,) = events(written(tmp_path, *burst((deer, unanswered), (deer,), labels=[herd])))
    assert cells(row, "scientificName", "count") == ("Roe deer", "3")


def test_what_a_source_said_of_a_sequence_is_kept_once(tmp_path: Path) -> None:
    said = [label(level=Level.SEQUENCE, count=4, annotator="eve"), label("empty", Level.SEQUENCE)]
    (row,) = events(written(tmp_path, *burst((), (), (), labels=said)))
    assert cells(row, *SAID, "count") == ("animal", "Roe deer", "human", "eve", "4")


def test_each_observation_of_a_source_is_a_row_with_what_else_it_told(tmp_path: Path) -> None:
    male = label(key="o1", count=1, annotator="eve", details={"sex": "male", "lifeStage": "adult"})
    female = label(key="o2", count=2, details={"sex": "female", "behavior": "foraging"})
    unknown = label(None, key="o3")
    nameless = label(None, key="o4", details={"observationType": "animal", "individualSpeed": "1.5"})
    found = written(tmp_path, photograph("a/1.jpg", labels=[male, female, unknown, nameless]))
    columns = ("observationID", "observationType", "scientificName", "count", "sex", "lifeStage", "behavior")
    assert [cells(row, *columns) for row in found] == [
        ("o1", "animal", "Roe deer", "1", "male", "adult", ""),
        ("o2", "animal", "Roe deer", "2", "female", "", "foraging"),
        ("o3", "unknown", "", "", "", "", ""),
        ("o4", "animal", "", "", "", "", ""),
    ]
    assert found[3]["individualSpeed"] == "1.5"


def test_each_observation_of_a_sequence_is_one_row_for_all_its_photographs(tmp_path: Path) -> None:
    said = [
        label(level=Level.SEQUENCE, key="o1", count=1, details={"sex": "male"}),
        label(level=Level.SEQUENCE, key="o2", count=3, details={"sex": "female"}),
        label("empty", Level.SEQUENCE, key="o3", weak=True),
        label(None, Level.SEQUENCE, key="o4", details={"observationType": "unclassified"}),
    ]
    found = events(written(tmp_path / "1", *burst((), (), (), labels=said)))
    columns = ("observationID", "observationType", "count", "sex")
    assert {cells(row, *columns) for row in found} == {
        ("o1", "animal", "1", "male"),
        ("o2", "animal", "3", "female"),
        ("o3", "blank", "", ""),
        ("o4", "unclassified", "", ""),
    }
    assert len(found) == 4
    fox = box("red fox", Basis.MODEL, by=("v1",), probability=0.95)
    found = events(written(tmp_path / "2", *burst((fox,), (), labels=said)))
    assert sorted(row["scientificName"] for row in found) == ["Red fox", "Roe deer", "Roe deer"]
    people = box("red fox", Basis.PEOPLE)
    (row,) = events(written(tmp_path / "3", *burst((people,), (people,), labels=said)))
    assert row["scientificName"] == "Red fox"


def test_a_box_tells_a_sources_observation_unless_the_source_drew_it(tmp_path: Path) -> None:
    deer = label(key="o1")
    found = written(tmp_path, photograph("a/1.jpg", box("roe deer", Basis.SOURCE), labels=[deer]))
    assert [row["bboxX"] for row in found] == ["0.25"]
    own = box("roe deer", Basis.SOURCE, detector=deer.source)
    found = written(tmp_path / "2", photograph("a/1.jpg", own, labels=[deer]))
    assert [row["bboxX"] for row in found] == ["0.25", ""]


def test_details_that_the_standard_does_not_take_are_left_out(tmp_path: Path) -> None:
    odd = {
        "sex": "both",
        "lifeStage": "pup",
        "cameraSetupType": "x",
        "individualPositionAngle": "91",
        "individualSpeed": "inf",
        "individualPositionRadius": "far",
        "colour": "red",
        "observationComments": "kept",
    }
    (row,) = written(tmp_path, photograph("a/1.jpg", labels=[label(key="NaN", details=odd)]))
    assert cells(row, *list(odd)[:6]) == ("",) * 6
    assert cells(row, "observationID", "observationComments") == ("_NaN", "kept")


def test_ids_of_observations_that_two_sources_share_are_told_apart(tmp_path: Path) -> None:
    given = [label(key="o1"), replace(label(key="o1", count=2), source="coco:other")]
    found = written(tmp_path, photograph("a/1.jpg", labels=given))
    assert [cells(row, "observationID", "count") for row in found] == [("o1", ""), ("o1_", "2")]


def test_what_a_source_said_of_a_sequence_falls_where_people_labelled_all_of_it(tmp_path: Path) -> None:
    fox = box("red fox", Basis.PEOPLE, by=("ann",))
    (row,) = events(written(tmp_path, *burst((fox,), (fox,), labels=[label(level=Level.SEQUENCE)])))
    assert row["scientificName"] == "Red fox"


def test_a_sequence_of_which_nothing_is_known_has_no_row(tmp_path: Path) -> None:
    found = written(tmp_path, *burst((box(),), ()))
    assert events(found) == []
    about = json.loads((tmp_path / "package/datapackage.json").read_text())
    assert about["project"]["observationLevel"] == ["media"]


def test_a_sequence_is_blank_where_every_box_of_it_is(tmp_path: Path) -> None:
    nothing = box("empty", Basis.PEOPLE, by=("ann",))
    found = written(tmp_path / "1", *burst((nothing,), (nothing,), ()))
    assert [cells(row, *SAID) for row in events(found)] == [("blank", "", "human", "ann")]
    assert events(written(tmp_path / "2", *burst((nothing,), (box(),)))) == []


def test_a_photograph_that_people_signed_off_is_blank_by_them(tmp_path: Path) -> None:
    weak = label("empty", weak=True)
    found = written(
        tmp_path,
        photograph("a/1.jpg", labels=[weak], detectors=["md"], whole=SIGNED_OFF),
        photograph("a/2.jpg", labels=[weak], detectors=["md"], whole=STRUCK_OUT),
        photograph("a/3.jpg", detectors=["md"], whole=replace(SIGNED_OFF, category=None, unsure=True)),
    )
    assert [cells(row, *SAID) for row in found] == [
        ("blank", "", "human", "ann"),
        ("unclassified", "", "", ""),
        ("unknown", "", "human", "ann"),
    ]


def test_a_sequence_is_blank_by_people_if_they_signed_off_all_of_it(tmp_path: Path) -> None:
    frames = [replace(frame, detectors=("md",)) for frame in burst((), ())]
    signed = [replace(frame, whole=SIGNED_OFF) for frame in frames]
    (row,) = events(written(tmp_path / "1", *signed))
    assert cells(row, *SAID) == ("blank", "", "human", "ann")
    (row,) = events(written(tmp_path / "2", signed[0], frames[1]))
    assert cells(row, *SAID) == ("blank", "", "machine", "md")


def test_sequences_of_two_cameras_that_share_an_id_stay_apart(tmp_path: Path) -> None:
    other = replace(DEPLOYMENT, id="d2", location="site b")
    fox = box("red fox", Basis.PEOPLE)
    one = photograph("a/1.jpg", fox, seq_id="1")
    two = photograph("b/1.jpg", fox, seq_id="1", location="site b")
    write(tmp_path / "p", survey(one, two, deployments=[DEPLOYMENT, other]))
    assert problems(tmp_path / "p") == []
    found = events(rows(tmp_path / "p", "observations"))
    assert [cells(row, "deploymentID", "eventID") for row in found] == [("d1", "1"), ("d2", "1")]


def test_scientific_names_come_from_the_taxa(tmp_path: Path) -> None:
    taxa = read_taxa(put(tmp_path / "taxa.csv", b"category,scientificName\nRed  Fox,Vulpes vulpes\nx,\n"))
    (row,) = written(tmp_path, photograph("a/1.jpg", box("red fox", Basis.PEOPLE)), taxa=taxa)
    assert row["scientificName"] == "Vulpes vulpes"
    about = json.loads((tmp_path / "package/datapackage.json").read_text())
    assert about["taxonomic"] == [{"scientificName": "Vulpes vulpes"}]


@pytest.mark.parametrize("data", [None, b"", b"category,name\n", b"\xff\xfe,"])
def test_a_file_that_is_no_list_of_taxa_is_refused(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "taxa.csv"
    if data is not None:
        put(path, data)
    with pytest.raises(ExportError, match=r"taxa\.csv"):
        read_taxa(path)


def test_the_descriptor_tells_of_the_survey(tmp_path: Path) -> None:
    other = DeploymentRecord(id="d2", location="site b", latitude=50.9, longitude=4.4, timezone="UTC")
    images = [
        photograph("a/1.jpg", box("red fox", Basis.PEOPLE), datetime=dt.datetime(2024, 1, 31, 23, 0)),
        photograph("b/1.jpg", location="site b", datetime=dt.datetime(2024, 3, 1, 0, 0)),
    ]
    given = survey(*images, deployments=[DEPLOYMENT, other])
    write(tmp_path / "p", given, title="Forêt d'été 2024", contributor="Ann Example")
    assert problems(tmp_path / "p") == []
    about = json.loads((tmp_path / "p/datapackage.json").read_text("utf-8"))
    assert about["title"] == "Forêt d'été 2024"
    assert about["contributors"] == [{"title": "Ann Example", "role": "contact"}]
    assert about["temporal"] == {"start": "2024-01-31", "end": "2024-03-01"}
    assert about["spatial"]["coordinates"][0][0] == [4.2, 50.9]
    assert about["created"] == "2024-06-01T08:30:00Z"


def test_a_deployment_has_its_stored_period_else_that_of_its_photographs(tmp_path: Path) -> None:
    start = dt.datetime(2024, 3, 30, 10, 0)
    images = [photograph(f"a/{day}.jpg", datetime=dt.datetime(2024, 4, day, 12, 0)) for day in (9, 2)]
    write(tmp_path / "p", survey(*images, deployments=[replace(DEPLOYMENT, started_at=start)]))
    assert problems(tmp_path / "p") == []
    (row,) = rows(tmp_path / "p", "deployments")
    # Brussels goes to summer time on 31 March.
    assert cells(row, "deploymentStart", "deploymentEnd") == (
        "2024-03-30T10:00:00+01:00",
        "2024-04-09T12:00:00+02:00",
    )
    assert cells(row, "locationName", "latitude", "longitude") == ("site a", "51.1", "4.2")


def test_of_several_deployments_at_a_location_the_one_of_the_time_is_taken(tmp_path: Path) -> None:
    spring = replace(DEPLOYMENT, id="spring", started_at=NOON, ended_at=NOON + dt.timedelta(days=9))
    autumn = replace(DEPLOYMENT, id="autumn", started_at=NOON + dt.timedelta(days=99))
    images = [
        photograph("a/1.jpg", datetime=NOON + dt.timedelta(days=1)),
        photograph("a/2.jpg", datetime=NOON + dt.timedelta(days=100)),
        photograph("a/3.jpg", datetime=NOON + dt.timedelta(days=50)),
        photograph("a/4.jpg", datetime=NOON + dt.timedelta(days=50), deployment_id="spring"),
    ]
    write(tmp_path / "p", survey(*images, deployments=[spring, autumn]))
    assert problems(tmp_path / "p") == []
    media = {row["fileName"]: row["deploymentID"] for row in rows(tmp_path / "p", "media")}
    assert media == {"1.jpg": "spring", "2.jpg": "autumn", "3.jpg": "site a", "4.jpg": "spring"}


def test_a_location_called_like_a_deployment_elsewhere_is_not_mixed_up_with_it(tmp_path: Path) -> None:
    spring = replace(DEPLOYMENT, id="spring", ended_at=NOON - dt.timedelta(days=2))
    autumn = replace(DEPLOYMENT, id="autumn", started_at=NOON + dt.timedelta(days=2))
    elsewhere = replace(DEPLOYMENT, id="site a", location="site b", latitude=9.0)
    write(tmp_path / "p", survey(photograph(), deployments=[spring, autumn, elsewhere]))
    assert problems(tmp_path / "p") == []
    (row,) = rows(tmp_path / "p", "deployments")
    assert cells(row, "deploymentID", "locationName", "latitude") == ("location site a", "site a", "51.1")


def test_photographs_outside_the_period_of_their_deployment_are_counted(tmp_path: Path) -> None:
    late = replace(DEPLOYMENT, started_at=NOON + dt.timedelta(days=1), ended_at=NOON + dt.timedelta(days=2))
    report = write(tmp_path / "p", survey(photograph(), deployments=[late]))
    assert report.notes == {OUTSIDE_PERIOD: 1}


def test_a_time_zone_in_the_store_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="'Atlantis' is not a time zone"):
        write(tmp_path / "p", survey(photograph(), deployments=[replace(DEPLOYMENT, timezone="Atlantis")]))


def test_a_deployment_without_coordinates_takes_those_of_its_location(tmp_path: Path) -> None:
    bare = DeploymentRecord(id="roll 1", location="site a")
    place = replace(DEPLOYMENT, id="site a")
    write(tmp_path / "p", survey(photograph(deployment_id="roll 1"), deployments=[bare, place]))
    assert problems(tmp_path / "p") == []
    (row,) = rows(tmp_path / "p", "deployments")
    assert cells(row, "deploymentID", "latitude", "deploymentStart") == (
        "roll 1",
        "51.1",
        "2024-05-01T12:00:00+02:00",
    )


def test_locations_without_coordinates_are_named_with_the_remedy(tmp_path: Path) -> None:
    images = [photograph(f"{number}.jpg", location=f"site {number:02d}") for number in range(12)]
    with pytest.raises(ExportError) as caught:
        write(tmp_path / "p", survey(*images), timezone="UTC")
    assert "site 00, site 01" in str(caught.value)
    assert "and 2 more" in str(caught.value)
    assert "wildloop import deployments" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_time_zone_is_asked_for_and_taken(tmp_path: Path) -> None:
    given = survey(photograph(), deployments=[replace(DEPLOYMENT, timezone=None)])
    with pytest.raises(ExportError, match=r"none of site a.*--timezone"):
        write(tmp_path / "p", given)
    with pytest.raises(ExportError, match="'Atlantis' is not a time zone"):
        write(tmp_path / "p", given, timezone="Atlantis")
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "p", given, timezone="-03:30")
    assert rows(tmp_path / "p", "media")[0]["timestamp"] == "2024-05-01T12:00:00-03:30"


def test_photographs_without_time_or_location_are_left_out_and_counted(tmp_path: Path) -> None:
    images = [photograph("1.jpg"), photograph("2.jpg", datetime=None), photograph("3.jpg", location=None)]
    report = write(tmp_path / "p", survey(*images, deployments=[DEPLOYMENT]))
    assert problems(tmp_path / "p") == []
    assert report.photographs == 1
    assert report.notes == {WITHOUT_TIME: 1, WITHOUT_LOCATION: 1}
    with pytest.raises(ExportError, match="no photograph with a time"):
        write(tmp_path / "q", survey(*images[1:], deployments=[DEPLOYMENT]))


def test_the_sources_id_of_a_photograph_is_kept_unless_another_has_it(tmp_path: Path) -> None:
    own = photograph("own.jpg")
    ids = ("m1", "m2", "m1", None, "NA", own.image.id)
    images = [photograph(f"{number}.jpg", source_id=id_) for number, id_ in enumerate(ids)]
    write(tmp_path / "p", survey(*images, own, deployments=[DEPLOYMENT]))
    assert problems(tmp_path / "p") == []
    found = [row["mediaID"] for row in rows(tmp_path / "p", "media")]
    assert found == ["m1", "m2", *(one.image.id for one in images[2:]), own.image.id]
    assert [row["mediaID"] for row in rows(tmp_path / "p", "observations")] == found


@pytest.mark.parametrize(
    "name", ["../up.jpg", "a..b/1.jpg", "./1.jpg", "~/1.jpg", "/1.jpg", ".h/1.jpg", "a\nb.jpg", "nan"]
)
def test_file_names_that_the_standard_forbids_are_rewritten_and_counted(tmp_path: Path, name: str) -> None:
    report = write(tmp_path / "p", survey(photograph(name), deployments=[DEPLOYMENT]))
    assert problems(tmp_path / "p") == []
    assert report.notes == {RENAMED: 1}


def test_photographs_elsewhere_keep_their_address(tmp_path: Path) -> None:
    one = photograph("d1/IMG_1.PNG")
    url = "https://example.org/1/file"
    write(tmp_path / "p", survey(replace(one, image=replace(one.image, path=url)), deployments=[DEPLOYMENT]))
    assert problems(tmp_path / "p") == []
    (row,) = rows(tmp_path / "p", "media")
    assert cells(row, "filePath", "filePublic", "fileName", "fileMediatype") == (
        url,
        "true",
        "IMG_1.PNG",
        "image/png",
    )
    person = photograph("d1/IMG_2.JPG", box("human", Basis.PEOPLE))
    write(
        tmp_path / "q",
        survey(replace(person, image=replace(person.image, path=url)), deployments=[DEPLOYMENT]),
    )
    assert rows(tmp_path / "q", "media")[0]["filePublic"] == "false"


def test_a_zip_holds_the_same_package(tmp_path: Path) -> None:
    given = survey(photograph("1.jpg", box("red fox", Basis.PEOPLE)), deployments=[DEPLOYMENT])
    write(tmp_path / "p", given)
    write(tmp_path / "p.zip", given)
    assert problems(tmp_path / "p.zip") == []
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "p" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p", "p.zip"]


@pytest.mark.parametrize("name", ["p", "p.zip"])
def test_an_export_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    class Broken(FixedSurvey):
        reads = 0

        def photographs(self) -> Any:
            object.__setattr__(self, "reads", self.reads + 1)
            yield from self.images
            if self.reads > 1:
                raise ExportError("the store went away")

    given = Broken(images=[photograph()], deployments={"d1": DEPLOYMENT})
    with pytest.raises(ExportError, match="went away"):
        write(tmp_path / name, given)
    assert list(tmp_path.iterdir()) == []


def test_an_offset_is_written_to_the_minute() -> None:
    assert stamp(dt.datetime(1850, 1, 1), zone_of("Europe/Brussels")) == "1850-01-01T00:00:00+00:18"
    assert stamp(dt.datetime(1, 1, 1), zone_of("+14:00")) == "0001-01-01T00:00:00+14:00"


def test_a_file_without_an_ending_has_the_media_type_of_its_picture(tmp_path: Path) -> None:
    path = put(tmp_path / "IMG_1", encoded(scene(), "PNG"))
    one = photograph("IMG_1")
    write(
        tmp_path / "p",
        survey(replace(one, image=replace(one.image, path=str(path))), deployments=[DEPLOYMENT]),
    )
    assert rows(tmp_path / "p", "media")[0]["fileMediatype"] == "image/png"


def frame(number: int, *boxes: Any, rate: float | None = 2.0, **fields: Any) -> Any:
    """A frame of one video, exposed `number` / `rate` seconds after its start at noon."""
    time = NOON + dt.timedelta(seconds=number / (rate or 1))
    video = {"video": "site a/V1.MP4", "video_frame": number, "video_frame_rate": rate, "seq_id": "v"}
    return photograph(f"site a/V1.MP4/{number}.jpg", *boxes, **{"datetime": time, **video, **fields})


def test_a_video_is_one_medium_with_one_answer_for_each_species(tmp_path: Path) -> None:
    left, right = Box(x1=0, y1=0, x2=0.3, y2=0.3), Box(x1=0.6, y1=0, x2=0.9, y2=0.3)
    found = written(
        tmp_path,
        frame(4, box("red fox", Basis.MODEL, at=left, by=("v1",), probability=0.95)),
        frame(
            8,
            box("red fox", Basis.PEOPLE, at=left, by=("ann",), when=AT),
            box("red fox", Basis.PEOPLE, at=right, by=("ann",), when=AT),
        ),
        frame(12, box("empty", Basis.PEOPLE, at=left)),
        frame(16, box("roe deer", Basis.WEAK, at=left, by=("md",), probability=0.8)),
        frame(20),
    )
    (medium_row,) = rows(tmp_path / "package", "media")
    assert cells(medium_row, "filePath", "fileName", "fileMediatype", "timestamp") == (
        "site a/V1.MP4",
        "V1.MP4",
        "video/mp4",
        "2024-05-01T12:00:00+02:00",
    )
    assert {row["mediaID"] for row in found if row["observationLevel"] == "media"} == {medium_row["mediaID"]}
    answers = [row for row in found if row["observationLevel"] == "media" and not row["bboxX"]]
    assert [cells(row, *SAID, "count") for row in answers] == [
        ("animal", "Red fox", "human", "ann", "2"),
        ("animal", "Roe deer", "machine", "md", "1"),
    ]
    assert cells(answers[0], "eventStart", "eventEnd") == (
        "2024-05-01T12:00:02+02:00",
        "2024-05-01T12:00:04+02:00",
    )
    boxes = [cells(row, "eventStart", "eventEnd", "bboxX") for row in found if row["bboxX"]]
    assert boxes == [
        (f"2024-05-01T12:00:{second:02d}+02:00", f"2024-05-01T12:00:{second:02d}+02:00", side)
        for second, side in ((2, "0"), (4, "0"), (4, "0.6"), (6, "0"), (8, "0"))
    ]
    assert [(row["scientificName"], row["count"]) for row in events(found)] == [
        ("Red fox", "2"),
        ("Roe deer", "1"),
    ]


def test_a_video_in_which_nothing_is_seen_is_blank(tmp_path: Path) -> None:
    found = written(tmp_path / "1", *(frame(number, detectors=["md_v5a"]) for number in (0, 8)))
    assert [cells(row, *SAID) for row in found if row["mediaID"]] == [("blank", "", "machine", "md_v5a")]
    found = written(tmp_path / "2", frame(0, detectors=["md_v5a"]), frame(8))
    assert [row["observationType"] for row in found if row["mediaID"]] == ["unclassified"]


def test_videos_of_several_cameras_with_one_name_stay_apart(tmp_path: Path) -> None:
    other = replace(DEPLOYMENT, id="d2", location="site b")
    two = frame(0, video="V1.MP4", location="site b")
    given = survey(frame(0, video="V1.MP4"), two, deployments=[DEPLOYMENT, other])
    write(tmp_path / "p", given)
    assert problems(tmp_path / "p") == []
    found = {(row["deploymentID"], row["filePath"]) for row in rows(tmp_path / "p", "media")}
    assert found == {("d1", "V1.MP4"), ("d2", "V1.MP4")}


def test_a_sequence_that_a_source_or_a_detector_calls_blank_is_a_blank_event(tmp_path: Path) -> None:
    blank: list[dict[str, Any]] = [{"labels": [label("empty")]}, {"detectors": ["md_v5a"]}]
    for number, said in enumerate(blank):
        (row,) = events(written(tmp_path / str(number), *burst((), (), **said)))
        assert cells(row, "observationType", "scientificName") == ("blank", "")
    (row,) = events(written(tmp_path / "3", *burst((), labels=[label("empty"), label("red fox", count=2)])))
    assert cells(row, "scientificName", "count") == ("Red fox", "2")


def test_categories_without_a_scientific_name_are_counted_with_the_remedy(tmp_path: Path) -> None:
    images = [
        photograph(
            "1.jpg",
            box("red fox", Basis.PEOPLE),
            box("roe deer", Basis.PEOPLE, at=Box(x1=0, y1=0, x2=1, y2=1)),
        )
    ]
    known = {"roe deer": Taxon(category="roe deer", scientific_name="Capreolus capreolus", rank="Species")}
    given = survey(*images, deployments=[DEPLOYMENT], taxa=known)
    report = write(tmp_path / "p", given)
    assert problems(tmp_path / "p") == []
    ((note, number),) = report.notes.items()
    assert number == 1
    assert "such as red fox" in note
    assert "--taxa" in note
    about = json.loads((tmp_path / "p/datapackage.json").read_text())
    assert about["taxonomic"] == [
        {"scientificName": "Capreolus capreolus", "taxonRank": "species"},
        {"scientificName": "Red fox"},
    ]
    assert write(tmp_path / "q", given, taxa={"red fox": "Vulpes vulpes"}).notes == {}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text.lower() != "nan"
)
SIDES = st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 100), st.integers(1, 100)).map(
    lambda side: Box(
        x1=side[0] / 1000, y1=side[1] / 1000, x2=(side[0] + side[2]) / 1000, y2=(side[1] + side[3]) / 1000
    )
)
SPECIES = st.sampled_from(["red fox", "roe deer", "empty", "human", "vehicle"])
BOXES = st.builds(
    box,
    st.none() | SPECIES,
    st.sampled_from([Basis.PEOPLE, Basis.MODEL]),
    at=SIDES,
    confidence=st.none() | st.floats(0.2, 1).map(lambda sure: round(sure, 4)),
    probability=st.none() | st.floats(0, 1).map(lambda sure: round(sure, 4)),
    by=st.lists(TEXT, max_size=2).map(tuple),
    way=st.none() | st.sampled_from(Way),
    kept=st.none() | st.booleans(),
    attributes=st.builds(
        Attributes,
        count=st.none() | st.integers(1, 99),
        sequence_count=st.none() | st.integers(1, 99),
        sex=st.none() | st.sampled_from(SEXES),
        age=st.none() | st.sampled_from(AGES),
        behaviour=st.lists(TEXT, max_size=2).map(tuple),
        comment=st.none() | TEXT,
    ),
    when=st.none() | st.datetimes(dt.datetime(1900, 1, 2), timezones=st.just(dt.UTC)),
)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(
    found=st.lists(
        st.tuples(
            TEXT, MOMENTS, st.lists(BOXES, max_size=3, unique_by=lambda one: one.record.box), st.none() | TEXT
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda one: one[0],
    ),
    location=TEXT,
    zone=st.sampled_from(["UTC", "+05:45", "-11:00", "Europe/Brussels", "America/St_Johns"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_survey_makes_a_valid_package_that_says_the_same_when_read(
    tmp_path_factory: pytest.TempPathFactory, found: list[Any], location: str, zone: str
) -> None:
    out = tmp_path_factory.mktemp("export") / "p"
    record = DeploymentRecord(
        id=f"id {location}", location=location, latitude=1.5, longitude=-2.5, timezone=zone
    )
    images = sorted(
        (
            photograph(f"a/{name}", *boxes, location=location, datetime=moment, seq_id=event)
            for name, moment, boxes, event in found
        ),
        key=lambda one: (one.image.seq_id or "", one.image.file_name),
    )
    write(out, survey(*images, deployments=[record]))
    assert problems(out) == []
    again = {entry.source_id: entry for entry in taken(out)[0]}
    assert len(again) == len(images)
    for one in images:
        entry = again[one.image.id]
        assert (entry.location, entry.seq_id) == (location, one.image.seq_id)
        if zone not in (
            "Europe/Brussels",
            "America/St_Johns",
        ):  # their offset changes, a deployment's does not
            assert entry.datetime == one.image.datetime
        boxes = entry.detections.boxes if entry.detections else ()
        assert Counter(_plain(one.record.box) for one in one.detections) == Counter(
            _plain(detected.box) for detected in boxes
        )
        named = {_plain(each.record.box): each.answer.category for each in one.detections}
        for detected in boxes:
            told = [(label.category or "").lower() for label in detected.labels]
            category = named[_plain(detected.box)]
            assert told == ([category] if category is not None else [])


def _plain(box: Box) -> tuple[float, ...]:
    return tuple(round(side, 6) for side in (box.x1, box.y1, box.x2, box.y2))
