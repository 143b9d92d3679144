"""Camtrap DP packages in and out again: everything as it came, but what people answered since."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.sources.camtrap_dp import import_camtrap_dp
from importers.sources.coco import import_coco
from importers.sources.deployments import import_deployments
from importers.sources.megadetector import import_results
from pipeline.cli import wildloop
from pipeline.errors import ExportError, SourceError
from pipeline.exporters import camtrap_dp
from pipeline.exporters.camtrap_dp.package import EMPTY_LEFT_OUT, WHOLE_SECONDS
from pipeline.exporters.source import ExportReport
from pipeline.records import AnnotationRecord, ImageRecord, ProjectRecord, Taxon, Verdict
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import categories, images, projects, schema, taxa
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.annotations import record
from tests.helpers.camtrap_dp_diff import Difference, differences
from tests.helpers.camtrap_dp_packages import (
    boxed,
    deployment,
    medium,
    observation,
    package,
    rows,
    write,
)
from tests.helpers.camtrap_dp_standard import problems, published
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database

ROWS_ONLY = ImportOptions(rows_only=True)
EVENT = {"observationLevel": "event", "eventID": "e1"}
FOX = {"scientificName": "Vulpes vulpes", "lifeStage": "adult", "sex": "male", "behavior": "foraging"}


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    return make_workspace(sqlite_database, tmp_path / "data")


def brought(workspace: Workspace, root: Path) -> ImportReport:
    return import_camtrap_dp(workspace, root, options=ROWS_ONLY)


def exported(workspace: Workspace, out: Path, **settings: Any) -> ExportReport:
    """Export what is in the store, with no more than what is said here."""
    return camtrap_dp.write(out, StoreExport(workspace, None), camtrap_dp.Settings(**settings))


def trip(workspace: Workspace, root: Path, out: Path) -> list[Difference]:
    """Import a package, export it, and compare; the moment of the export differs in any case."""
    brought(workspace, root)
    exported(workspace, out)
    assert problems(out) == []
    found = differences(root, out)
    assert "created" in [each.where for each in found]
    return [each for each in found if each.where != "created"]


def columns_of(found: Sequence[Difference]) -> dict[str, tuple[str, str]]:
    return {each.where: (each.before, each.after) for each in found}


def about(root: Path) -> Any:
    return json.loads((root / "datapackage.json").read_text("utf-8"))


def by_id(root: Path, table: str = "observations") -> dict[str, dict[str, str]]:
    key = {"observations": "observationID", "media": "mediaID", "deployments": "deploymentID"}[table]
    return {row[key]: row for row in rows(root, table)}


def answered(workspace: Workspace, category: str, *, of_medium: str = "m1") -> None:
    """A person names every box of a medium in Label Studio."""
    boxes = (
        sa.select(schema.detection.c.id)
        .join(schema.image, schema.image.c.id == schema.detection.c.image_id)
        .where(schema.image.c.source_id == of_medium)
    )
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=1, title="Foxes", embedder="none"))
        number = categories.ensure(conn, [category])[category]
        found = list(conn.scalars(boxes))
    record(
        workspace.database,
        [
            AnnotationRecord(
                project_id=1,
                detection_id=detection,
                annotation_uid=detection,
                annotation_id=1,
                task_id=1,
                verdict=Verdict.LABEL,
                label=number,
                annotator="Eve",
                annotated_at=dt.datetime(2024, 7, 1, 8, 0, tzinfo=dt.UTC),
            )
            for detection in found
        ],
    )


@pytest.mark.both_databases
def test_the_official_package_comes_out_as_it_came(
    database: Database, tmp_path: Path, shared_data: Path, camtrap_dp_schemas: Path
) -> None:
    workspace = make_workspace(database, tmp_path / "data")
    assert trip(workspace, shared_data / "camtrap_dp", tmp_path / "out") == []
    assert problems(tmp_path / "out", published(camtrap_dp_schemas)) == []
    methods = [row["captureMethod"] for row in rows(tmp_path / "out", "media")]
    assert (methods.count("activityDetection"), methods.count("timeLapse")) == (420, 3)


PROJECT = {  # of a package with these rows
    "title": "Foxes",
    "samplingDesign": "targeted",
    "captureMethod": ["timeLapse"],
    "individualAnimals": True,
    "observationLevel": ["media"],
}
FULL_DEPLOYMENT = deployment(
    locationID="l1",
    coordinateUncertainty=187,
    deploymentStart="2024-05-01T10:00:00+02:00",
    deploymentEnd="2024-05-31T08:00:00Z",
    setupBy="Ann",
    cameraID="320",
    cameraModel="Reconyx-HF2X",
    cameraDelay=0,
    cameraHeight="1.30",
    cameraTilt=-15,
    cameraHeading=285,
    detectionDistance="3.20",
    timestampIssues="false",
    baitUse="true",
    featureType="trailGame",
    habitat="heath; with, commas",
    deploymentGroups="area:HS | season:spring",
    deploymentTags="position:above stream",
    deploymentComments='"quoted"',
)
FULL_MEDIUM = medium(
    captureMethod="timeLapse",
    timestamp="2024-05-02T10:00:00Z",
    filePath="https://127.0.0.1:9/assets/1/file",
    filePublic="false",
    fileName="RCNX0001.JPG",
    exifData='{"Make": "RECONYX"}',
    favorite="true",
    mediaComments="used for figure",
)
FULL_OBSERVATION = observation(
    eventID="e1",
    eventStart="2024-05-02T10:00:00Z",
    count=2,
    individualID="Reinaert",
    individualPositionRadius="3.5",
    individualPositionAngle=-10,
    individualSpeed="0.7",
    classifiedBy="Ann",
    classificationTimestamp="2024-06-01T09:00:00+02:00",
    classificationProbability="0.90",
    observationTags="swimDirection:across",
    observationComments="eclipse plumage",
    **{**FOX, **boxed(width=0.2744)},
)


def test_every_column_comes_out_as_it_came(workspace: Workspace, tmp_path: Path) -> None:
    observations = [
        FULL_OBSERVATION,
        observation("o2", **{**EVENT, **FOX}, count=2, cameraSetupType="setup"),
        observation("o3", mediaID="m2", observationType="unclassified", classificationMethod=""),
        observation("o4", mediaID="m3", observationType="blank", scientificName="", classifiedBy="Ann"),
        observation("o5", mediaID="m4", classificationMethod="machine", classifiedBy="", **boxed(x=0.1)),
        observation("o6", mediaID="m4", scientificName="Meles meles", **boxed(x=0.1)),
        observation("o7", mediaID="m4", observationType="human", scientificName="", **boxed(x=0.5)),
        observation("o8", mediaID="m4", scientificName="", **boxed(y=0.5)),
        observation("o9", mediaID="m4", observationType="unknown", scientificName=""),
    ]
    media = [FULL_MEDIUM, *(medium(f"m{number}", fileName="") for number in (2, 3, 4, 5))]
    levels = {"observationLevel": ["media", "event"]}
    names = ("Vulpes vulpes", "Meles meles")
    root = package(
        tmp_path / "p",
        [FULL_DEPLOYMENT],
        media,
        observations,
        project={**PROJECT, **levels},
        taxonomic=[{"scientificName": name} for name in names],
        title="Foxes of the heath",
    )
    assert trip(workspace, root, tmp_path / "out") == []


ROWS = {"deployments": FULL_DEPLOYMENT, "media": FULL_MEDIUM, "observations": FULL_OBSERVATION}
REQUIRED = ("deploymentID", "timestamp", "latitude", "longitude", "deploymentStart", "deploymentEnd")
CELLS = [(table, column) for table, row in ROWS.items() for column in row if column not in REQUIRED]
SPOILT = st.sampled_from(
    ["", "NA", "-1", "1.0", "0,5", "2", "inf", "TRUE", "2024-02-30T00:00:00Z", "2024-05-02 10:00", "x" * 300]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(changes=st.dictionaries(st.sampled_from(CELLS), SPOILT, min_size=1, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_package_with_spoilt_cells_comes_out_valid(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, changes: dict[tuple[str, str], str]
) -> None:
    folder = tmp_path_factory.mktemp("spoilt")
    tables = {table: [dict(row)] for table, row in ROWS.items()}
    for (table, column), text in changes.items():
        tables[table][0][column] = text
    root = package(folder / "p", *tables.values())
    shutil.copyfile(sqlite_template, folder / "wildloop.db")
    database = Database(f"sqlite:///{folder / 'wildloop.db'}")
    try:
        workspace = make_workspace(database, folder / "data")
        try:
            brought(workspace, root)
        except SourceError:  # its only medium has no id or no path
            assert {("media", "mediaID"), ("media", "filePath")} & changes.keys()
            return
        write(folder / "out", StoreExport(workspace, None))
    finally:
        database.dispose()
    assert problems(folder / "out") == []


def test_what_no_photograph_shows_comes_out_too(workspace: Workspace, tmp_path: Path) -> None:
    late = {"eventStart": "2024-05-09T12:00:00Z", "eventEnd": "2024-05-09T12:00:01Z"}
    observations = [
        observation("o1", **{**EVENT, **late, "eventID": ""}),  # no medium was taken then
        observation("o2", mediaID="m2"),
        observation("o3", **{**EVENT, "eventID": "e2", "scientificName": "Lutra lutra"}),
        observation("o4", mediaID="m2", eventID="e2"),
    ]
    media = [medium(), medium("m2", filePath="media/m2.mp4", fileName="m2.mp4", fileMediatype="video/mp4")]
    names = ("Vulpes vulpes", "Lutra lutra")
    taxonomic = [{"scientificName": name} for name in names]
    root = package(tmp_path / "p", [deployment(), deployment("d2")], media, observations, taxonomic=taxonomic)
    put(root / "media/m1.jpg", encoded(scene()))
    report = import_camtrap_dp(workspace, root)  # the video fails, as it must
    assert dict(report.failed) == {"video": 1}
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    assert [each.where for each in differences(root, tmp_path / "out")] == ["created"]


def test_frames_that_are_media_of_a_package_stay_media(workspace: Workspace, tmp_path: Path) -> None:
    media = [
        medium(
            f"m{number}", filePath=f"V1.MP4/frame{number:06d}.jpg", fileName="", fileMediatype="image/jpeg"
        )
        for number in (0, 30)
    ]
    root = package(tmp_path / "p", [deployment()], media, [observation(mediaID="m30", **boxed())])
    for row in media:
        put(root / row["filePath"], encoded(scene(seed=len(row["mediaID"]))))
    import_camtrap_dp(workspace, root)
    exported(workspace, tmp_path / "out")
    found = columns_of(differences(root, tmp_path / "out"))
    assert found.keys() == {"created", "project.observationLevel"}  # there are no events


def test_a_deployment_without_photographs_or_coordinates_is_counted(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = package(tmp_path / "p", [deployment(), deployment("d2", latitude="NA", longitude="NA")])
    brought(workspace, root)
    assert exported(workspace, tmp_path / "out").notes[EMPTY_LEFT_OUT] == 1
    assert list(by_id(tmp_path / "out", "deployments")) == ["d1"]


@pytest.mark.parametrize("case", ["plain", "zzbom", "gz", "semicolon", "latin1_said", "remote_media"])
def test_a_package_as_people_have_it_survives_the_round_trip(
    workspace: Workspace, tmp_path: Path, field_cases: Path, camtrap_dp_schemas: Path, case: str
) -> None:
    brought(workspace, field_cases / "cdp" / case)
    out = tmp_path / "out"
    write(out, StoreExport(workspace, None))
    assert problems(out, published(camtrap_dp_schemas)) == []
    plain = field_cases / "cdp/plain"
    for table in ("deployments", "media", "observations"):
        for id_, came in by_id(plain, table).items():
            row = by_id(out, table)[id_]
            changed = {column for column, text in came.items() if row[column] != text}
            allowed = {"latin1_said": {"locationName"}, "remote_media": {"filePath"}}.get(case, set())
            assert changed <= allowed
            assert {column for column in row if row[column]} <= came.keys()


def test_media_at_one_path_of_another_computer_stay_two(
    workspace: Workspace, tmp_path: Path, field_cases: Path
) -> None:
    for _ in range(2):
        report = brought(workspace, field_cases / "cdp/abs_media")
        assert dict(report.failed) == {"outside": 2}
    write(tmp_path / "out", StoreExport(workspace, None))
    assert problems(tmp_path / "out") == []
    assert {row["filePath"] for row in rows(tmp_path / "out", "media")} == {"%2Fsrv/photos/x.jpg"}
    assert list(by_id(tmp_path / "out")) == ["o0", "o1"]


def test_fractions_of_a_second_are_cut_off_and_counted(
    workspace: Workspace, tmp_path: Path, field_cases: Path
) -> None:
    brought(workspace, field_cases / "cdp/subsec")
    report = write(tmp_path / "out", StoreExport(workspace, None))
    assert problems(tmp_path / "out") == []
    assert report.notes[WHOLE_SECONDS] == 2
    assert {row["timestamp"] for row in rows(tmp_path / "out", "media")} == {"2021-05-02T10:00:00+00:00"}
    assert {row["eventStart"] for row in rows(tmp_path / "out", "observations")} == {
        "2021-05-02T10:00:00+02:00"
    }


def test_times_without_a_zone_get_the_one_that_the_user_names(
    workspace: Workspace, tmp_path: Path, field_cases: Path
) -> None:
    brought(workspace, field_cases / "cdp/space")
    write(tmp_path / "out", StoreExport(workspace, None), timezone="Europe/Brussels")
    assert problems(tmp_path / "out") == []
    assert {row["timestamp"] for row in rows(tmp_path / "out", "media")} == {"2021-05-02T10:00:00+02:00"}
    found = rows(tmp_path / "out", "observations")
    assert {(row["eventStart"], row["count"]) for row in found} == {("2021-05-02T10:00:00+02:00", "1")}


def test_coordinates_that_a_package_lacks_come_with_a_table(
    workspace: Workspace, tmp_path: Path, field_cases: Path
) -> None:
    brought(workspace, field_cases / "cdp/shift")
    with pytest.raises(ExportError, match="none of Wood"):
        write(tmp_path / "out", StoreExport(workspace, None))
    table = put(tmp_path / "d.csv", b"location,latitude,longitude\nWood,52.1,5.1\n")
    import_deployments(workspace, table)
    write(tmp_path / "out", StoreExport(workspace, None))
    assert problems(tmp_path / "out") == []
    (row,) = rows(tmp_path / "out", "deployments")
    assert (row["locationID"], row["locationName"], row["latitude"]) == ("l1", "Wood", "52.1")
    assert row["deploymentStart"] == "2021-05-01T00:00:00+02:00"


def test_wrong_values_are_no_values_of_the_export(
    workspace: Workspace, tmp_path: Path, field_cases: Path
) -> None:
    brought(workspace, field_cases / "cdp/bbox_neg")
    write(tmp_path / "out", StoreExport(workspace, None))
    assert problems(tmp_path / "out") == []
    found = by_id(tmp_path / "out")
    assert [row["scientificName"] for row in found.values()] == ["Vulpes vulpes"] * 2
    sides = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
    assert [float(found["o0"][side]) for side in sides] == pytest.approx([0, 0.3, 0.299, 0.3])
    assert [float(found["o1"][side]) for side in sides] == pytest.approx([0.3, 0.3, 0.3, 0.7])
    assert (found["o1"]["count"], found["o1"]["classificationProbability"]) == ("", "")


def test_columns_that_the_standard_does_not_have_stay_in_the_store(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = package(tmp_path / "p", [deployment()], [medium(trapperID="7")], taxonomic=[])
    assert columns_of(trip(workspace, root, tmp_path / "out")) == {"media.trapperID": ("7", "")}
    notes = exported(workspace, tmp_path / "again").notes
    assert [number for note, number in notes.items() if "such as trapperID" in note] == [1]
    with workspace.database.read() as conn:
        (details,) = conn.scalars(sa.select(schema.image.c.details))
    assert details["media"]["trapperID"] == "7"


# What people answer.


def test_people_who_agree_become_the_authors_and_all_else_of_the_row_stays(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = package(
        tmp_path / "p",
        [FULL_DEPLOYMENT],
        [FULL_MEDIUM],
        [FULL_OBSERVATION],
        project={**PROJECT, "observationLevel": ["media", "event"]},
    )
    brought(workspace, root)
    answered(workspace, "vulpes vulpes")
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    found = columns_of(differences(root, tmp_path / "out"))
    assert found.pop("sources")[1] == '[{"title": "Wildloop"}]'
    del found["created"], found["observations: rows"]
    assert found == {
        "observations.classifiedBy": ("Ann", "Eve"),
        "observations.classificationTimestamp": ("2024-06-01T09:00:00+02:00", "2024-07-01T08:00:00Z"),
        "observations.classificationProbability": ("0.90", ""),
    }


def test_people_who_disagree_take_the_row_over_with_its_id_and_box(
    workspace: Workspace, tmp_path: Path
) -> None:
    event = observation("o2", **{**EVENT, **FOX}, count=2, classifiedBy="Ann")
    root = package(tmp_path / "p", [FULL_DEPLOYMENT], [FULL_MEDIUM], [FULL_OBSERVATION, event])
    brought(workspace, root)
    answered(workspace, "meles meles")
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    found = by_id(tmp_path / "out")
    row = found.pop("o1")
    assert (row["scientificName"], row["classifiedBy"], row["eventID"]) == ("Meles meles", "Eve", "e1")
    assert (row["bboxWidth"], row["eventStart"]) == ("0.2744", "2024-05-02T10:00:00Z")
    assert (row["sex"], row["observationComments"], row["individualID"], row["count"]) == ("", "", "", "1")
    (of_event,) = found.values()
    assert (of_event["scientificName"], of_event["eventID"], of_event["observationLevel"]) == (
        "Meles meles",
        "e1",
        "event",
    )
    assert [entry["scientificName"] for entry in about(tmp_path / "out")["taxonomic"]] == ["Meles meles"]


def test_a_person_found_here_makes_a_medium_private(workspace: Workspace, tmp_path: Path) -> None:
    observations = [observation(**boxed()), observation("o2", mediaID="m2", observationType="human")]
    media = [medium(filePublic="true"), medium("m2", filePublic="true")]
    brought(workspace, package(tmp_path / "p", [deployment()], media, observations))
    answered(workspace, "human")
    exported(workspace, tmp_path / "out")
    assert [row["filePublic"] for row in rows(tmp_path / "out", "media")] == ["false", "true"]


def test_a_medium_keeps_its_id_when_another_source_gives_its_photograph_one(
    workspace: Workspace, tmp_path: Path
) -> None:
    brought(workspace, package(tmp_path / "p", [deployment()], [medium()], [observation(**boxed())]))
    with workspace.database.write() as conn:
        conn.execute(sa.update(schema.image).values(source_id="of a COCO file"))
    exported(workspace, tmp_path / "out")
    assert {
        row["mediaID"] for table in ("media", "observations") for row in rows(tmp_path / "out", table)
    } == {"m1"}


def test_a_category_that_was_merged_is_written_as_the_other(workspace: Workspace, tmp_path: Path) -> None:
    observations = [observation(**boxed()), observation("o2", mediaID="m2", sex="male")]
    root = package(tmp_path / "p", [deployment()], [medium(), medium("m2")], observations)
    brought(workspace, root)
    with workspace.database.write() as conn:
        taxa.save(conn, [Taxon(category="vulpes lagopus", scientific_name="Vulpes lagopus", source="list")])
        categories.merge(conn, ["vulpes vulpes"], "vulpes lagopus")
    exported(workspace, tmp_path / "out")
    found = by_id(tmp_path / "out")
    assert [row["scientificName"] for row in found.values()] == ["Vulpes lagopus"] * 2
    assert found["o2"]["sex"] == "male"


def test_a_species_list_with_common_names_changes_nothing_of_a_package(
    workspace: Workspace, tmp_path: Path, shared_data: Path
) -> None:
    official = shared_data / "camtrap_dp"
    brought(workspace, official)
    with workspace.database.write() as conn:
        fox = Taxon(category="red fox", scientific_name="Vulpes vulpes")
        taxa.save_list(conn, ["red fox", "mallard"], [fox], {"anas platyrhynchos": "mallard"})
    exported(workspace, tmp_path / "out")
    assert [each.where for each in differences(official, tmp_path / "out")] == ["created"]


def test_names_of_the_user_and_of_the_species_list_come_before_those_of_the_package(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = package(
        tmp_path / "p", [deployment()], [medium()], [observation(), observation("o2", scientificName="Meles")]
    )
    brought(workspace, root)
    with workspace.database.write() as conn:
        taxa.save(conn, [Taxon(category="meles", scientific_name="Meles meles", rank="species")])
    exported(workspace, tmp_path / "out", taxa={"vulpes vulpes": "Vulpes vulpes fulva"})
    names = [row["scientificName"] for row in rows(tmp_path / "out", "observations")]
    assert sorted(names) == ["Meles meles", "Vulpes vulpes fulva"]
    assert about(tmp_path / "out")["taxonomic"] == [
        {"scientificName": "Meles meles", "taxonRank": "species"},
        {"scientificName": "Vulpes vulpes fulva"},
    ]


def test_boxes_of_a_detector_carry_the_observation_that_they_show(
    workspace: Workspace, tmp_path: Path
) -> None:
    given = observation("o1", **FOX, count=3, classifiedBy="Ann", observationTags="near")
    root = package(tmp_path / "p", [deployment()], [medium()], [given])
    put(root / "media/m1.jpg", encoded(scene()))
    import_camtrap_dp(workspace, root)
    boxes = [{"category": "1", "conf": 0.9, "bbox": [at, 0.1, 0.2, 0.2]} for at in (0.1, 0.5)]
    results = {
        "info": {"format_version": "1.5", "detector": "md_v5a"},
        "detection_categories": {"1": "animal"},
        "images": [{"file": "media/m1.jpg", "detections": boxes}],
    }
    listed = put(tmp_path / "md.json", json.dumps(results).encode())
    import_results(workspace, listed, root)
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    found = by_id(tmp_path / "out")
    row = found.pop("o1")
    (other,) = found.values()
    assert (row["sex"], row["classifiedBy"], row["count"], row["bboxWidth"]) == ("male", "Ann", "2", "0.2")
    assert row["observationTags"] == "near | detector:results:md_v5a | bboxConfidence:0.9"
    assert (other["scientificName"], other["count"], other["sex"]) == ("Vulpes vulpes", "1", "")


# Several packages, and photographs of other sources.


def second(folder: Path, **described: Any) -> Path:
    """Another package, whose ids are those of the first."""
    observations = [observation(scientificName="Meles meles")]
    place = deployment(locationName="Elsewhere", latitude=50.5, habitat="dunes")
    return package(
        folder, [place], [medium(filePath="media/other.jpg")], observations, name="second", **described
    )


def test_packages_that_use_the_same_ids_stay_apart(workspace: Workspace, tmp_path: Path) -> None:
    first = package(tmp_path / "1", [deployment(habitat="wood")], [medium()], [observation()])
    brought(workspace, first)
    brought(workspace, second(tmp_path / "2"))
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    cameras = by_id(tmp_path / "out", "deployments")
    assert {(row["locationName"], row["habitat"], row["latitude"]) for row in cameras.values()} == {
        ("site d1", "wood", "51.1"),
        ("Elsewhere", "dunes", "50.5"),
    }
    media = {
        row["filePath"]: cameras[row["deploymentID"]]["habitat"] for row in rows(tmp_path / "out", "media")
    }
    assert media == {"media/m1.jpg": "wood", "media/other.jpg": "dunes"}
    seen = {
        (cameras[row["deploymentID"]]["habitat"], row["scientificName"])
        for row in rows(tmp_path / "out", "observations")
    }
    assert seen == {("wood", "Vulpes vulpes"), ("dunes", "Meles meles")}
    brought(workspace, first)  # once more: nothing moves
    exported(workspace, tmp_path / "again")
    found = differences(tmp_path / "out", tmp_path / "again")
    assert {each.where for each in found} <= {"created"}


def test_packages_of_one_name_are_told_apart_by_their_ids(workspace: Workspace, tmp_path: Path) -> None:
    brought(workspace, package(tmp_path / "1", [deployment(habitat="wood")], [medium()], id="a"))
    other = medium(filePath="media/other.jpg")
    brought(workspace, package(tmp_path / "2", [deployment(habitat="dunes")], [other], id="b"))
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    assert {row["habitat"] for row in rows(tmp_path / "out", "deployments")} == {"wood", "dunes"}


ONE = {
    "id": "a",
    "title": "First",
    "version": "1",
    "keywords": ["camera traps", "fox"],
    "contributors": [{"title": "Ann Example", "role": "contact"}, {"title": "Museum", "role": "publisher"}],
    "licenses": [{"name": "CC0-1.0", "scope": "data"}, {"name": "CC-BY-4.0", "scope": "media"}],
    "taxonomic": [{"scientificName": "Vulpes vulpes", "vernacularNames": {"eng": "red fox"}}],
    "resources": [],
}
TWO = {
    **ONE,
    "id": "b",
    "title": "Second",
    "keywords": ["badger"],
    "contributors": [{"title": "Bob Example"}, {"title": "Museum", "role": "publisher"}],
    "taxonomic": [{"scientificName": "Meles meles", "taxonRank": "species", "family": "Mustelidae"}],
}


def described(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if name != "resources"}


def test_descriptors_of_several_packages_are_joined_where_they_agree(
    workspace: Workspace, tmp_path: Path
) -> None:
    brought(workspace, package(tmp_path / "1", [deployment()], [medium()], [observation()], **described(ONE)))
    brought(workspace, second(tmp_path / "2", **described(TWO)))
    exported(workspace, tmp_path / "out")
    assert problems(tmp_path / "out") == []
    found = about(tmp_path / "out")
    assert [each["title"] for each in found["contributors"]] == ["Ann Example", "Museum", "Bob Example"]
    assert found["keywords"] == ["camera traps", "fox", "badger"]
    assert found["licenses"] == ONE["licenses"]
    assert found["taxonomic"] == [*ONE["taxonomic"], *TWO["taxonomic"]]
    assert "id" not in found
    assert "version" not in found
    assert found["title"] == "Wildloop"
    assert found["project"]["title"] == "Sample"
    assert found["spatial"]["coordinates"] == [[4.2, 50.5], [4.2, 51.1]]


def test_projects_that_differ_ask_for_what_they_do_not_agree_on(workspace: Workspace, tmp_path: Path) -> None:
    project = {"title": "P", "individualAnimals": True, "observationLevel": ["media"]}
    one = {"samplingDesign": "targeted", "captureMethod": ["timeLapse"]}
    other = {"samplingDesign": "opportunistic", "captureMethod": ["activityDetection"]}
    rows_of_first = ([deployment()], [medium()], [observation()])
    brought(workspace, package(tmp_path / "1", *rows_of_first, project={**project, **one}))
    brought(workspace, second(tmp_path / "2", project={**project, **other}))
    with pytest.raises(ExportError, match=r"sampling design.*--sampling-design: simpleRandom"):
        exported(workspace, tmp_path / "out")
    exported(workspace, tmp_path / "out", sampling_design="targeted")
    assert problems(tmp_path / "out") == []
    found = about(tmp_path / "out")["project"]
    assert found["samplingDesign"] == "targeted"
    assert sorted(found["captureMethod"]) == ["activityDetection", "timeLapse"]
    assert found["individualAnimals"] is True


def test_photographs_of_other_sources_come_beside_a_package(workspace: Workspace, tmp_path: Path) -> None:
    root = package(
        tmp_path / "p",
        [deployment()],
        [medium()],
        [observation()],
        **described(ONE),
        temporal={"start": "2024-05-01", "end": "2024-05-31"},
    )
    brought(workspace, root)
    with workspace.database.write() as conn:
        other = ImageRecord(
            id="other", file_name="x/1.jpg", path="/x/1.jpg", location="x", datetime=dt.datetime(2024, 8, 1)
        )
        images.add(conn, [other])
    table = put(tmp_path / "d.csv", b"location,latitude,longitude,timezone\nx,52.5,5.5,UTC\n")
    import_deployments(workspace, table)
    exported(workspace, tmp_path / "out", capture_methods=("activityDetection",))
    assert problems(tmp_path / "out") == []
    media = by_id(tmp_path / "out", "media")
    came = by_id(root, "media")["m1"]
    assert media["m1"] == came
    assert (media["other"]["filePath"], media["other"]["captureMethod"]) == ("x/1.jpg", "activityDetection")
    found = about(tmp_path / "out")
    assert found["temporal"] == {"start": "2024-05-01", "end": "2024-08-01"}
    assert found["spatial"]["coordinates"][0][2] == [5.5, 52.5]
    assert found["contributors"] == ONE["contributors"]
    assert found["sources"] == [{"title": "Wildloop"}]
    assert "id" not in found


def test_further_properties_and_resources_come_out(workspace: Workspace, tmp_path: Path) -> None:
    root = package(tmp_path / "p", [deployment()], [medium()], [observation()])
    entries = about(root)
    entries["resources"] += [
        {"name": "individuals", "data": [{"id": 1, "individualName": "Reinaert"}]},
        {"name": "terms", "path": "https://example.org/terms.csv"},
        {"name": "map", "path": ["maps/map.csv"]},
        {"name": "absent", "path": "absent.csv"},
        {"name": "outside", "path": "../outside.csv"},
        {"name": "ours", "path": "media.csv"},
    ]
    entries["references"] = ["doi:1"]
    entries["x:custom"] = {"a": [1, {"b": None}]}
    put(root / "datapackage.json", json.dumps(entries).encode())
    put(root / "maps/map.csv", b"a,b\n1,2\n")
    put(tmp_path / "outside.csv", b"a,b\n1,2\n")
    brought(workspace, root)
    report = exported(workspace, tmp_path / "out")
    found = about(tmp_path / "out")
    assert found["resources"][3:] == entries["resources"][3:6]
    assert (tmp_path / "out/maps/map.csv").read_bytes() == b"a,b\n1,2\n"
    exported(workspace, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("maps/map.csv") == b"a,b\n1,2\n"
    assert (found["references"], found["x:custom"]) == (entries["references"], entries["x:custom"])
    for name in ("absent", "outside", "ours"):
        assert [note for note in report.notes if f"such as {name}" in note]


def test_a_descriptor_that_breaks_the_standard_is_mended(workspace: Workspace, tmp_path: Path) -> None:
    broken = {
        "contributors": [{"title": "Ann Example", "role": "boss"}, {"email": "x"}, 7],
        "licenses": [{"name": "CC0-1.0", "scope": "data"}, {"name": "x", "scope": "pictures"}],
        "project": {"samplingDesign": "anyhow", "captureMethod": ["motion"], "individualAnimals": "no"},
        "taxonomic": [
            {
                "scientificName": "Vulpes vulpes",
                "taxonRank": "tribe",
                "vernacularNames": {"en": "x", "eng": "red fox"},
            },
            {"vernacularNames": 7},
        ],
        "spatial": None,
        "temporal": "2024",
    }
    brought(workspace, package(tmp_path / "p", [deployment()], [medium()], [observation()], **broken))
    exported(
        workspace, tmp_path / "out", sampling_design="targeted", capture_methods=("timeLapse",), title="P"
    )
    assert problems(tmp_path / "out") == []
    found = about(tmp_path / "out")
    assert found["contributors"] == [{"title": "Ann Example"}]
    assert found["taxonomic"] == [{"scientificName": "Vulpes vulpes", "vernacularNames": {"eng": "red fox"}}]


# Settings.


def test_all_that_is_missing_is_named_at_once(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.database.write() as conn:
        one = ImageRecord(id="1", file_name="a/1.jpg", path="/a/1.jpg", location="a")
        images.add(conn, [replace(one, datetime=dt.datetime(2024, 5, 1))])
    with pytest.raises(ExportError) as caught:
        exported(workspace, tmp_path / "out", data_licence="CC0-1.0")
    for word in (
        "coordinates",
        "--timezone",
        "--sampling-design: simpleRandom",
        "--capture-method: activityDetection, timeLapse",
        "--media-licence",
    ):
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sampling_design", "random"),
        ("capture_methods", ("motion",)),
        ("data_licence", "free for all"),
        ("media_licence", ""),
    ],
)
def test_a_setting_that_the_standard_does_not_know_is_refused(setting: str, value: Any) -> None:
    with pytest.raises(ExportError, match=r"choose|SPDX"):
        camtrap_dp.Settings(**{setting: value})


def test_the_command_takes_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field_cases: Path
) -> None:
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    out = str(tmp_path / "out")
    run = CliRunner().invoke(wildloop, ["import", "camtrap-dp", str(field_cases / "cdp/plain")])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(wildloop, ["export", "camtrap-dp", out])
    assert "--sampling-design: simpleRandom" in str(run.exception)
    words = ["--sampling-design", "targeted", "--data-licence", "CC0-1.0", "--contributor", "Ann Example"]
    words += ["--media-licence", "https://creativecommons.org/licenses/by/4.0/", "--title", "Wood"]
    run = CliRunner().invoke(wildloop, ["export", "camtrap-dp", out, *words])
    assert run.exit_code == 0, (run.output, run.exception)
    found = about(tmp_path / "out")
    assert (found["title"], found["name"]) == ("Wood", "wood")
    assert found["contributors"] == [{"title": "Ann Example", "role": "contact"}]
    assert found["project"]["captureMethod"] == ["activityDetection"]  # as its media say
    assert found["licenses"] == [
        {"name": "CC0-1.0", "scope": "data"},
        {"path": "https://creativecommons.org/licenses/by/4.0/", "scope": "media"},
    ]
    assert problems(tmp_path / "out") == []


# Nothing there.


def test_blank_photographs_are_blank_observations_of_media_and_of_events(
    workspace: Workspace, tmp_path: Path, field_cases: Path, camtrap_dp_schemas: Path
) -> None:
    root = tmp_path / "photos"
    for number in range(4):
        taken_at = dt.datetime(2024, 5, 1, 12, 10 * (number // 2), number)
        put(root / f"camA/{number}.jpg", encoded(scene(seed=number), taken_at=taken_at))
    listed = json.loads((field_cases / "blank_export/l.json").read_text())
    for image in listed["images"]:  # the boxes are in pixels of these photographs
        image.update(width=160, height=120)
    for number in (2, 3):
        listed["annotations"][number]["bbox"] = [50, 35, 30, 30]
    import_coco(workspace, [put(tmp_path / "l.json", json.dumps(listed).encode())], str(root), None)
    import_deployments(workspace, field_cases / "blank_export/dep.csv")
    out = tmp_path / "out"
    write(out, StoreExport(workspace, None))
    assert problems(out, published(camtrap_dp_schemas)) == []
    media = {row["mediaID"]: row["fileName"] for row in rows(out, "media")}
    found = rows(out, "observations")
    told = {
        (media[row["mediaID"]], row["observationType"], row["scientificName"])
        for row in found
        if row["observationLevel"] == "media"
    }
    assert told == {
        ("0.jpg", "blank", ""),
        ("1.jpg", "animal", "Red fox"),
        ("2.jpg", "blank", ""),
        ("3.jpg", "animal", "Red fox"),
    }
    assert "Blank" not in (out / "observations.csv").read_text()


def test_a_sequence_of_which_every_photograph_is_blank_is_a_blank_event(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    images_of = []
    for number in range(2):
        taken_at = dt.datetime(2024, 5, 1, 12, 0, number)
        put(root / f"camA/{number}.jpg", encoded(scene(seed=number), taken_at=taken_at))
        size = {"width": 160, "height": 120}
        images_of.append({"id": str(number), "file_name": f"camA/{number}.jpg", "location": "camA", **size})
    listed = {
        "info": {"version": "1", "description": "x"},
        "images": images_of,
        "annotations": [
            {"id": str(number), "image_id": str(number), "category_id": 0, "bbox": [50, 35, 30, 30]}
            for number in range(2)
        ],
        "categories": [{"id": 0, "name": "No Animal"}],
    }
    import_coco(workspace, [put(tmp_path / "l.json", json.dumps(listed).encode())], str(root), None)
    table = put(tmp_path / "d.csv", b"location,latitude,longitude,timezone\ncamA,52.1,5.1,UTC\n")
    import_deployments(workspace, table)
    write(tmp_path / "out", StoreExport(workspace, None))
    assert problems(tmp_path / "out") == []
    found = [
        (row["observationLevel"], row["observationType"]) for row in rows(tmp_path / "out", "observations")
    ]
    assert sorted(set(found)) == [("event", "blank"), ("media", "blank")]
