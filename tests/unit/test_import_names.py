"""Imports of names in every form: each photograph once, at its place; what is missing or doubtful is told."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from importers.detectors import WholeFrame
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from importers.reading.locations import Origin, known_location
from importers.sources.camtrap_dp import import_camtrap_dp
from importers.sources.coco import import_coco
from importers.sources.detections_csv import import_detections
from importers.sources.emammal import import_emammal
from importers.sources.folder import import_folder
from importers.sources.megadetector import import_results
from pipeline.render.importing import import_report
from pipeline.store import schema
from pipeline.store.database import Database
from tests.helpers.camtrap_dp_packages import deployment, medium, package
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

BOX = [0.3, 0.3, 0.3, 0.3]
NOON = dt.datetime(2021, 5, 1, 10)
NAMES = ["camA/0.jpg", "camA/1.jpg", "camB/0.jpg", "camB/1.jpg"]
SOURCES = ["megadetector", "coco", "detections-csv"]


def photos(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        put(root / name, encoded(scene(seed=seed), taken_at=NOON + dt.timedelta(seconds=seed)))
    return root


def results(path: Path, *names: str, **info: Any) -> Path:
    found = [{"category": "1", "conf": 0.9, "bbox": BOX}]
    whole = {
        "info": {"format_version": "1.4", "detector": "md_v5a.0.0.pt", **info},
        "detection_categories": {"1": "animal"},
        "images": [{"file": name, "detections": found} for name in names],
    }
    return put(path, json.dumps(whole).encode())


def taken(database: Database, tmp_path: Path, kind: str, *names: str, **options: Any) -> ImportReport:
    """Import a source of this kind that has these names, from `photos`."""
    workspace = make_workspace(database, tmp_path / "data")
    chosen, images = ImportOptions(workers=1, **options), tmp_path / "photos"
    if kind == "megadetector":
        return import_results(workspace, results(tmp_path / "md.json", *names), images, options=chosen)
    if kind == "coco":
        listed = [
            {"id": str(n), "file_name": name, "width": 160, "height": 120} for n, name in enumerate(names)
        ]
        labels = [{"id": str(n), "image_id": str(n), "category_id": 1} for n in range(len(names))]
        whole = {"images": listed, "annotations": labels, "categories": [{"id": 1, "name": "red fox"}]}
        path = put(tmp_path / "l.json", json.dumps(whole).encode())
        return import_coco(workspace, [path], str(images), WholeFrame(), options=chosen)
    path = put(tmp_path / "d.csv", "".join(f"{name},0.9,0.3,0.3,0.6,0.6\n" for name in names).encode())
    return import_detections(workspace, path, images, options=chosen)


def stored(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of every photograph, by name."""
    names = [schema.image.c[column] for column in columns]
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(sa.select(*names).order_by(schema.image.c.file_name))]


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("form", ["./{}", "{0[0]}//{0[1]}", "{0[0]}/./{0[1]}", "{0[0]}\\{0[1]}", "{root}/{}"])
def test_every_form_of_a_name_is_one_photograph_at_its_camera(
    sqlite_database: Database, tmp_path: Path, kind: str, form: str
) -> None:
    root = photos(tmp_path / "photos", *NAMES)
    written = [form.replace("{}", name).format(name.split("/"), root=root) for name in NAMES]
    report = taken(sqlite_database, tmp_path, kind, *written)
    assert (report.photographs, report.failed, report.sequences) == (4, {}, 2)
    assert stored(sqlite_database, "file_name", "location") == [(name, name[:4]) for name in NAMES]
    bursts = stored(sqlite_database, "location", "seq_id")
    assert len(set(bursts)) == 2, "bursts mix cameras"
    again = taken(sqlite_database, tmp_path, kind, *NAMES)
    assert (again.photographs, again.known, again.detections) == (0, 4, 0)


@pytest.mark.parametrize("kind", ["megadetector", "detections-csv"])
def test_a_name_that_is_listed_twice_in_two_forms_counts_once(
    sqlite_database: Database, tmp_path: Path, kind: str
) -> None:
    root = photos(tmp_path / "photos", "camA/0.jpg")
    names = ["camA/0.jpg", "./camA/0.jpg", f"{root}/camA//0.jpg"]
    report = taken(sqlite_database, tmp_path, kind, *names)
    assert (report.photographs, report.detections) == (1, 1)
    assert report.duplicates == (2 if kind == "megadetector" else 0)  # a row of the CSV is a box


