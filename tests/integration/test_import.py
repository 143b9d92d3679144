"""Imports end to end: photographs on disk to rows and crops, rerun, resumed, and with bad files."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from PIL import Image

from importers.detectors import DetectedBox, WholeFrame, load_detector
from importers.ingest.source_image import ImportOptions
from importers.sources.folder import import_folder
from importers.sources.megadetector import import_results
from pipeline.cli import wildloop
from pipeline.errors import PhotoError, SourceError
from pipeline.images import Photo
from pipeline.records import Box, ImageRecord, ProjectRecord
from pipeline.render import operations
from pipeline.render.importing import import_report
from pipeline.steps.operations.status import status
from pipeline.store import detections, images, projects, schema
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

NOON = dt.datetime(2024, 5, 1, 12, 0, 0)
BOX = [0.25, 0.25, 0.25, 0.25]


class Fixed:
    """A detector that finds what it is told to, and counts how often it looks."""

    def __init__(self, *found: DetectedBox, name: str = "fixed") -> None:
        self.id = name
        self.categories: Sequence[str] = ("animal", "person")
        self.found = list(found)
        self.looks = 0

    def detect(self, photo: Photo) -> list[DetectedBox]:
        self.looks += 1
        photo.pixels()
        return self.found


def finding(confidence: float = 0.9, category: str = "animal", x: float = 0.25) -> DetectedBox:
    return DetectedBox(box=Box(x1=x, y1=0.25, x2=x + 0.25, y2=0.5), confidence=confidence, category=category)


def study(root: Path, sites: int = 2, frames: int = 3) -> Path:
    """A burst at each site, one second from photograph to photograph."""
    for site in range(sites):
        for frame in range(frames):
            moment = NOON + dt.timedelta(seconds=frame)
            data = encoded(scene(seed=100 * site + frame), taken_at=moment)
            put(root / f"site {site}" / "DCIM" / "100EK113" / f"IMG_{frame}.JPG", data)
    return root


def table(database: Database, *columns: str, source: sa.Table = schema.image) -> list[tuple[Any, ...]]:
    names = [source.c[name] for name in columns] or [
        column for column in source.c if column.name not in ("imported_at", "scanned_at", "mtime", "path")
    ]
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(sa.select(*names).order_by(*names[:2]))]


def joined(database: Database, *columns: sa.Column[Any]) -> list[tuple[Any, ...]]:
    """Columns of photographs and their detections."""
    query = sa.select(*columns).join(schema.image, schema.image.c.id == schema.detection.c.image_id)
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(query)]


def everything(database: Database, data_dir: Path) -> tuple[Any, ...]:
    """All that an import leaves, in an order of its own."""
    files = {
        str(path.relative_to(data_dir)): path.read_bytes()
        for folder in ("crops", "frames")
        for path in sorted((data_dir / folder).rglob("*.jpg"))
    }
    return (
        table(database),
        table(database, source=schema.detection),
        table(database, source=schema.scan),
        files,
    )


def results(path: Path, *images: dict[str, Any]) -> Path:
    head = {"info": {"format_version": "1.4", "detector": "md_v5a"}, "detection_categories": {"1": "animal"}}
    return put(path, json.dumps({"images": images, **head}).encode())


def seen(name: str, *boxes: list[float]) -> dict[str, Any]:
    return {"file": name, "detections": [{"category": "1", "conf": 0.9, "bbox": box} for box in boxes]}


@pytest.mark.both_databases
def test_a_folder_becomes_photographs_detections_and_crops(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos"), tmp_path / "data"
    detector = Fixed(finding(), finding(0.5, x=0.6), finding(0.1), finding(0.9, "person"))
    report = import_folder(make_workspace(database, data), root, detector)
    assert (report.photographs, report.detections, report.sequences) == (6, 12, 2)
    assert report.left_out == {"person": 6}
    with database.read() as conn:
        assert images.counts(conn) == {"photographs": 6, "failed": {}}
        assert detections.counts(conn) == {"detections": 12, "crops": 12}
        ids = list(conn.scalars(sa.select(schema.detection.c.id)))
        records = detections.get(conn, [*ids, "unknown"])
        photographs = images.get(conn, {record.image_id for record in records.values()})
    assert len(records) == 12
    for record in records.values():
        assert record.crop_path == f"crops/{record.id[:2]}/{record.id}.jpg"
        assert record.frame_path == f"frames/{record.id[:2]}/{record.id}.jpg"
        assert Image.open(data / record.crop_path).size == (68, 68)  # 1.69 x 40 of the 160 pixels
        assert Image.open(data / record.frame_path).size == (160, 120)
        assert record.bbox_confidence in (0.9, 0.5)
    first = min(photographs.values(), key=lambda record: record.file_name)
    assert first.file_name == "site 0/DCIM/100EK113/IMG_0.JPG"
    assert (first.location, first.datetime, first.width, first.height) == ("site 0", NOON, 160, 120)
    assert (first.frame_num, first.seq_num_frames) == (0, 3)
    assert first.seq_id is not None


@pytest.mark.both_databases
def test_a_second_run_imports_nothing_twice_and_reads_nothing_again(
    database: Database, tmp_path: Path
) -> None:
    root, data, detector = study(tmp_path / "photos"), tmp_path / "data", Fixed(finding())
    import_folder(make_workspace(database, data), root, detector)
    before = everything(database, data)
    report = import_folder(make_workspace(database, data), root, detector)
    assert (report.photographs, report.known, report.detections) == (0, 6, 0)
    assert detector.looks == 6
    assert everything(database, data) == before


@pytest.mark.both_databases
def test_files_that_were_only_touched_or_moved_are_known_by_their_content(
    database: Database, tmp_path: Path
) -> None:
    root, data, detector = study(tmp_path / "photos"), tmp_path / "data", Fixed(finding())
    import_folder(make_workspace(database, data), root, detector)
    before = everything(database, data)
    for path in root.rglob("*.JPG"):
        os.utime(path, (1, 1))
    assert import_folder(make_workspace(database, data), root, detector).known == 6
    assert detector.looks == 6
    assert everything(database, data) == before
    moved = root.rename(tmp_path / "archive")
    report = import_folder(make_workspace(database, data), moved, detector)
    assert (report.photographs, report.known, report.detections) == (0, 6, 0)
    assert everything(database, data) == before
    assert {row[0].split("/")[-5] for row in table(database, "path")} == {"archive"}


def test_what_is_added_later_joins_the_sequence_it_belongs_to(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1), tmp_path / "data"
    late = root / "site 0" / "DCIM" / "100EK113" / "IMG_1.JPG"
    held_back = late.read_bytes()
    late.unlink()
    import_folder(make_workspace(database, data), root, Fixed(finding()))
    assert [row[1:] for row in table(database, "file_name", "frame_num", "seq_num_frames")] == [
        (0, 2),
        (1, 2),
    ]
    put(late, held_back)
    report = import_folder(make_workspace(database, data), root, Fixed(finding()))
    assert (report.photographs, report.known) == (1, 2)
    columns = ("file_name", "frame_num", "seq_num_frames")
    assert [row[1:] for row in table(database, *columns)] == [(0, 3), (1, 3), (2, 3)]
    assert len(set(table(database, "seq_id"))) == 1


def test_a_better_location_pattern_moves_photographs_without_reading_them(
    database: Database, tmp_path: Path
) -> None:
    root, data, detector = study(tmp_path / "photos"), tmp_path / "data", Fixed(finding())
    import_folder(make_workspace(database, data), root, detector)
    options = ImportOptions(location_pattern=r"(?P<location>site) \d")
    report = import_folder(make_workspace(database, data), root, detector, options=options)
    assert (report.known, report.moved, detector.looks) == (6, 6, 6)
    assert set(table(database, "location")) == {("site",)}
    assert sorted(table(database, "frame_num")) == [(n,) for n in range(6)]  # one camera, one burst


def test_photographs_that_get_another_location_with_other_boxes_are_moved_too(
    sqlite_database: Database, tmp_path: Path
) -> None:
    root, workspace = study(tmp_path / "photos"), make_workspace(sqlite_database, tmp_path / "data")
    import_folder(workspace, root, Fixed(finding()))
    with sqlite_database.write() as conn:
        projects.save(conn, ProjectRecord(id=7, title="Forest", embedder="e"))
        projects.begin_mending(conn, 7)
        projects.end_mending(conn, 7, "/data/")
    options = ImportOptions(location_pattern=r"(?P<location>site) \d", threshold=0.05)
    report = import_folder(workspace, root, Fixed(finding()), options=options)
    assert (report.looked_again, report.moved) == (6, 6)
    assert sorted(table(sqlite_database, "frame_num")) == [(n,) for n in range(6)]
    with sqlite_database.read() as conn:
        assert projects.get(conn, 7).served_from is None  # the next publication looks at what tasks show


def test_a_lower_threshold_looks_again_and_adds_only_what_is_new(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos"), tmp_path / "data"
    detector = Fixed(finding(0.9), finding(0.15, x=0.6))
    import_folder(make_workspace(database, data), root, detector)
    before = set(table(database, "id", source=schema.detection))
    report = import_folder(
        make_workspace(database, data), root, detector, options=ImportOptions(threshold=0.1)
    )
    assert (report.detections, detector.looks) == (6, 12)
    assert before < set(table(database, "id", source=schema.detection))
    assert len(table(database)) == 6


def test_a_second_detector_adds_its_own_detections_to_the_same_photographs(
    database: Database, tmp_path: Path
) -> None:
    root, data = study(tmp_path / "photos"), tmp_path / "data"
    import_folder(make_workspace(database, data), root, Fixed(finding()))
    import_folder(make_workspace(database, data), root / "site 0", Fixed(finding(), name="other"))
    assert len(table(database)) == 6
    assert sorted(row[0] for row in table(database, "detector", source=schema.detection)) == [
        *["fixed"] * 6,
        *["other"] * 3,
    ]


def test_a_changed_photograph_is_imported_beside_the_old_one(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1, frames=1), tmp_path / "data"
    import_folder(make_workspace(database, data), root, Fixed(finding()))
    put(next(root.rglob("*.JPG")), encoded(scene(seed=7)))
    report = import_folder(make_workspace(database, data), root, Fixed(finding()))
    assert (report.photographs, report.changed) == (1, 1)
    assert len(table(database)) == 2


def test_bad_files_cost_themselves_alone_and_are_recorded_with_the_reason(
    database: Database, tmp_path: Path
) -> None:
    root, data = study(tmp_path / "photos", sites=1), tmp_path / "data"
    put(root / "bad" / "text.jpg", b"this is a text file\n")
    put(root / "bad" / "empty.jpg", b"")
    put(root / "bad" / "cut.jpg", encoded(scene(800, 600))[:300])
    (root / "bad" / "gone.jpg").symlink_to(root / "nowhere")
    os.mkfifo(root / "bad" / "pipe.jpg")
    report = import_folder(make_workspace(database, data), root, Fixed(finding()))
    expected = {"not_an_image": 1, "empty": 1, "truncated": 1, "missing": 1, "not_a_file": 1}
    assert report.photographs == 3
    assert report.failed == expected
    assert "bad/text.jpg: not_an_image: no image format begins like this file" in import_report(report)
    with database.read() as conn:
        assert images.counts(conn) == {"photographs": 3, "failed": dict(sorted(expected.items()))}
    assert all(row[1] for row in table(database, "failure", "failure_detail") if row[0])


def test_a_photograph_whose_end_is_missing_keeps_its_boxes_and_is_counted(
    database: Database, tmp_path: Path
) -> None:
    root, data = study(tmp_path / "photos", sites=1, frames=1), tmp_path / "data"
    put(root / "cut.jpg", encoded(scene(800, 600))[:8000])
    workspace = make_workspace(database, data)
    report = import_folder(workspace, root, Fixed(finding()))
    assert (report.photographs, report.detections, dict(report.failed)) == (2, 2, {})
    assert report.damaged == {"truncated": 1}
    assert "damaged photograph, used up to the damage (truncated)" in import_report(report)
    assert table(database, "file_name", "defect") == [
        ("cut.jpg", "truncated"),
        ("site 0/DCIM/100EK113/IMG_0.JPG", None),
    ]
    assert all((data / path).is_file() for (path,) in table(database, "crop_path", source=schema.detection))
    again = import_folder(workspace, root, Fixed(finding(), name="another"))
    assert (again.looked_again, again.damaged) == (2, {"truncated": 1})
    assert status(workspace).damaged == {"truncated": 1}
    assert "1 of them damaged (truncated)" in operations.status(status(workspace))


def test_times_of_a_clock_never_set_are_kept_and_named(database: Database, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for year in (1970, 2000, 2020, 2999):
        put(root / "cam" / f"{year}.jpg", encoded(scene(seed=year), taken_at=f"{year}:01:01 00:00:05"))
    report = import_folder(make_workspace(database, tmp_path / "data"), root, Fixed(finding()))
    assert report.doubtful_years == {"1970": 1, "2000": 1, "2999": 1}
    assert "photographs whose year looks like a clock never set" in import_report(report)
    assert "such as cam/1970.jpg" in import_report(report)
    years = [moment.year for (moment,) in table(database, "datetime")]
    assert sorted(years) == [1970, 2000, 2020, 2999]


@pytest.mark.both_databases
def test_a_mended_file_replaces_its_failure(database: Database, tmp_path: Path) -> None:
    root, data = tmp_path / "photos", tmp_path / "data"
    put(root / "a.jpg", b"")
    (root / "b.jpg").symlink_to(root / "nowhere")
    assert import_folder(make_workspace(database, data), root, WholeFrame()).nothing_imported
    put(root / "a.jpg", encoded(scene()))
    (root / "b.jpg").unlink()
    put(root / "b.jpg", encoded(scene(seed=1)))
    report = import_folder(make_workspace(database, data), root, WholeFrame())
    assert (report.photographs, dict(report.failed)) == (2, {})
    assert table(database, "file_name", "failure") == [("a.jpg", None), ("b.jpg", None)]


def test_a_photograph_that_a_detector_fails_on_stays_as_another_has_left_it(
    database: Database, tmp_path: Path
) -> None:
    class Failing(Fixed):
        def detect(self, photo: Photo) -> list[DetectedBox]:
            raise PhotoError("detector", "it did not like this one")

    root, data = study(tmp_path / "photos", sites=1, frames=1), tmp_path / "data"
    import_folder(make_workspace(database, data), root, Fixed(finding()))
    report = import_folder(make_workspace(database, data), root, Failing(name="failing"))
    assert report.failed == {"detector": 1}
    assert [row[0] for row in table(database, "failure")] == [None]


@pytest.mark.both_databases
def test_names_of_any_bytes_are_imported(database: Database, tmp_path: Path) -> None:
    root, data = tmp_path / "photos", tmp_path / "data"
    names = [b"two words.jpg", b"line\nbreak.jpg", b"caf\xe9.jpg", "ünïcødé.jpg".encode(), b"back\\slash.jpg"]
    for number, name in enumerate(names):
        put(root / os.fsdecode(b"f\xfc " + name), encoded(scene(seed=number)))
    for run in range(2):
        report = import_folder(make_workspace(database, data), root, WholeFrame())
        assert (report.photographs, report.known) == ((5, 0) if run == 0 else (0, 5))
    assert ("f\\udcfc caf\\udce9.jpg",) in table(database, "file_name")


def test_one_photograph_under_two_names_is_two_photographs(database: Database, tmp_path: Path) -> None:
    root, data = tmp_path / "photos", tmp_path / "data"
    for name in ("a.jpg", "b.jpg"):
        put(root / name, encoded(scene()))
    assert import_folder(make_workspace(database, data), root, WholeFrame()).detections == 2


def test_boxes_that_coincide_are_one_detection_of_the_higher_confidence(
    database: Database, tmp_path: Path
) -> None:
    root, data = study(tmp_path / "photos", sites=1, frames=1), tmp_path / "data"
    import_folder(make_workspace(database, data), root, Fixed(finding(0.4), finding(0.8), finding(0.6)))
    assert table(database, "bbox_confidence", source=schema.detection) == [(0.8,)]


def test_a_folder_without_photographs_is_an_error_that_says_what_is_there(
    sqlite_database: Database, tmp_path: Path
) -> None:
    put(tmp_path / "photos" / "notes.txt", b"no photographs")
    for folder, problem in [("photos", r"no photograph in .*, only 1 \.txt"), ("absent", "is not a folder")]:
        with pytest.raises(SourceError, match=problem):
            import_folder(make_workspace(sqlite_database, tmp_path / "data"), tmp_path / folder, WholeFrame())
    study(tmp_path / "photos")
    options = ImportOptions(keep=frozenset({"bird"}))
    with pytest.raises(SourceError, match="but only bird is kept"):
        import_folder(
            make_workspace(sqlite_database, tmp_path / "data"),
            tmp_path / "photos",
            WholeFrame(),
            options=options,
        )


def test_the_number_of_threads_changes_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    root = study(tmp_path / "photos", sites=3, frames=8)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    for store, name, workers in [(sqlite_database, "one", 1), (other, "four", 4)]:
        import_folder(
            make_workspace(store, tmp_path / name),
            root,
            Fixed(finding()),
            options=ImportOptions(workers=workers),
        )
    assert everything(sqlite_database, tmp_path / "one") == everything(other, tmp_path / "four")
    other.dispose()


# MegaDetector's results


@pytest.mark.both_databases
def test_results_and_photographs_meet(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1), tmp_path / "data"
    below = "site 0/DCIM/100EK113"
    listed = results(
        tmp_path / "md.json",
        seen(f"{below}/IMG_0.JPG", BOX, [0.6, 0.6, 0.2, 0.2]),
        seen(f"{below}/IMG_1.JPG"),
        seen(f"{below}/IMG_0.JPG", BOX),
        seen(f"{below}/IMG_9.JPG", BOX),
        {"file": f"{below}/IMG_2.JPG", "failure": "inference failure"},
        seen("../secret.jpg", BOX),
        seen("clip.mp4"),
    )
    report = import_results(make_workspace(database, data), listed, root)
    assert (report.photographs, report.detections, report.without_findings) == (2, 2, 1)
    assert report.failed == {"missing": 1, "detector": 1, "outside": 1, "video": 1}
    assert report.duplicates == 1
    with database.read() as conn:
        assert images.counts(conn)["failed"] == dict(sorted(report.failed.items()))
    assert set(table(database, "detector", source=schema.detection)) == {("results:md_v5a",)}
    before = everything(database, data)
    again = import_results(make_workspace(database, data), listed, root)
    assert (again.photographs, again.known, again.detections) == (0, 2, 0)
    assert again.failed == report.failed
    assert everything(database, data) == before


def test_photographs_looked_for_in_the_wrong_folder_are_found_later(
    database: Database, tmp_path: Path
) -> None:
    root, wrong, data = study(tmp_path / "photos", sites=1), tmp_path / "wrong", tmp_path / "data"
    wrong.mkdir()
    names = [str(path.relative_to(root)) for path in sorted(root.rglob("*.JPG"))]
    listed = results(tmp_path / "md.json", *(seen(name, BOX) for name in names))
    report = import_results(make_workspace(database, data), listed, wrong)
    assert report.failed == {"missing": 3}
    assert report.nothing_imported
    assert import_results(make_workspace(database, data), listed, root).photographs == 3
    with database.read() as conn:
        assert images.counts(conn) == {"photographs": 3, "failed": {}}


def test_photographs_that_vanish_after_their_import_stay_imported(database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1, frames=1), tmp_path / "data"
    name = str(next(root.rglob("*.JPG")).relative_to(root))
    listed = results(tmp_path / "md.json", seen(name, BOX))
    import_results(make_workspace(database, data), listed, root)
    (root / name).unlink()
    report = import_results(make_workspace(database, data), listed, root)
    assert (report.known, dict(report.failed)) == (1, {})


def test_a_broken_detection_of_a_results_file_costs_itself(sqlite_database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1), tmp_path / "data"
    good = seen("site 0/DCIM/100EK113/IMG_0.JPG", BOX)
    listed = results(tmp_path / "md.json", good, seen("b.jpg", [1, 2, 3]))
    report = import_results(make_workspace(sqlite_database, data), listed, root)
    assert report.photographs == 1
    assert "1  invalid value not used (detections)" in import_report(report)
    assert "image 1 (b.jpg): detection 0: bbox [1, 2, 3] is not [x, y, width, height]" in import_report(
        report
    )


def test_a_results_file_that_is_cut_short_writes_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    root, data = study(tmp_path / "photos", sites=1), tmp_path / "data"
    listed = results(tmp_path / "md.json", seen("site 0/DCIM/100EK113/IMG_0.JPG", BOX))
    whole = listed.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        listed.write_bytes(whole[:length])
        with pytest.raises(SourceError):
            import_results(make_workspace(sqlite_database, data), listed, root)
    assert table(sqlite_database) == []
    assert not data.exists()


# Killed


@pytest.mark.both_databases
def test_an_import_killed_in_the_middle_goes_on_and_ends_as_if_it_had_not_been(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    for number in range(480):
        moment = NOON + dt.timedelta(seconds=20 * number)
        data = encoded(scene(seed=number), taken_at=moment)
        put(root / f"site {number % 3}" / f"IMG_{number}.JPG", data)
    whole = Database(f"sqlite:///{tmp_path / 'whole.db'}")
    whole.migrate()
    import_folder(make_workspace(whole, tmp_path / "whole"), root, WholeFrame())

    data_dir = tmp_path / "data"
    environ = {**os.environ, "WILDLOOP_DATA_DIR": str(data_dir), "WILDLOOP_DATABASE_URL": database_url}
    code = "from pipeline.cli import main; main()"
    arguments = ["import", "folder", str(root), "--detector", "whole-frame", "--workers", "1"]
    killed = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environ, start_new_session=True)
    deadline = time.monotonic() + 60
    while not table(database, "id") and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    done = len(table(database, "id"))
    assert 0 < done < 480

    report = import_folder(make_workspace(database, data_dir), root, WholeFrame())
    assert report.known == done
    assert report.photographs == 480 - done
    assert everything(database, data_dir) == everything(whole, tmp_path / "whole")
    whole.dispose()


# Real photographs


def test_difficult_files_are_imported_or_recorded(
    sqlite_database: Database, shared_data: Path, tmp_path: Path
) -> None:
    root = shared_data / "difficult_files"
    report = import_folder(make_workspace(sqlite_database, tmp_path), root, WholeFrame())
    assert (report.photographs, dict(report.failed)) == (6, {})
    assert report.damaged == {"truncated": 1}
    sizes = {
        name: (width, height)
        for name, width, height in table(sqlite_database, "file_name", "width", "height")
    }
    assert sizes["african_elephants_with_exif_orientation.jpg"] == (2048, 1536)
    assert sizes["african_elephants_cmyk.jpg"] == (2048, 1536)


def test_truncated_photographs_of_results_files_keep_their_boxes(
    sqlite_database: Database, shared_data: Path, field_cases: Path, tmp_path: Path
) -> None:
    workspace = make_workspace(sqlite_database, tmp_path)
    report = import_results(workspace, field_cases / "difficult.json", shared_data / "difficult_files")
    assert (report.photographs, report.detections, dict(report.failed)) == (6, 6, {})
    assert report.damaged == {"truncated": 1}
    photographs = field_cases / "md_failures" / "photos"
    report = import_results(workspace, field_cases / "md_failures" / "results.json", photographs)
    assert (report.detections, report.damaged) == (1, {"truncated": 1})
    assert dict(table(sqlite_database, "file_name", "defect"))["c/trunc.jpg"] == "truncated"
    (path,) = [
        crop
        for name, crop in joined(sqlite_database, schema.image.c.file_name, schema.detection.c.crop_path)
        if name == "c/trunc.jpg"
    ]
    assert (tmp_path / path).is_file()


def test_yolox_nano_finds_animals_in_ena24(
    sqlite_database: Database, shared_data: Path, tmp_path: Path
) -> None:
    detector = load_detector(f"onnx:{shared_data / 'models' / 'yolox_nano.onnx'}")
    report = import_folder(make_workspace(sqlite_database, tmp_path), shared_data / "ena24", detector)
    assert report.photographs == 21
    assert report.photographs - report.without_findings >= 10  # 21 photographs, an animal on each
    assert table(sqlite_database, "detector_category", source=schema.detection)[0] == ("animal",)


def test_lila_photographs_with_their_megadetector_results(
    database: Database, shared_data: Path, tmp_path: Path
) -> None:
    root = shared_data / "lila_mixed"
    listed = json.loads((root / "megadetector_v5a.json").read_text())
    sure = [
        found
        for image in listed["images"]
        for found in image["detections"]
        if found["category"] == "1" and found["conf"] >= 0.2
    ]
    report = import_results(make_workspace(database, tmp_path), root / "megadetector_v5a.json", root)
    assert (report.photographs, report.detections) == (31, len(sure))
    assert report.without_time == 3
    # RECONYX cameras took both and wrote the time into their maker notes alone.
    times = dict(table(database, "file_name", "datetime"))
    assert times["wcs_camera_traps_animals_0090_1439.jpg"] == dt.datetime(2012, 10, 20, 7, 36, 53)
    hour = dt.datetime(2015, 7, 30, 20, 19, 9)
    assert times["nacti_part1_sub198_FL-16_09_03_2015_FL-16_0089498.jpg"] == hour


def test_fish_crops_are_taken_whole(sqlite_database: Database, shared_data: Path, tmp_path: Path) -> None:
    report = import_folder(
        make_workspace(sqlite_database, tmp_path), shared_data / "fish_crops", WholeFrame()
    )
    assert (report.photographs, report.detections) == (491, 491)
    assert report.skipped == {".csv": 1}


# The command


def command(tmp_path: Path, *arguments: str) -> Any:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    return CliRunner().invoke(wildloop, ["import", *arguments], env=environ)


def test_the_command_prints_what_it_did(tmp_path: Path) -> None:
    root = study(tmp_path / "photos")
    done = command(tmp_path, "folder", str(root), "--detector", "whole-frame", "--crop-size", "64")
    assert done.exit_code == 0, done.output
    assert "6 new photographs, 6 new detections" in done.output
    crop = next((tmp_path / "data" / "crops").rglob("*.jpg"))
    assert Image.open(crop).size == (64, 64)


def test_the_command_fails_where_nothing_could_be_imported(tmp_path: Path) -> None:
    put(tmp_path / "photos" / "text.jpg", b"text")
    done = command(tmp_path, "folder", str(tmp_path / "photos"), "--detector", "whole-frame")
    assert done.exit_code == 1
    assert "1  photograph failed (not_an_image)" in done.output
    put(tmp_path / "empty" / "notes.txt", b"")
    done = command(tmp_path, "folder", str(tmp_path / "empty"), "--detector", "whole-frame")
    assert isinstance(done.exception, SourceError)


def test_the_command_imports_results(tmp_path: Path) -> None:
    root = study(tmp_path / "photos", sites=1, frames=1)
    listed = results(tmp_path / "md.json", seen("site 0/DCIM/100EK113/IMG_0.JPG", BOX))
    done = command(tmp_path, "megadetector", str(listed), "--images", str(root), "--no-exif-time")
    assert done.exit_code == 0, done.output
    assert "1 new photograph, 1 new detection" in done.output
    assert "1  photograph without a time, so in no sequence" in done.output


# The store


@pytest.mark.both_databases
def test_a_failure_never_overwrites_a_photograph_that_was_read(database: Database) -> None:
    good = ImageRecord(
        id="a", file_name="a.jpg", path="/a.jpg", width=10, height=10, seq_id="own", frame_num=2
    )
    with database.write() as conn:
        images.add(conn, [good])
        images.add(conn, [replace(good, failure="truncated", width=None)])
        assert images.get(conn, ["a"]) == {"a": good}
        images.add(conn, [replace(good, width=20, seq_id=None, frame_num=None)])
        assert images.get(conn, ["a"]) == {"a": replace(good, width=20)}  # a source's sequence stays
