"""What an import reads from folders, file names and MegaDetector's results, before any photograph."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.ingest import sequences
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.image_root import ImageRoot
from importers.reading.locations import by_folder, by_pattern
from importers.reading.paths import as_text, natural, suffix_of
from importers.reading.walk import walk
from importers.sources import megadetector
from importers.sources.megadetector.file import check
from pipeline.errors import SourceError
from pipeline.render.importing import import_report
from pipeline.store.images import Frame

NOON = dt.datetime(2024, 5, 1, 12, 0, 0)


def walked(root: Path, data_dir: Path | None = None) -> tuple[list[str], ImportReport]:
    report = ImportReport(source=str(root))
    return list(walk(root, data_dir or root / "wildloop-data", report)), report


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


# Folders


def test_photographs_come_in_natural_order_folder_by_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b/IMG_10.JPG", "b/IMG_9.JPG", "a 2/x.png", "a 10/x.jpeg", "z.jpg")
    assert walked(tmp_path)[0] == ["z.jpg", "a 2/x.png", "a 10/x.jpeg", "b/IMG_9.JPG", "b/IMG_10.JPG"]


def test_other_files_are_counted_by_ending_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.mp4", "b.MP4", "README", ".hidden.jpg", "._a.jpg", "@eaDir/a.jpg", ".x/b.jpg")
    names, report = walked(tmp_path)
    assert names == ["a.jpg"]
    assert report.skipped == {".mp4": 2, "no ending": 1}
    assert report.hidden == 4


def test_odd_names_are_found_as_they_are(tmp_path: Path) -> None:
    odd = ["two words.jpg", "line\nbreak.jpg", "ünïcødé.jpg", "back\\slash.jpg", 'quo"te.jpg', "tab\t.jpg"]
    touch(tmp_path, *odd)
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))).touch()
    names, _ = walked(tmp_path)
    assert sorted(names) == sorted([*odd, os.fsdecode(b"caf\xe9.jpg")])


def test_links_in_circles_and_to_the_same_folder_bring_nothing_twice(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(root, "b/1.jpg", "c/2.jpg")
    touch(outside, "3.jpg", "deep/4.jpg")
    (root / "a").symlink_to(root / "b")  # comes first by name, yet b keeps its photographs
    (root / "b" / "up").symlink_to(root)
    (root / "d").symlink_to(outside)
    (root / "e").symlink_to(outside)
    (outside / "deep" / "round").symlink_to(outside)
    (root / "self").symlink_to(root / "self")
    names, report = walked(root)
    assert names == ["b/1.jpg", "c/2.jpg", "d/3.jpg", "d/deep/4.jpg"]
    assert report.linked == 4


def test_our_own_data_folder_is_never_imported(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "wildloop-data/crops/ab/abc.jpg")
    assert walked(tmp_path)[0] == ["a.jpg"]
    with pytest.raises(SourceError, match="is the data folder"):
        walked(tmp_path, data_dir=tmp_path)


def test_names_sort_as_people_count() -> None:
    names = ["IMG_10", "img_9", "IMG_9", "IMG_010", "9", "10", "a"]
    assert sorted(names, key=natural) == ["9", "10", "a", "IMG_9", "img_9", "IMG_010", "IMG_10"]


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_becomes_text_that_a_database_takes(name: str) -> None:
    assert b"\x00" not in as_text(name).encode("utf-8")


def test_bytes_that_are_no_utf8_are_written_out() -> None:
    assert as_text(os.fsdecode(b"caf\xe9.jpg")) == "caf\\udce9.jpg"
    assert as_text("ünïcødé\n.jpg") == "ünïcødé\n.jpg"


def test_the_ending_of_a_name_is_what_follows_its_last_dot() -> None:
    assert [suffix_of(name) for name in ("a/b.C.JPG", "a.b/c", ".jpg", "x.", "no")] == [
        ".jpg",
        "",
        "",
        ".",
        "",
    ]


# Locations


@pytest.mark.parametrize(
    ("file_name", "location"),
    [
        ("Site A/DCIM/100RECNX/IMG_1.JPG", "Site A"),
        ("DCIM/101EK113/IMG_1.JPG", "study"),
        ("Site A/2024/IMG_1.JPG", "Site A"),
        ("IMG_1.JPG", "study"),
    ],
)
def test_the_location_is_the_first_folder_that_no_camera_made(file_name: str, location: str) -> None:
    assert by_folder(Path("/photos/study"))(file_name) == location


def test_a_card_imported_by_itself_belongs_to_the_folder_above_it() -> None:
    assert by_folder(Path("/photos/Site A/DCIM/100MEDIA"))("IMG_1.JPG") == "Site A"
    assert by_folder(Path("/DCIM"))("IMG_1.JPG") is None


def test_the_location_can_be_read_by_a_pattern() -> None:
    locate = by_pattern(r"_(?P<location>CAM\d+)_")
    assert locate("2024/x_CAM07_0001.jpg") == "CAM07"
    assert locate("2024/other.jpg") is None


@pytest.mark.parametrize("pattern", ["(", r"CAM\d+", "(?P<place>x)"])
def test_a_pattern_that_cannot_name_a_location_is_refused(pattern: str) -> None:
    with pytest.raises(SourceError, match="location pattern"):
        by_pattern(pattern)


# Sequences


def frames(*seconds: float) -> list[Frame]:
    return [
        Frame(
            id=f"id{number}",
            file_name=f"IMG_{number}.jpg",
            datetime=NOON + dt.timedelta(seconds=second),
            seq_id=None,
            frame_num=None,
            seq_num_frames=None,
        )
        for number, second in enumerate(seconds)
    ]


def lengths(found: Sequence[Frame], gap: float) -> list[int]:
    return [len(burst) for burst in sequences.split(found, gap)]


def test_photographs_within_the_gap_are_one_sequence() -> None:
    assert lengths(frames(0, 1, 2, 62, 123, 183), 60) == [4, 2]


def test_frames_of_the_same_second_follow_their_names() -> None:
    found = frames(*[0] * 12)
    (burst,) = sequences.split(reversed(found), 60)
    assert [frame.file_name for frame in burst] == [f"IMG_{number}.jpg" for number in range(12)]


def test_frames_are_numbered_from_0_and_know_how_many_they_are() -> None:
    numbered = sequences.numbered("A", frames(0, 1, 2))
    assert [frame.frame_num for frame in numbered] == [0, 1, 2]
    assert {frame.seq_num_frames for frame in numbered} == {3}
    assert len({frame.seq_id for frame in numbered}) == 1
    assert sequences.numbered("B", frames(0, 1, 2))[0].seq_id != numbered[0].seq_id


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 100), st.randoms())
def test_sequences_do_not_depend_on_the_order_of_arrival(seconds: list[int], gap: int, random: Any) -> None:
    found = frames(*seconds)
    expected = list(sequences.split(found, gap))
    random.shuffle(found)
    assert list(sequences.split(found, gap)) == expected
    assert sum(map(len, expected)) == len(seconds)


# MegaDetector's results

CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
DETECTION = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}


def results(
    path: Path, images: list[Any], version: Any = "1.4", *, info_last: bool = True, **other: Any
) -> Path:
    info = {"format_version": version, "detector": "md_v5a.0.0"}
    head = {"info": info, "detection_categories": CATEGORIES, **other}
    table = {"images": images, **head} if info_last else {**head, "images": images}
    path.write_text(json.dumps(table))
    return path


def read(path: Path, images_dir: Path) -> tuple[list[SourceImage], ImportReport]:
    report = ImportReport(source=str(path))
    root = ImageRoot(images_dir)
    return list(megadetector.source_images(check(path, root), root, report)), report


@pytest.mark.parametrize(
    ("version", "images"),
    [
        ("1.1", [{"file": "a.jpg", "max_detection_conf": 0.9, "detections": [DETECTION]}]),
        ("1.2", [{"file": "a.jpg", "detections": [{**DETECTION, "classifications": [["3", 0.9]]}]}]),
        ("1.3", [{"file": "a.jpg", "detections": [DETECTION]}]),
        ("1.4", [{"file": "a.jpg", "detections": [DETECTION], "width": 640, "height": 480}]),
        ("1.5", [{"file": "a.jpg", "detections": [DETECTION], "datetime": "2024:05:01 12:00:00"}]),
        ("1.6", [{"file": "a.jpg", "detections": [DETECTION], "failure": None}]),
    ],
)
@pytest.mark.parametrize("info_last", [False, True])
def test_every_version_of_the_format_is_read(
    tmp_path: Path, version: str, images: list[Any], info_last: bool
) -> None:
    path = results(tmp_path / "md.json", images, version, info_last=info_last)
    (entry,), _ = read(path, tmp_path)
    assert entry.file_name == "a.jpg"
    assert entry.detections is not None
    assert entry.detections.detector == "results:md_v5a.0.0"
    (found,) = entry.detections.boxes
    box = found.box
    assert (box.x1, box.y1, box.x2) == (0.1, 0.2, 0.4)
    assert box.y2 == pytest.approx(0.6)
    assert (found.category, found.confidence) == ("animal", 0.9)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", [{"file": "a.jpg", "detections": []}])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read(path, tmp_path)[0]) == 1


@pytest.mark.parametrize(
    ("image", "failure"),
    [
        ({"file": "a.jpg", "detections": None, "failure": "image access failure"}, "detector"),
        ({"file": "a.jpg", "failure": "inference failure"}, "detector"),
        ({"file": "../a.jpg", "detections": []}, "outside"),
        ({"file": "b/../../a.jpg", "detections": []}, "outside"),
        ({"file": "..\\a.jpg", "detections": []}, "outside"),
        ({"file": "/data/a.jpg", "detections": []}, "outside"),
        ({"file": "C:\\photos\\a.jpg", "detections": []}, "outside"),
        ({"file": "a.MP4", "detections": []}, "video"),
        ({"file": "a", "frame_rate": 30, "frames_processed": [0], "detections": []}, "video"),
    ],
)
def test_records_that_are_no_photographs_below_the_folder_are_ruled_out_one_by_one(
    tmp_path: Path, image: dict[str, Any], failure: str
) -> None:
    path = results(tmp_path / "md.json", [image, {"file": "good.jpg", "detections": []}])
    (bad, good), _ = read(path, tmp_path)
    assert bad.failure is not None
    assert bad.failure[0] == failure
    assert good.failure is None


def test_names_written_on_windows_are_found(tmp_path: Path) -> None:
    path = results(tmp_path / "md.json", [{"file": "Site A\\IMG_1.JPG", "detections": []}])
    (entry,), _ = read(path, tmp_path)
    assert entry.file_name == "Site A/IMG_1.JPG"
    touch(tmp_path, "Site A\\IMG_1.JPG")  # here, one file with a backslash in its name
    (entry,), _ = read(path, tmp_path)
    assert entry.file_name == "Site A\\IMG_1.JPG"


def test_the_second_entry_of_a_file_is_reported_and_not_used(tmp_path: Path) -> None:
    images = [{"file": "a.jpg", "detections": [DETECTION]}, {"file": "a.jpg", "detections": []}]
    (entry,), report = read(results(tmp_path / "md.json", images), tmp_path)
    assert entry.detections is not None
    assert len(entry.detections.boxes) == 1
    assert report.duplicates == 1
    assert "a.jpg: listed a second time" in import_report(report)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ({"detections": []}, "needs `file`"),
        ("b.jpg", "needs `file`"),
        ({"file": "b.jpg"}, "neither `detections` nor `failure`"),
        ({"file": "b.jpg", "detections": None}, "neither `detections` nor `failure`"),
    ],
)
def test_a_broken_record_costs_itself_and_is_named_by_number_and_file(
    tmp_path: Path, image: Any, problem: str
) -> None:
    good = [{"file": "a.jpg", "detections": []}, image, {"file": "c.jpg", "detections": [DETECTION]}]
    found, report = read(results(tmp_path / "md.json", good), tmp_path)
    assert [entry.file_name for entry in found] == ["a.jpg", "c.jpg"]
    assert sum(report.refused.values()) == 1
    assert "1  record refused (with" in import_report(report)
    ((where, what),) = report.examples
    assert where in ("image 1", "image 1 (b.jpg)")
    assert problem in what


@pytest.mark.parametrize(
    ("detection", "problem"),
    [
        ([1], "[1] is not an object"),
        ({**DETECTION, "category": "9"}, "category '9' is not in"),
        ({**DETECTION, "conf": 1.5}, "conf 1.5 is not a number from 0 to 1"),
        ({**DETECTION, "conf": "0.9"}, "conf '0.9'"),
        ({**DETECTION, "bbox": [0, 0, 1]}, "bbox"),
        ({**DETECTION, "bbox": [10, 20, 300, 400]}, "not in fractions"),
        ({**DETECTION, "bbox": [True, 0, 0.1, 0.1]}, "is not [x, y"),
        ({**DETECTION, "category": ["1"]}, "category ['1'] is not in"),
    ],
)
def test_a_broken_detection_costs_itself_and_is_named(tmp_path: Path, detection: Any, problem: str) -> None:
    image = {"file": "a.jpg", "detections": [DETECTION, detection, DETECTION]}
    ((entry,), report) = read(results(tmp_path / "md.json", [image]), tmp_path)
    assert entry.detections is not None
    assert len(entry.detections.boxes) == 2
    ((where, what),) = report.examples
    assert where == "image 0 (a.jpg): detection 1"
    assert problem in what


@pytest.mark.parametrize("said", ["cannot be opened", 7, True, ["why"]])
def test_a_failure_of_any_form_is_one(tmp_path: Path, said: Any) -> None:
    ((entry,), report) = read(results(tmp_path / "md.json", [{"file": "a.jpg", "failure": said}]), tmp_path)
    assert entry.failure is not None
    assert entry.failure[0] == "detector"
    assert not report.refused


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON, or is cut short"),
        ("file,conf\na.jpg,0.9\n", "not JSON"),
        (
            '{"info": {"format_version": "1.4"}, "detection_categories": {"1": "animal"}, "images": [{"fi',
            "cut short",
        ),
        ('{"images": []}', "has no `info`"),
        ('{"info": {"format_version": "1.4"}, "images": []}', "has no `detection_categories`"),
        (
            '{"info": {"format_version": "2.0"}, "detection_categories": {}, "images": []}',
            "format_version is 2.0",
        ),
        (
            '{"info": {"format_version": "1.4"}, "detection_categories": {"1": "animal"}, "images": []}',
            "no image",
        ),
        ("[1, 2, 3]", "has no `info`"),
    ],
)
def test_a_file_that_is_no_results_file_is_refused_with_a_remedy(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "md.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=problem) as caught:
        read(path, tmp_path)
    assert caught.value.remedy


def test_the_version_may_be_a_number(tmp_path: Path) -> None:
    assert (
        len(read(results(tmp_path / "md.json", [{"file": "a.jpg", "detections": []}], 1.1), tmp_path)[0]) == 1
    )


# Notes


def test_every_note_has_a_stable_kind_and_a_sentence_of_its_own() -> None:
    assert all(note.value == note.name.lower() for note in Note)
    sentences = [note.sentence for note in Note]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)
    report = ImportReport(source="set.json")
    report.notes[Note.NO_INFO] += 2
    assert "2  files without `info`" in import_report(report)


# Options


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.2}, {"keep": frozenset()}, {"crop_side": 2}, {"context": 0.5}, {"gap": -1}]
)
def test_senseless_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        ImportOptions(**wrong)


def test_another_threshold_or_category_is_another_look() -> None:
    usual = ImportOptions().scan("d")
    assert usual == ImportOptions(workers=3, gap=5).scan("d")
    assert (
        len({usual, ImportOptions(threshold=0.1).scan("d"), ImportOptions(keep=frozenset("ab")).scan("d")})
        == 3
    )