def test_the_order_of_imports_in_two_forms_makes_no_difference(
    sqlite_database: Database, tmp_path: Path
) -> None:
    photos(tmp_path / "photos", *NAMES)
    dotted = [f"./{name}" for name in NAMES]
    taken(sqlite_database, tmp_path, "megadetector", *dotted[:2], *NAMES[2:])
    again = taken(sqlite_database, tmp_path, "megadetector", *NAMES[:2], *dotted[2:])
    assert (again.photographs, again.known) == (0, 4)
    assert len(stored(sqlite_database, "id")) == 4


def test_what_an_earlier_version_stored_with_a_dot_gets_its_name_and_place(
    sqlite_database: Database, tmp_path: Path
) -> None:
    root = photos(tmp_path / "photos", *NAMES)
    taken(sqlite_database, tmp_path, "megadetector", *NAMES)
    before = stored(sqlite_database, "id")
    image = schema.image
    with sqlite_database.write() as conn:  # as it was: one place, one burst
        former = {"path": f"{root}/./" + image.c.file_name, "file_name": "./" + image.c.file_name}
        conn.execute(sa.update(image).values(location=".", seq_id="burst-1", **former))
    report = taken(sqlite_database, tmp_path, "megadetector", *NAMES)
    assert (report.photographs, report.known, report.moved) == (0, 4, 4)
    assert stored(sqlite_database, "file_name", "location", "path") == [
        (name, name[:4], f"{root}/{name}") for name in NAMES
    ]
    assert stored(sqlite_database, "id") == before
    assert len(set(stored(sqlite_database, "location", "seq_id"))) == 2


@pytest.mark.parametrize("kind", SOURCES)
def test_names_of_another_computer_are_refused_one_by_one_until_their_prefix_is_given(
    sqlite_database: Database, tmp_path: Path, kind: str
) -> None:
    photos(tmp_path / "photos", *NAMES)
    names = ["D:\\Fotos\\camA\\0.jpg", "D:/Fotos/camA/1.jpg", "d:\\fotos\\\\camB\\.\\0.jpg", "camB/1.jpg"]
    report = taken(sqlite_database, tmp_path, kind, *names)
    assert (report.photographs, report.failed) == (1, {"outside": 3})
    assert "--strip-prefix" in import_report(report)
    report = taken(sqlite_database, tmp_path, kind, *names, strip_prefix="D:\\Fotos")
    assert (report.photographs, report.known, report.failed) == (3, 1, {})
    assert stored(sqlite_database, "file_name", "failure") == [(name, None) for name in NAMES]


