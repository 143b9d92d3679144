"""What a MegaDetector results file brings besides boxes, what is left of it, and what damage does to it."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.detectors.detector import DetectedBox
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.image_root import ImageRoot
from importers.sources import megadetector
from importers.sources.megadetector.classes import read_classes
from importers.sources.megadetector.file import check
from pipeline.cli import wildloop
from pipeline.errors import SourceError, WildloopError
from pipeline.records import Level, SourceLabel
from pipeline.render.importing import import_report
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import images
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

BOX = [0.1, 0.2, 0.3, 0.4]


def results(path: Path, *listed: Any, **sections: Any) -> Path:
    table = {
        "info": {"format_version": "1.5", "detector": "md_v5a.0.0", "classifier": "deepfaune"},
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "classification_categories": {"0": "Red Fox", "1": "blank", "2": "unknown"},
        **sections,
        "images": listed,
    }
    return put(path, json.dumps({name: value for name, value in table.items() if value is not None}).encode())


def seen(name: str = "a.jpg", *classified: Any, **fields: Any) -> dict[str, Any]:
    detection: dict[str, Any] = {"category": "1", "conf": 0.9, "bbox": BOX}
    if classified:
        detection["classifications"] = list(classified)
    return {"file": name, "detections": [detection], **fields}


def read(path: Path, threshold: float | None = None) -> tuple[list[SourceImage], ImportReport]:
    report = ImportReport(source=str(path))
    root = ImageRoot(path.parent)
    return list(megadetector.source_images(check(path, root, threshold), root, report)), report


def boxes(entry: SourceImage) -> tuple[DetectedBox, ...]:
    assert entry.detections is not None
    return entry.detections.boxes


def labels(path: Path, threshold: float = 0.0) -> list[tuple[SourceLabel, ...]]:
    return [boxes(entry)[0].labels for entry in read(path, threshold)[0]]


# Classifications


def test_the_best_classification_becomes_a_weak_label_with_its_classifier_as_provenance(
    tmp_path: Path,
) -> None:
    path = results(tmp_path / "md.json", seen("a.jpg", ["1", 0.2], ["0", 0.7]), seen("b.jpg"))
    expected = SourceLabel(
        category="red fox",
        source="megadetector:deepfaune",
        level=Level.BOX,
        weak=True,
        confidence=0.7,
        annotator="deepfaune",
    )
    assert labels(path) == [(expected,), ()]


def test_classifications_are_not_adopted_unless_asked_for(tmp_path: Path) -> None:
    (entry,), report = read(results(tmp_path / "md.json", seen("a.jpg", ["0", 0.7])))
    assert entry.detections is not None
    assert entry.detections.boxes[0].labels == ()
    (entry,), report = read(results(tmp_path / "md.json", seen("a.jpg", "no classification")))
    assert report.refused == {}


def test_without_a_classifier_the_file_itself_is_the_provenance(tmp_path: Path) -> None:
    info = {"format_version": "1.5"}
    path = results(tmp_path / "spring.json", seen("a.jpg", ["0", 0.7]), info=info)
    (label,) = labels(path)[0]
    assert (label.source, label.annotator) == ("megadetector:spring", None)


def test_blank_means_empty_and_unknown_means_nothing(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", seen("a.jpg", ["1", 0.7]), seen("b.jpg", ["2", 0.7]))
    (blank,), unknown = labels(path)
    assert blank.category == "empty"
    assert unknown == ()


def test_a_class_that_is_a_taxonomy_string_is_its_common_name_and_its_taxon(tmp_path: Path) -> None:
    classes = {
        "0": "3d80;mammalia;carnivora;canidae;canis;familiaris;domestic dog",
        "1": "f185;;;;;;blank",
        "2": "1f68;;;;;;animal",
        "3": "f2ef;;;;;;no cv result",
        "4": "990a;mammalia;primates;hominidae;homo;sapiens;human",
        "5": "fox",
        "6": "d8e1;mammalia;primates;hominidae;homo;sapiens;hunter",
    }
    described = {"5": "5a;mammalia;carnivora;canidae;vulpes;vulpes;red fox", "0": 7}
    path = tmp_path / "results.json"
    path.write_text(
        json.dumps({"classification_categories": classes, "classification_category_descriptions": described})
    )
    found = read_classes(path, {"classifier": "net"}, 0.0)
    names = {"0": "domestic dog", "1": "empty", "2": None, "3": None, "4": "human", "5": "fox", "6": "human"}
    assert found.names == names
    assert [(taxon.category, taxon.scientific_name, taxon.source) for taxon in found.taxa] == [
        ("domestic dog", "Canis familiaris", "megadetector:net"),
        ("fox", "Vulpes vulpes", "megadetector:net"),
    ]


def test_classes_of_speciesnet_in_either_form_are_common_names(field_cases: Path) -> None:
    for name in ("as_md_common", "as_md_raw"):
        found = list(read_classes(field_cases / "speciesnet" / f"{name}.json", {}, 0.0).names.values())
        assert found[:3] == ["domestic dog", "empty", None]


def test_classifications_below_the_threshold_are_left(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", seen("a.jpg", ["0", 0.7]), seen("b.jpg", ["0", 0.8]))
    assert [len(own) for own in labels(path, 0.75)] == [0, 1]


@pytest.mark.parametrize(
    "broken", ["0", ["0"], ["9", 0.5], [0, 0.5], ["0", 1.5], ["0", None], [["0"], 0.5], {"0": 0.5}]
)
def test_a_broken_classification_costs_the_label_of_its_box(tmp_path: Path, broken: Any) -> None:
    path = results(tmp_path / "md.json", seen("a.jpg", ["0", 0.7], broken), seen("b.jpg", ["0", 0.7]))
    found, report = read(path, 0.0)
    assert [[len(box.labels) for box in boxes(entry)] for entry in found] == [[0], [1]]
    assert (report.refused, report.unused_values) == ({}, {"classifications": 1})
    assert report.examples[0][0] == "image 0 (a.jpg): detection 0"


def test_a_file_without_classes_has_none_to_adopt(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", seen(), classification_categories=None)
    assert len(read(path)[0]) == 1
    with pytest.raises(SourceError, match="classification_categories"):
        read(path, 0.0)


# Times, sizes, categories, places


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2024:05:01 12:00:03", dt.datetime(2024, 5, 1, 12, 0, 3)),
        ("2024-05-01 12:00:03", dt.datetime(2024, 5, 1, 12, 0, 3)),
        ("2024-05-01T12:00:03+02:00", dt.datetime(2024, 5, 1, 12, 0, 3)),
        ("0000:00:00 00:00:00", None),
        ("1899:12:31 23:59:59", None),
        ("2024:05:01", None),
        (20240501, None),
        ("yesterday", None),
    ],
)
def test_the_time_of_an_image_is_taken_where_it_is_one(
    tmp_path: Path, given_time: Any, expected: dt.datetime | None
) -> None:
    path = results(tmp_path / "md.json", seen(datetime=given_time, width=2048, height=1536))
    (entry,), report = read(path)
    assert (entry.datetime, entry.width, entry.height) == (expected, 2048, 1536)
    assert report.unused_values == ({"datetime": 1} if expected is None else {})


@pytest.mark.parametrize("width", [0, -1, "2048", 1.5, True, None, 1 << 40])
def test_a_size_that_is_none_is_not_taken(tmp_path: Path, width: Any) -> None:
    assert read(results(tmp_path / "md.json", seen(width=width)))[0][0].width is None


def test_the_names_of_categories_are_brought_to_animal_person_and_vehicle(tmp_path: Path) -> None:
    kinds = {"0": "background", "1": "Deer", "2": "human", "3": "Truck"}
    image = {"file": "a.jpg", "detections": [{"category": id_, "conf": 1, "bbox": BOX} for id_ in kinds]}
    (entry,), _ = read(results(tmp_path / "md.json", image, detection_categories=kinds))
    assert entry.detections is not None
    assert [finding.category for finding in entry.detections.boxes] == ["animal", "person", "vehicle"]


def test_photographs_may_lie_in_an_object_store(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", seen("site\\a.jpg"))
    root = ImageRoot("s3://bucket/photos/")
    (entry,) = megadetector.source_images(check(path, root), root, ImportReport(source=""))
    assert (entry.file_name, entry.path) == ("site/a.jpg", "s3://bucket/photos/site/a.jpg")


# Old files, and the thresholds of detectors


@pytest.mark.parametrize("version", [None, "1.0", 1.0, 1])
def test_files_of_2019_to_2021_are_read_with_a_note(
    sqlite_database: Database, tmp_path: Path, version: Any
) -> None:
    info = {"detector": "megadetector_v3.pb"} | ({} if version is None else {"format_version": version})
    path = results(tmp_path / "md.json", seen(max_detection_conf=0.9), info=info)
    report = megadetector.import_results(
        make_workspace(sqlite_database, tmp_path / "data"),
        path,
        tmp_path,
        options=ImportOptions(rows_only=True),
    )
    assert (report.photographs, report.detections) == (1, 1)
    assert "1  file of a format before 1.1, read as 1.1" in import_report(report)


@pytest.mark.parametrize(
    ("info", "typical"),
    [
        ({"detector_metadata": {"typical_detection_threshold": 0.8}}, 0.8),
        (
            {
                "detector": "md_v1000.0.0-redwood.pt",
                "detector_metadata": {"typical_detection_threshold": 0.2},
            },
            0.2,
        ),
        ({"detector_metadata": {"typical_detection_threshold": "high"}}, None),
        (
            {"detector_metadata": {"typical_detection_threshold": float("nan")}, "detector": "md_v4.1.0.pb"},
            0.8,
        ),
        ({"detector_metadata": None, "detector": "megadetector_v4.1"}, 0.8),
        ({"detector": "MegaDetector v3"}, 0.8),
        ({"detector": "md_v1000.0.0-redwood.pt"}, 0.3),
        ({"detector": "md_v5a.0.0.pt"}, None),
        ({"detector": "my own.pt"}, None),
        ({}, None),
        ({"format_version": None}, 0.8),  # the usual detector of its time was not named
    ],
)
def test_the_threshold_that_a_detector_is_meant_for_is_told_where_it_differs(
    sqlite_database: Database, tmp_path: Path, info: dict[str, Any], typical: float | None
) -> None:
    path = results(tmp_path / "md.json", seen("site/a.jpg"), info={"format_version": "1.2", **info})
    for threshold in (0.2, 0.8):
        report = megadetector.import_results(
            make_workspace(sqlite_database, tmp_path / "data"),
            path,
            tmp_path,
            options=ImportOptions(rows_only=True, threshold=threshold),
        )
        told = report.hints
        if typical in (None, threshold):
            assert told == []
        else:
            (hint,) = told
            assert hint.endswith(f"with a threshold of {typical:g}, and --threshold is {threshold:g}")
            assert hint in import_report(report)


def test_a_number_that_is_none_costs_its_detection_and_is_counted(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", seen("a.jpg"), seen("b.jpg"), seen("c.jpg"))
    data = path.read_text()
    path.write_text(data.replace('"conf": 0.9', '"conf": NaN', 1).replace("0.1, 0.2", "Infinity, 0.2", 1))
    found, report = read(path)
    assert [entry.detections is None for entry in found] == [True, False, False]
    assert report.examples == [("image 0 (a.jpg): detection 0", "conf null is not a number from 0 to 1")]


def test_boxes_of_animals_that_are_not_kept_name_no_species(
    sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/a.jpg", encoded(scene(64)))
    path = results(tmp_path / "photos/md.json", seen("a.jpg"))
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    options = ImportOptions(keep=frozenset({"person"}))
    megadetector.import_results(workspace, path, tmp_path / "photos", options=options)
    (photograph,) = StoreExport(workspace, None).photographs()
    assert [(label.category, label.details) for label in photograph.labels] == [
        (None, {"observationType": "animal"})
    ]
    megadetector.import_results(workspace, path, tmp_path / "photos")
    (photograph,) = StoreExport(workspace, None).photographs()
    assert [box.answer.category for box in photograph.detections] == [None]


BROKEN: dict[str, Any] = {"category": "1", "conf": None, "bbox": BOX}


@pytest.mark.parametrize(
    ("detections", "kept"),
    [
        ([BROKEN], None),  # nobody knows whether it is empty
        ([BROKEN, {**BROKEN, "conf": 0.1}], None),
        ([BROKEN, {**BROKEN, "conf": 0.9}], [0.9]),
        ([{**BROKEN, "conf": 0.9, "bbox": [0.5, 0.5, 0, 0]}], None),
        ([{**BROKEN, "conf": 0.1, "bbox": None}], []),  # it would not be kept either
        ([{**BROKEN, "conf": 0.1, "bbox": None}, {**BROKEN, "conf": 0.15}], [0.15]),
    ],
)
def test_a_broken_detection_costs_itself_and_its_photograph_is_not_called_empty(
    tmp_path: Path, detections: list[Any], kept: list[float] | None
) -> None:
    path = results(tmp_path / "md.json", {"file": "a.jpg", "detections": detections})
    report, root = ImportReport(source=""), ImageRoot(tmp_path)
    (entry,) = megadetector.source_images(check(path, root), root, report, threshold=0.2)
    assert kept == (None if entry.detections is None else [box.confidence for box in boxes(entry)])
    assert (report.refused, report.unused_values) == ({}, {"detections": 1})


def test_no_export_calls_a_photograph_empty_whose_only_detection_is_broken(
    sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos/a.jpg", encoded(scene(64)))
    path = results(tmp_path / "photos/md.json", {"file": "a.jpg", "detections": [BROKEN]})
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    for _ in range(2):
        report = megadetector.import_results(workspace, path, tmp_path / "photos")
    assert (report.known, report.not_looked_at) == (1, 0)
    (photograph,) = StoreExport(workspace, None).photographs()
    assert (photograph.detectors, photograph.detections) == ((), ())
    mended = results(tmp_path / "photos/md.json", seen("a.jpg"))
    assert megadetector.import_results(workspace, mended, tmp_path / "photos").detections == 1


FIELD: dict[str, tuple[int, int, dict[str, int]]] = {  # new photographs, bad values and failures
    "md_cats/empty4.json": (2, 0, {}),
    "md_cats/intkeys.json": (2, 1, {}),
    "md_cats/nan.json": (2, 1, {}),
    "md_cats/v10.json": (1, 0, {}),
    "md_cats/zero.json": (3, 0, {}),
    "md_v4/r.json": (3, 0, {}),
}


@pytest.mark.parametrize("name", FIELD)
def test_results_files_of_the_field_come_in_as_they_are_meant(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, name: str
) -> None:
    path = field_cases / name
    options = ImportOptions(workers=1)
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = megadetector.import_results(workspace, path, path.parent / "photos", options=options)
    assert (report.photographs, report.unused_values.total(), report.failed) == FIELD[name]
    assert bool(report.hints) == (name == "md_v4/r.json")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("md_cats/noinfo.json", "has no `info`"),
        ("md_cats/noanimal.json", "but only animal is kept"),
        ("md_nested/results.json", "lists and objects more than 100 within each other"),
    ],
)
def test_results_files_of_the_field_that_are_none_are_refused_in_words(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, name: str, problem: str
) -> None:
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    with pytest.raises(SourceError, match=problem) as caught:
        megadetector.import_results(workspace, field_cases / name, field_cases / "md_cats" / "photos")
    assert caught.value.remedy
    assert stored(sqlite_database) == '{"photographs": 0, "failed": {}}'


# Repeats


def camera(tmp_path: Path, photographs: int = 25) -> Path:
    """A stump in every photograph of site a, in a few of site b, and an animal that walks through both."""
    listed = []
    for site, number in (("a", photographs), ("b", 10)):
        for place in range(number):
            image = seen(f"{site}/{place}.jpg")
            image["detections"] = [
                {"category": "1", "conf": 0.9, "bbox": [0.02 * place, 0.5, 0.1, 0.2]},
                {"category": "1", "conf": 0.5, "bbox": [0.7 + 0.0005 * (place % 3), 0.1, 0.2, 0.2]},
            ]
            listed.append(image)
    return results(tmp_path / "md.json", *listed)


def run(tmp_path: Path, path: Path, *arguments: str) -> str:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    command = ["import", "megadetector", str(path), "--images", str(tmp_path), "--rows-only", *arguments]
    done = CliRunner().invoke(wildloop, command, env=environ)
    assert done.exit_code == 0, done.output
    return done.output


def test_boxes_that_stand_still_are_left_out_and_told_in_a_table(tmp_path: Path) -> None:
    table = tmp_path / "repeats.csv"
    output = run(tmp_path, camera(tmp_path), "--drop-repeats", "--repeats-report", str(table))
    assert "35 new photographs, 45 new detections" in output
    assert "25  repeat detections left out (boxes that stand still)" in output
    assert "1  place where boxes stand still" in output
    assert "1  location with boxes that stand still" in output
    with table.open() as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "location": "a",
        "x": "0.7000",
        "y": "0.1000",
        "width": "0.2000",
        "height": "0.2000",
        "boxes": "25",
        "example": "a/0.jpg",
    }


def test_a_report_of_repeats_alone_drops_nothing_and_a_later_import_without_them_keeps_what_is_there(
    tmp_path: Path,
) -> None:
    path = camera(tmp_path)
    output = run(tmp_path, path, "--repeats-report", str(tmp_path / "repeats.csv"))
    assert "35 new photographs, 70 new detections" in output
    assert "25  repeat detections" in output
    assert "kept" in output
    assert "0 new detections" in run(tmp_path, path, "--drop-repeats")


def test_repeats_that_were_left_out_come_with_a_later_import_that_keeps_them(tmp_path: Path) -> None:
    path = camera(tmp_path)
    assert "45 new detections" in run(tmp_path, path, "--drop-repeats")
    assert "25 new detections" in run(tmp_path, path, "--keep-repeats", "--classifications")


def test_what_stands_still_in_20_photographs_stays(tmp_path: Path) -> None:
    assert "60 new detections" in run(tmp_path, camera(tmp_path, 20), "--drop-repeats")


def test_faint_and_large_boxes_and_second_entries_are_no_repeats(tmp_path: Path) -> None:
    listed = []
    for place in range(30):
        image = seen(f"a/{place % 25}.jpg")  # five are listed twice
        image["detections"] = [
            {"category": "1", "conf": 0.1, "bbox": [0.1, 0.1, 0.1, 0.1]},
            {"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.5, 0.5]},
            {"category": "1", "conf": 0.9, "bbox": [0.3, 0.3, 0.1, 0.1]},
        ]
        listed.append(image if place % 2 or place >= 25 else seen(f"a/{place}.jpg"))
    output = run(tmp_path, results(tmp_path / "md.json", *listed), "--drop-repeats", "--threshold", "0")
    assert "left out" not in output  # of 25 photographs, 12 or 13 have each box


# Damage

GOOD: dict[str, Any] = {
    "info": {"format_version": "1.4", "detector": "md_v5a", "classifier": "c"},
    "detection_categories": {"1": "animal", "2": "person"},
    "classification_categories": {"0": "fox", "1": "deer"},
    "images": [
        {"file": "a/1.jpg", "detections": [{"category": "1", "conf": 0.9, "bbox": BOX}]},
        {
            "file": "a/2.jpg",
            "width": 640,
            "height": 480,
            "datetime": "2024:05:01 12:00:00",
            "detections": [
                {"category": "2", "conf": 0.5, "bbox": BOX, "classifications": [["0", 0.9], ["1", 0.1]]}
            ],
        },
        {"file": "a/3.jpg", "failure": "image access failure", "detections": None},
    ],
}
WRONG: list[Any] = [
    None,
    True,
    -1,
    10**15,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "a/1.jpg",
    "../../etc/passwd",
    "/x",
    "a\x00b",
    "\ud800",
    "C:\\" + "x" * 400,
    "back\\slash.jpg",
    "1850:01:01 00:00:00",
    "9999",
    [],
    {},
    [[]],
    [-0.5, 0, 3, 4],
    [0, 0, 0, 0],
    {"1": None},
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container within `value` with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    value = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(value) or [(value, "images")]))
        action = draw(st.sampled_from(["replace", "remove", "double"]))
        if action == "replace":
            container[key] = copy.deepcopy(draw(st.sampled_from(WRONG)))
        elif action == "remove":
            container.pop(key, None) if isinstance(container, dict) else container.pop(key)
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
    data = json.dumps(value).encode()
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data


def test_no_damage_gives_more_than_an_error_that_names_the_file(
    sqlite_database: Database, tmp_path: Path
) -> None:
    options = ImportOptions(rows_only=True, threshold=0.0, keep=frozenset({"animal", "person"}))

    @settings(deadline=None, max_examples=400)
    @given(damaged(), st.booleans(), st.booleans())
    def damage(content: bytes, classifications: bool, drop_repeats: bool) -> None:
        path = put(tmp_path / "md.json", content)
        before = stored(sqlite_database)
        try:
            report = megadetector.import_results(
                make_workspace(sqlite_database, tmp_path / "data"),
                path,
                tmp_path,
                options=options,
                classifications=classifications,
                drop_repeats=drop_repeats,
                repeats_report=tmp_path / "repeats.csv",
            )
        except WildloopError as exc:
            told = str(exc)
            assert stored(sqlite_database) == before
        else:
            told = import_report(report)
        assert "md.json" in told

    damage()


def stored(database: Database) -> str:
    with database.read() as conn:
        return json.dumps(images.counts(conn))
