"""Videos as sequences of photographs: sampled, extracted by MegaDetector's tools, and exported as one."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from importers.detectors import DetectedBox
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions
from importers.reading.video_frames import video_and_number
from importers.sources.folder import import_folder
from importers.sources.megadetector import import_results
from pipeline.exporters import megadetector
from pipeline.images import Photo
from pipeline.records import Box
from pipeline.render.importing import import_report
from pipeline.steps.datasets.export import StoreExport
from pipeline.store import schema
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.megadetector_rules import broken_rules
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.videos import shown, video

START = dt.datetime(2024, 5, 1, 12, 0, 0)
BOX = [0.25, 0.25, 0.25, 0.5]
FRAME = (
    *("file_name", "location", "datetime", "frame_num", "seq_num_frames"),
    *("video", "video_frame", "video_frame_rate"),
)


class Fixed:
    """A detector that sees the same animal everywhere."""

    id = "fixed"
    categories: Sequence[str] = ("animal",)

    def detect(self, photo: Photo) -> list[DetectedBox]:
        photo.pixels()
        return [DetectedBox(box=Box(x1=0.25, y1=0.25, x2=0.5, y2=0.75), confidence=0.9, category="animal")]


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    return make_workspace(sqlite_database, tmp_path / "data")


def rows(workspace: Workspace, *names: str) -> list[tuple[Any, ...]]:
    columns = [schema.image.c[name] for name in names]
    with workspace.database.read() as conn:
        return [tuple(row) for row in conn.execute(sa.select(*columns).order_by(schema.image.c.file_name))]


def results(path: Path, *images: dict[str, Any]) -> Path:
    head = {"info": {"format_version": "1.5", "detector": "md_v5a"}, "detection_categories": {"1": "animal"}}
    return put(path, json.dumps({"images": images, **head}).encode())


def seen(frame: int, **fields: Any) -> dict[str, Any]:
    return {"category": "1", "conf": 0.9, "bbox": BOX, "frame_number": frame, **fields}


# Video files


def test_a_video_in_a_folder_becomes_a_sequence_of_sampled_photographs(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    video(root / "cam 1" / "a.mp4", started_at=START)
    put(root / "cam 1" / "b.jpg", encoded(scene()))
    report = import_folder(workspace, root, Fixed())
    assert (report.photographs, report.detections, dict(report.failed)) == (4, 4, {})
    assert "1  video imported frame by frame" in import_report(report)
    assert rows(workspace, *FRAME)[:3] == [
        (
            f"cam 1/a.mp4/frame0000{second}0.jpg",
            "cam 1",
            START + dt.timedelta(seconds=second),
            second,
            3,
            "cam 1/a.mp4",
            second * 10,
            10.0,
        )
        for second in range(3)
    ]
    ((sequence,), *others) = {row for row in rows(workspace, "seq_id") if row[0]}
    assert sequence.startswith("video-")
    assert others == []
    for second, (path,) in zip(range(3), rows(workspace, "path"), strict=False):
        assert Path(path).is_relative_to(tmp_path / "data" / "videos")
        picture = np.asarray(Image.open(path), int)
        distances = [np.abs(picture - np.asarray(shown(number), int)).mean() for number in (0, 10, 20)]
        assert int(np.argmin(distances)) == second
    again = import_folder(workspace, root, Fixed())
    assert (again.photographs, again.known) == (0, 4)


def test_more_or_fewer_frames_a_second_can_be_sampled(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "photos" / "a.avi")
    report = import_folder(workspace, tmp_path / "photos", Fixed(), frames_per_second=0.5)
    assert report.photographs == 2
    assert report.without_time == 2  # this video does not tell when it began
    again = import_folder(workspace, tmp_path / "photos", Fixed(), frames_per_second=2)
    assert (again.photographs, again.known) == (3, 2)
    assert [row[0] for row in rows(workspace, "video_frame")] == [0, 5, 10, 15, 20]


def test_a_frame_is_upright_as_the_video_says(workspace: Workspace, tmp_path: Path) -> None:
    for turns in (1, 2, 3):
        video(tmp_path / "photos" / f"{turns}.mp4", frames=1, quarter_turns=turns)
    import_folder(workspace, tmp_path / "photos", Fixed())
    pictures = [np.asarray(Image.open(path)).mean(axis=2) for (path,) in rows(workspace, "path")]
    assert [picture.shape for picture in pictures] == [(64, 48), (48, 64), (64, 48)]
    right, below, left = pictures  # where the bright top is after that many turns to the right
    assert right[:, -8:].mean() > 240 > right[:, :8].mean()
    assert below[-8:].mean() > 240 > below[:8].mean()
    assert left[:, :8].mean() > 240 > left[:, -8:].mean()


def test_a_broken_video_is_one_failure_until_it_is_mended(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    put(root / "a.mp4", b"no video at all")
    put(root / "b.mp4", b"")
    report = import_folder(workspace, root, Fixed())
    assert (report.photographs, report.failed) == (0, {"video": 2})
    assert "a.mp4: video: it cannot be opened" in import_report(report)
    video(root / "a.mp4")
    assert import_folder(workspace, root, Fixed()).photographs == 3
    assert [row for row in rows(workspace, "file_name", "failure") if row[1]] == [("b.mp4", "video")]


def test_a_video_that_is_cut_short_is_used_as_far_as_it_goes(workspace: Workspace, tmp_path: Path) -> None:
    path = video(tmp_path / "photos" / "a.mkv", frames=40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    report = import_folder(workspace, tmp_path / "photos", Fixed())
    assert 1 <= report.photographs < 4
    assert not report.failed


def test_without_the_decoder_a_video_is_a_failure_that_names_the_extra(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "photos" / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        report = import_folder(workspace, tmp_path / "photos", Fixed())
    assert report.failed == {"video": 1}
    assert "wildloop[video]" in import_report(report)
    assert import_folder(workspace, tmp_path / "photos", Fixed()).photographs == 3
    assert not [row for row in rows(workspace, "failure") if row[0]]


def test_nothing_is_sampled_where_no_photograph_is_read(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "photos" / "a.mp4")
    report = import_folder(workspace, tmp_path / "photos", Fixed(), options=ImportOptions(rows_only=True))
    assert report.failed == {"video": 1}
    assert not (tmp_path / "data" / "videos").exists()


# MegaDetector's results of videos


def test_extracted_frames_come_with_their_boxes_as_a_sequence(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "frames"
    for number in (0, 30, 60):
        put(root / "cam 1" / "a.mp4" / f"frame{number:06d}.jpg", encoded(scene(seed=number)))
    path = results(
        tmp_path / "video.json",
        {
            "file": "cam 1/a.mp4",
            "frame_rate": 30.0,
            "frames_processed": [0, 30, 60, 90],
            "datetime": "2024:05:01 12:00:00",
            "detections": [seen(30), seen(30, bbox=[0.6, 0.6, 0.2, 0.2]), seen(60)],
        },
    )
    report = import_results(workspace, path, root)
    assert (report.photographs, report.detections, dict(report.failed)) == (3, 3, {})
    assert report.notes == {Note.VIDEOS: 1}
    assert rows(workspace, *FRAME) == [
        (
            f"cam 1/a.mp4/frame0000{second * 3}0.jpg",
            "cam 1",
            START + dt.timedelta(seconds=second),
            second,
            3,
            "cam 1/a.mp4",
            second * 30,
            30.0,
        )
        for second in range(3)
    ]


def test_a_video_file_is_sampled_where_megadetector_looked(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "videos" / "a.mp4", started_at=START)
    record = {"file": "a.mp4", "frame_rate": 10, "frames_processed": [0, 4, 8, 12], "detections": [seen(8)]}
    path = results(tmp_path / "video.json", record)
    listed = import_results(workspace, path, tmp_path / "videos", options=ImportOptions(rows_only=True))
    assert (listed.photographs, listed.detections) == (4, 1)
    report = import_results(workspace, path, tmp_path / "videos")
    assert (report.looked_again, report.cut, dict(report.failed)) == (4, 1, {})
    assert [row[0] for row in rows(workspace, "datetime")] == [
        START + dt.timedelta(milliseconds=100 * number) for number in (0, 4, 8, 12)
    ]
    again = import_results(workspace, path, tmp_path / "videos")
    assert (again.photographs, again.known) == (0, 4)


def test_boxes_of_frames_that_a_video_does_not_have_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "videos" / "a.mp4", started_at=START)
    record = {"file": "a.mp4", "frame_rate": 10, "detections": [seen(8), seen(99)]}
    path = results(tmp_path / "video.json", record)
    options = ImportOptions(exif_time=False)
    report = import_results(workspace, path, tmp_path / "videos", options=options)
    assert (report.photographs, report.detections, report.unused_values) == (1, 1, {"detections": 1})
    assert "the video has no frame 99" in import_report(report)
    assert rows(workspace, "datetime") == [(None,)]


def test_fewer_frames_than_megadetector_looked_at_can_be_used(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "videos" / "a.mp4")
    record = {"file": "a.mp4", "frame_rate": 10, "frames_processed": list(range(25)), "detections": []}
    path = results(tmp_path / "video.json", record)
    report = import_results(workspace, path, tmp_path / "videos", frames_per_second=2)
    assert report.photographs == 5
    assert [row[0] for row in rows(workspace, "video_frame")] == [0, 5, 10, 15, 20]


def test_results_of_frames_are_sequences_too(workspace: Workspace, tmp_path: Path) -> None:
    records = []
    for number in (0, 30):
        name = f"a.MP4/frame{number:06d}.jpg"
        put(tmp_path / "frames" / "cam" / name, encoded(scene(seed=number)))
        records.append({"file": f"cam/{name}", "detections": [seen(number)]})
    import_results(workspace, results(tmp_path / "md.json", *records), tmp_path / "frames")
    assert rows(workspace, "location", "video", "video_frame", "frame_num") == [
        ("cam", "cam/a.MP4", 0, 0),
        ("cam", "cam/a.MP4", 30, 30),
    ]
    assert len({row[0] for row in rows(workspace, "seq_id")}) == 1


def test_a_video_without_anything_found_is_its_first_frame(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "videos" / "a.mp4")
    put(tmp_path / "videos" / "b.mp4" / "frame000000.jpg", encoded(scene()))
    (tmp_path / "videos" / "c.mp4").mkdir()
    records: list[dict[str, Any]] = [
        {"file": f"{name}.mp4", "frame_rate": 10, "detections": []} for name in "abc"
    ]
    records.append({"file": "d.mp4", "frame_rate": 10, "detections": None})
    report = import_results(workspace, results(tmp_path / "md.json", *records), tmp_path / "videos")
    assert (report.photographs, report.without_findings, report.failed) == (2, 2, {"video": 1})
    assert report.refused == {"without detections": 1}
    assert "c.mp4: video: its folder lacks the frames that MegaDetector looked at (0" in import_report(report)


def test_one_bad_value_of_a_video_costs_itself(workspace: Workspace, tmp_path: Path) -> None:
    for number in (0, 30):
        put(tmp_path / "frames" / "a.mp4" / f"frame{number:06d}.jpg", encoded(scene(seed=number)))
    bad = [seen(30), seen(-1), {**seen(0), "frame_number": None}, seen(0, conf=7), 5]
    record = {"file": "a.mp4", "frame_rate": "fast", "frames_processed": 0, "detections": bad}
    report = import_results(workspace, results(tmp_path / "md.json", record), tmp_path / "frames")
    assert (report.photographs, report.detections) == (1, 1)
    assert report.unused_values == {"detections": 4, "frames_processed": 1}
    assert rows(workspace, "video_frame", "video_frame_rate") == [(30, None)]


def test_frames_with_a_broken_detection_are_not_called_empty(workspace: Workspace, tmp_path: Path) -> None:
    for number in (0, 10, 20):
        put(tmp_path / "frames" / "a.mp4" / f"frame{number:06d}.jpg", encoded(scene(seed=number)))
    record = {"file": "a.mp4", "frame_rate": 10, "frames_processed": [0, 10, 20]}
    nowhere = {**seen(0), "frame_number": None}  # it may be of any frame
    for broken, looked_at in ((nowhere, 0), (seen(10, conf=7), 2)):
        path = results(tmp_path / "md.json", {**record, "detections": [broken]})
        import_results(workspace, path, tmp_path / "frames")
        assert len([one for one in StoreExport(workspace, None).photographs() if one.detectors]) == looked_at


def test_videos_as_they_are_found_are_named_as_such(workspace: Workspace, field_cases: Path) -> None:
    path = field_cases / "md_failures" / "video.json"
    report = import_results(workspace, path, field_cases / "md_failures" / "photos")
    assert report.failed == {"video": 2}
    photographs = [name for name, failure in rows(workspace, "file_name", "failure") if failure is None]
    assert photographs == ["c/0.jpg", "c/1.jpg"]  # a record of a photograph may have a frame_rate of null
    assert report.detections == 2
    told = import_report(report)
    assert "c/a.mp4: video: neither the video nor a folder of that name" in told
    assert "c/a.AVI: video: MegaDetector failed on it: Failure video open" in told


def test_names_of_frames_are_told_from_other_names() -> None:
    assert video_and_number("c/a.mp4/frame000030.jpg") == ("c/a.mp4", 30)
    assert video_and_number("a.AVI/frame_7.JPG") == ("a.AVI", 7)
    for name in ("c/a/frame000030.jpg", "a.mp4/IMG_1.jpg", "frame000030.jpg", "a.mp4"):
        assert video_and_number(name) is None


# Out


def test_a_video_goes_out_as_one_entry_and_comes_in_again(workspace: Workspace, tmp_path: Path) -> None:
    video(tmp_path / "videos" / "cam" / "a.mp4", started_at=START)
    put(tmp_path / "videos" / "cam" / "b.jpg", encoded(scene(), taken_at=START))
    given = {
        "file": "cam/a.mp4",
        "frame_rate": 10.0,
        "frames_processed": [0, 10, 20],
        "detections": [seen(10), seen(20)],
    }
    photograph = {"file": "cam/b.jpg", "detections": []}
    import_results(workspace, results(tmp_path / "in.json", given, photograph), tmp_path / "videos")
    report = megadetector.write(tmp_path / "out.json", StoreExport(workspace, None))
    assert (report.photographs, report.detections) == (4, 2)
    written = json.loads((tmp_path / "out.json").read_text())
    assert broken_rules(written) == []
    by_name = {image["file"]: image for image in written["images"]}
    assert by_name == {
        "cam/a.mp4": {**given, "width": 64, "height": 48, "datetime": "2024:05:01 12:00:00"},
        "cam/b.jpg": {
            **photograph,
            "width": 160,
            "height": 120,
            "datetime": "2024:05:01 12:00:00",
        },
    }
    again = import_results(workspace, tmp_path / "out.json", tmp_path / "videos")
    assert (again.photographs, again.known) == (0, 4)


def test_a_frame_that_failed_is_not_among_those_that_were_looked_at(
    workspace: Workspace, tmp_path: Path
) -> None:
    put(tmp_path / "frames" / "a.mp4" / "frame000000.jpg", encoded(scene()))
    record = {"file": "a.mp4", "frame_rate": 10, "frames_processed": [0, 5], "detections": [seen(0), seen(5)]}
    report: ImportReport = import_results(
        workspace, results(tmp_path / "md.json", record), tmp_path / "frames"
    )
    assert report.failed == {"missing": 1}
    megadetector.write(tmp_path / "out.json", StoreExport(workspace, None))
    (entry,) = json.loads((tmp_path / "out.json").read_text())["images"]
    assert entry["frames_processed"] == [0]
    assert [found["frame_number"] for found in entry["detections"]] == [0]