def test_media_of_a_package_have_names_in_every_form_too(sqlite_database: Database, tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", *NAMES)
    paths = [f"./{NAMES[0]}", f"{root}//{NAMES[1]}", "D:\\Fotos\\camB\\0.jpg", "camB/./1.jpg"]
    media = [medium(f"m{n}", filePath=path, fileName="") for n, path in enumerate(paths)]
    at = package(tmp_path / "package", [deployment()], media)
    options = ImportOptions(workers=1, strip_prefix="D:/Fotos")
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_camtrap_dp(workspace, at, str(root), options=options)
    assert (report.photographs, report.failed) == (4, {})
    assert [name for (name,) in stored(sqlite_database, "file_name")] == NAMES


def test_names_of_a_manifest_have_one_form(sqlite_database: Database, tmp_path: Path) -> None:
    folder = photos(tmp_path / "d1", "1.JPG", "2.JPG")
    listed = ("./1.JPG", ".\\2.JPG")
    images = "".join(f"<Image><ImageFileName>{name}</ImageFileName></Image>" for name in listed)
    sequence = f"<ImageSequence><ImageSequenceId>s</ImageSequenceId>{images}</ImageSequence>"
    ids = "<ProjectId>7</ProjectId><CameraDeploymentID>1</CameraDeploymentID>"
    text = f"<CameraTrapDeployment>{ids}{sequence}</CameraTrapDeployment>"
    put(folder / "deployment_manifest.xml", text.encode())
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_emammal(workspace, [folder], options=ImportOptions(workers=1))
    assert (report.photographs, report.failed) == (2, {})
    assert stored(sqlite_database, "file_name", "location") == [("1.JPG", "1"), ("2.JPG", "1")]


# Locations


@pytest.mark.parametrize(
    "word", [None, "", "-1", " -1 ", "-1.0", "NA", "n/a", "NaN", "none", "null", "Unknown"]
)
def test_words_for_no_location_are_none(word: str | None) -> None:
    assert known_location(word) is None


def test_minus_one_is_no_location_and_no_number_of_a_frame(sqlite_database: Database, tmp_path: Path) -> None:
    photos(tmp_path / "photos", "camA/0.jpg", "camA/1.jpg")
    listed = [
        {"id": "0", "file_name": "camA/0.jpg", "location": -1, "seq_id": "s", "frame_num": -1},
        {"id": "1", "file_name": "camA/1.jpg", "location": 3, "seq_id": "s", "frame_num": 0},
    ]
    listed[0]["seq_num_frames"] = -1
    path = put(
        tmp_path / "l.json", json.dumps({"images": listed, "annotations": [], "categories": []}).encode()
    )
    options = ImportOptions(workers=1)
    report = import_coco(
        make_workspace(sqlite_database, tmp_path / "data"),
        [path],
        str(tmp_path / "photos"),
        None,
        options=options,
    )
    assert report.refused == {}
    assert stored(sqlite_database, "location", "seq_id", "frame_num", "seq_num_frames") == [
        ("camA", "s", None, None),
        ("3", "s", 0, None),
    ]
    assert report.origins == {Origin.FOLDER: 1, Origin.SOURCE: 1}
    both = "named by the first folder of each photograph (1) and named by the source (1): 3 (1), camA (1)"
    assert f"2  locations, {both} (to change" in import_report(report)


def folder(database: Database, tmp_path: Path, root: Path, **options: Any) -> ImportReport:
    chosen = ImportOptions(workers=1, **options)
    return import_folder(make_workspace(database, tmp_path / "data"), root, WholeFrame(), options=chosen)


def test_the_report_says_which_locations_it_found_and_by_what(
    sqlite_database: Database, tmp_path: Path
) -> None:
    root = photos(
        tmp_path / "photos", *(f"cam{n}/DCIM/100EK113/{m}.jpg" for n in range(1, 12) for m in range(2))
    )
    report = folder(sqlite_database, tmp_path, root)
    told = import_report(report)
    assert "11  locations, named by the first folder of each photograph: cam1 (2), cam2 (2), " in told
    assert "cam5 (2), ... (to change that: --location-pattern)" in told
    assert report.hints == []
    report = folder(sqlite_database, tmp_path, root, location_pattern="(?P<location>cam)")
    assert "1  location, read by --location-pattern: cam (22)\n" in import_report(report)
    assert "1  location, kept from an earlier import: cam (22)\n" in import_report(
        folder(sqlite_database, tmp_path, root)
    )


def test_a_flat_folder_is_a_location_that_is_told(sqlite_database: Database, tmp_path: Path) -> None:
    report = folder(sqlite_database, tmp_path, photos(tmp_path / "Spring", "1.jpg", "DCIM/2.jpg"))
    assert report.origins == {Origin.ROOT: 2}
    (hint,) = report.hints
    assert hint.startswith("photographs in no folder of a camera (2) have the imported folder, 'Spring',")
    assert "--location-pattern" in hint
    assert hint in import_report(report)


TREES = {
    "one region": (["north/cam1/2021/0.jpg", "north/cam2/2021/0.jpg"], "^[^/]+/(?P<location>[^/]+)/"),
    "regions": (
        ["n/c1/2021/0.jpg", "n/c2/2021/0.jpg", "s/c3/0.jpg", "s/c4/0.jpg"],
        "^[^/]+/(?P<location>[^/]+)/",
    ),
    "project/region": (["p/n/c1/0.jpg", "p/n/c2/0.jpg"], "^[^/]+/[^/]+/(?P<location>[^/]+)/"),
    "below DCIM": (["DCIM/north/c1/0.jpg", "DCIM/north/c2/0.jpg"], "^[^/]+/[^/]+/(?P<location>[^/]+)/"),
    "years": (["cam1/2021/0.jpg", "cam1/2022/0.jpg"], None),
    "days": (["cam1/2021-05-01/0.jpg", "cam1/20210502/0.jpg", "cam1/3.5.2021/0.jpg"], None),
    "cards": (["cam1/100EK113/0.jpg", "cam1/101EK113/0.jpg"], None),
    "visits": (["c1/visit 1/0.jpg", "c1/visit 2/0.jpg", "c2/visit 1/0.jpg", "c2/visit 2/0.jpg"], None),
    "one with parts": (["c1/a/0.jpg", "c1/b/0.jpg", "c2/0.jpg", "c3/0.jpg"], None),
}


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_whose_cameras_lie_deeper_is_doubted_with_the_pattern_that_reads_it(
    sqlite_database: Database, tmp_path: Path, tree: str
) -> None:
    names, pattern = TREES[tree]
    root = photos(tmp_path / "photos", *names)
    report = folder(sqlite_database, tmp_path, root)
    if pattern is None:
        assert report.hints == []
        return
    (hint,) = report.hints
    assert f"--location-pattern '{pattern}'" in hint
    better = folder(sqlite_database, tmp_path, root, location_pattern=pattern)
    assert (better.photographs, len(better.locations)) == (0, len(names))
    assert better.hints == []


def test_what_timelapse_has_deleted_is_passed_over(sqlite_database: Database, tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", "camA/0.jpg", "DeletedFiles/1.jpg", "camA/DeletedFiles/2.jpg")
    report = folder(sqlite_database, tmp_path, root)
    assert (report.photographs, report.hidden) == (1, 2)


# Missing files


def missing(database: Database, tmp_path: Path, *names: str) -> list[str]:
    report = taken(database, tmp_path, "megadetector", *names)
    assert report.failed == {"missing": len(names)}
    return report.hints


def test_missing_files_in_another_case_are_hinted_at(sqlite_database: Database, tmp_path: Path) -> None:
    photos(tmp_path / "photos", "CAM1/IMG_1.JPG", "CAM1/IMG_2.JPG", "cam1/other.jpg")
    (hint,) = missing(sqlite_database, tmp_path, "Cam1/IMG_1.jpg", "CAM1/IMG_2.jpg", "CAM1/IMG_3.jpg")
    assert hint == (
        "missing files that are there in another letter case (2), such as CAM1/IMG_1.JPG for Cam1/IMG_1.jpg: "
        "correct the names in the source, or rename the files"
    )


def test_missing_files_in_another_unicode_form_are_hinted_at(
    sqlite_database: Database, tmp_path: Path
) -> None:
    name = "Río_Año/IMG_ñ1.JPG"
    photos(tmp_path / "photos", unicodedata.normalize("NFC", name))
    (hint,) = missing(sqlite_database, tmp_path, unicodedata.normalize("NFD", name))
    assert hint.startswith(
        "missing files that are there in another Unicode form (1), such as Río_Año/IMG_ñ1.JPG"
    )


def test_missing_files_with_folders_too_many_are_hinted_at_with_the_prefix_to_strip(
    sqlite_database: Database, tmp_path: Path
) -> None:
    photos(tmp_path / "photos", *NAMES)
    names = [f"my/photos/{name}" for name in NAMES]
    (hint,) = missing(sqlite_database, tmp_path, *names)
    assert hint.endswith("import again with --strip-prefix 'my/photos/'")
    report = taken(sqlite_database, tmp_path, "megadetector", *names, strip_prefix="my/photos/")
    assert (report.photographs, report.failed, report.hints) == (4, {}, [])
    assert stored(sqlite_database, "file_name", "failure") == [(name, None) for name in NAMES]


def test_links_to_nowhere_and_absent_files_have_no_lookalike(
    sqlite_database: Database, tmp_path: Path
) -> None:
    photos(tmp_path / "photos", "camA/0.jpg")
    (tmp_path / "photos" / "camA" / "link.jpg").symlink_to("/nowhere.jpg")
    assert missing(sqlite_database, tmp_path, "camA/link.jpg", "camA/1.jpg", "camB/1.jpg") == []


# The field's own files


@pytest.mark.parametrize(
    ("source", "images", "locations"),
    [
        ("dot_coco/md.json", "dot_coco/photos", {"camA": 3, "camB": 3}),
        ("dot_coco/md2.json", "dot_coco/photos", {"camA": 3, "camB": 3}),
        ("md_absolute/results.json", "md_absolute/photos", {"camA": 3}),
        ("md_dot_slash/results.json", "md_dot_slash/photos", {"camA": 2, "camB": 2}),
        ("md_windows/results.json", "md_windows/photos", {"Site 1": 2}),
        ("md_windows/drive.json", "md_windows/photos", {"Site 1": 2}),
        (
            "md_names/results.json",
            "md_names/photos",
            dict.fromkeys(["c 1", "c+2", "c'3", "c?4", "日本", "c%20x"], 1),
        ),
    ],
)
def test_results_files_of_the_field_bring_each_photograph_to_its_camera(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, source: str, images: str, locations: Any
) -> None:
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    options = ImportOptions(workers=1, strip_prefix="D:\\Fotos")
    report = import_results(workspace, field_cases / source, field_cases / images, options=options)
    assert (report.locations, report.failed) == (locations, {})
    assert len(set(stored(sqlite_database, "location", "seq_id"))) == len(locations)


@pytest.mark.parametrize("source", ["md_case", "md_unicode_nfd"])
def test_names_of_the_field_that_only_look_alike_are_missing_and_hinted_at(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, source: str
) -> None:
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    options = ImportOptions(workers=1)
    results_json = field_cases / source / "results.json"
    report = import_results(workspace, results_json, field_cases / source / "photos", options=options)
    assert report.failed == {"missing": 1}
    (hint,) = report.hints
    assert "(1), such as " in hint


def test_coco_and_csv_files_of_the_field_bring_each_photograph_to_its_camera(
    sqlite_database: Database, tmp_path: Path, field_cases: Path
) -> None:
    workspace, at = make_workspace(sqlite_database, tmp_path / "data"), field_cases / "dot_coco"
    options, images = ImportOptions(workers=1), str(field_cases / "dot_coco" / "photos")
    report = import_coco(workspace, [at / "l.json"], images, None, options=options)
    assert (report.photographs, report.locations) == (6, {"camA": 3, "camB": 3})
    report = import_detections(workspace, at / "d.csv", images, options=options)
    assert (report.photographs, report.detections, report.locations) == (0, 6, {"camA": 3, "camB": 3})
    assert len(set(stored(sqlite_database, "location", "seq_id"))) == 2


def test_folders_of_the_field_bring_what_is_a_photograph(
    sqlite_database: Database, tmp_path: Path, field_cases: Path
) -> None:
    report = folder(sqlite_database, tmp_path, field_cases / "images" / "photos")
    assert report.hidden == 6  # @eaDir, __MACOSX, $RECYCLE.BIN, DeletedFiles, ._b.jpg, .DS_Store
    assert (report.linked, set(report.locations)) == (1, {"camA"})
    assert report.skipped == {".tmp": 1, ".db": 1, ".heic": 1}
    kinds = {"not_an_image": 2, "empty": 1, "missing": 1, "not_a_file": 1}
    assert {kind: number for kind, number in report.failed.items() if kind != "truncated"} == kinds
    assert report.hints == []


@pytest.mark.parametrize(
    ("name", "locations", "hints"),
    [("region", {"north": 6}, 1), ("latin1_names", {"cam": 1}, 0), ("md_names", None, 0)],
)
def test_trees_and_names_of_the_field_are_read_and_doubted_where_that_is_right(
    sqlite_database: Database, tmp_path: Path, field_cases: Path, name: str, locations: Any, hints: int
) -> None:
    report = folder(sqlite_database, tmp_path, field_cases / name / "photos")
    assert (report.failed, len(report.hints)) == ({}, hints)
    assert locations is None or report.locations == locations
