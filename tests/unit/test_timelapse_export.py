"""What a photograph shows as a whole, and the CSV that Timelapse imports, read back as it was."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.ingest.videos import VideoSampler
from importers.reading import photograph_rows
from importers.reading.image_root import ImageRoot
from importers.sources.timelapse import read, source_images
from importers.sources.timelapse.table import fields_of
from pipeline.exporters import timelapse
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.shown import shown_on
from pipeline.exporters.source import Basis, ExportReport, LabelledImage
from pipeline.records import DRAWN_DETECTOR, Box, Level, SourceLabel, Taxon
from pipeline.render.datasets import export_report
from tests.helpers.surveys import NOON, SIGNED_OFF, STRUCK_OUT, box, photograph, survey

LEFT, RIGHT = Box(x1=0, y1=0, x2=0.2, y2=1), Box(x1=0.8, y1=0, x2=1, y2=1)
PEOPLE, WEAK, MODEL, SOURCE = Basis.PEOPLE, Basis.WEAK, Basis.MODEL, Basis.SOURCE


def label(category: str | None, *, weak: bool = False, level: Level = Level.IMAGE) -> SourceLabel:
    return SourceLabel(category=category, source="coco:x", weak=weak, level=level)


def written(path: Path, *images: LabelledImage, **others: Any) -> tuple[list[dict[str, str]], ExportReport]:
    report = timelapse.write(path, survey(*images, **others))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), report


# What a photograph shows


def test_a_fact_is_of_a_species_if_it_was_said_of_all_its_animals_and_a_comment_always() -> None:
    doe, fawn = (
        Attributes(count=2, sex="female", age="adult", comment="ear tag"),
        Attributes(age="juvenile", sex="female", comment="small", also=("red fox",)),
    )
    deer, fox = shown_on(
        [
            photograph(
                "1",
                box("roe deer", PEOPLE, attributes=doe),
                box("roe deer", PEOPLE, attributes=fawn, at=LEFT),
            )
        ]
    )
    assert (deer.category, deer.count) == ("roe deer", 3)
    assert deer.details == {"sex": "female", "observationComments": "ear tag | small"}
    assert (fox.category, fox.count, fox.basis, fox.details) == ("red fox", 1, PEOPLE, {})


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (photograph("1", box("red fox", PEOPLE), box("red fox", WEAK, at=LEFT)), [("red fox", PEOPLE, 2)]),
        (photograph("1", box("red fox", PEOPLE), box("empty", PEOPLE, at=LEFT)), [("red fox", PEOPLE, 1)]),
        (photograph("1", box("empty", PEOPLE)), [("empty", PEOPLE, None)]),
        (
            photograph("1", box("red fox", MODEL), box("red fox", MODEL, detector="b")),
            [("red fox", MODEL, 1)],
        ),
        (photograph("1", box(None, kind="person")), [("human", WEAK, 1)]),
        (photograph("1", box(None, PEOPLE, unsure=True)), [(None, PEOPLE, 1)]),
        (photograph("1", box()), []),
        (photograph("1", box(), box("red fox", PEOPLE, at=LEFT)), [("red fox", PEOPLE, 1)]),
        (photograph("1", box(), box("empty", PEOPLE, at=LEFT)), []),  # nobody answered the first
        (photograph("1", box(), labels=[label("empty")]), [("empty", SOURCE, None)]),
        (photograph("1"), []),
        (photograph("1", detectors=("md",)), [("empty", WEAK, None)]),
        (photograph("1", detectors=("md",), whole=SIGNED_OFF), [("empty", PEOPLE, None)]),
        (
            photograph("1", labels=[label("empty", weak=True)], detectors=("md",), whole=SIGNED_OFF),
            [("empty", PEOPLE, None)],
        ),
        (photograph("1", detectors=("md",), whole=STRUCK_OUT), []),
        (
            photograph("1", detectors=("md",), whole=replace(SIGNED_OFF, category=None)),
            [(None, PEOPLE, None)],
        ),
        (
            photograph("1", detectors=("md",), whole=replace(SIGNED_OFF, category="red fox")),
            [("red fox", PEOPLE, None)],
        ),
        (photograph("1", labels=[label("red fox")], detectors=("md",)), [("red fox", SOURCE, None)]),
        (photograph("1", box("roe deer", PEOPLE), labels=[label("red fox")]), [("roe deer", PEOPLE, 1)]),
        (
            photograph("1", box("roe deer", PEOPLE), labels=[label("human")]),
            [("roe deer", PEOPLE, 1), ("human", SOURCE, None)],
        ),
        (photograph("1", box("roe deer", MODEL), labels=[label("fox", weak=True)]), [("roe deer", MODEL, 1)]),
        (photograph("1", box(), labels=[label("fox", level=Level.SEQUENCE)]), [("fox", SOURCE, None)]),
        (photograph("1", box("fox", WEAK), labels=[label("cow", level=Level.SEQUENCE)]), [("fox", WEAK, 1)]),
    ],
)
def test_a_photograph_shows_what_its_boxes_show_and_what_its_source_adds(
    shown: LabelledImage, expected: list[tuple[str | None, Basis, int | None]]
) -> None:
    assert [(each.category, each.basis, each.count) for each in shown_on([shown])] == expected


def test_the_frames_of_a_video_show_everything_that_any_of_them_shows() -> None:
    frames = [
        photograph("v/1", box("empty", PEOPLE), video="v.mp4"),
        photograph("v/2", box("red fox", WEAK, probability=0.5), video="v.mp4"),
        photograph("v/3", box("red fox", PEOPLE), box("red fox", PEOPLE, at=RIGHT), video="v.mp4"),
    ]
    (fox,) = shown_on(frames)
    assert (fox.category, fox.basis, fox.count, fox.probability) == ("red fox", PEOPLE, 2, None)


def test_a_video_is_empty_by_people_only_if_they_signed_off_every_frame() -> None:
    seen = [photograph(f"v/{number}", detectors=("md",), video="v.mp4") for number in range(2)]
    signed = [replace(frame, whole=SIGNED_OFF) for frame in seen]
    assert [(each.category, each.basis) for each in shown_on(signed)] == [("empty", PEOPLE)]
    assert [(each.category, each.basis) for each in shown_on([signed[0], seen[1]])] == [("empty", WEAK)]
    assert shown_on([signed[0], replace(seen[1], whole=STRUCK_OUT)]) == []
    with_fox = photograph("v/2", box("red fox", PEOPLE), video="v.mp4")
    assert [each.category for each in shown_on([*signed, with_fox])] == ["red fox"]


# The table

FOX = Taxon(category="red fox", scientific_name="Vulpes vulpes")


def test_a_photograph_is_a_row_with_its_place_its_time_and_its_species(tmp_path: Path) -> None:
    images = (
        photograph(
            "site a/100RECNX/1.JPG", box("red fox", PEOPLE), box("roe deer", MODEL, probability=0.912)
        ),
        photograph("2.JPG", box("empty", PEOPLE), datetime=None),
    )
    (first, second), _ = written(tmp_path / "t.csv", *images, taxa={"red fox": FOX})
    assert first == {
        **{"RootFolder": "photos", "File": "1.JPG", "RelativePath": "site a\\100RECNX"},
        **{"DateTime": "2024-05-01 12:00:00", "DeleteFlag": "false"},
        **{"Species": "red fox", "ScientificName": "Vulpes vulpes", "Count": "1"},
        **{"ClassificationMethod": "human", "Probability": ""},
        **{"Species2": "roe deer", "ScientificName2": "", "Count2": "1"},
        **{"ClassificationMethod2": "machine", "Probability2": "0.912"},
    }
    assert (second["File"], second["RelativePath"], second["DateTime"]) == ("2.JPG", "", "")
    assert (second["Species"], second["Count"], second["Species2"]) == ("blank", "", "")


def test_the_frames_of_a_video_are_one_row(tmp_path: Path) -> None:
    frames = [
        photograph(f"site a/v.mp4/{n}.jpg", box("red fox", PEOPLE), video="site a/v.mp4") for n in (1, 2)
    ]
    (row,), report = written(tmp_path / "t.csv", *frames)
    assert (row["File"], row["RelativePath"], row["Species"], row["Count"]) == (
        "v.mp4",
        "site a",
        "red fox",
        "1",
    )
    assert report.photographs == 2


def test_the_report_tells_what_has_no_answer_and_what_failed(tmp_path: Path) -> None:
    images = (photograph("1.jpg", box()), photograph("2.jpg", failure="truncated"))
    (row,), report = written(tmp_path / "t.csv", *images)
    assert row["Species"] == ""
    assert "1  photograph without an answer" in export_report(report)
    assert "1  photograph that failed, left out" in export_report(report)


def test_timelapse_files_that_we_write_are_read_back_as_they_were(tmp_path: Path) -> None:
    images = (
        photograph(
            "site a/1.JPG",
            box("red fox", PEOPLE),
            box("red fox", PEOPLE, at=LEFT),
            box("roe deer", MODEL, at=RIGHT, probability=0.9),
        ),
        photograph("site a/2.JPG", box("empty", PEOPLE)),
        photograph("site a/3.JPG", box(None, PEOPLE, unsure=True)),
        photograph("site a/4.JPG", box()),
    )
    timelapse.write(tmp_path / "t.csv", survey(*images, taxa={"red fox": FOX}))
    fields, further = fields_of(tmp_path / "t.csv", ("Species", "Species2"), "Count")
    report, root = ImportReport(source=""), ImageRoot(tmp_path)
    sampler = VideoSampler(tmp_path / "data", ImportOptions(), report)
    with photograph_rows.opened() as rows:
        read(tmp_path / "t.csv", root, rows, report)
        rows.join()
        found = list(source_images(rows, root, fields, "timelapse:t", further, sampler, report))
    assert [entry.file_name for entry in found] == [image.image.file_name for image in images]
    assert {entry.datetime for entry in found} == {NOON}
    assert [_seen(entry) for entry in found] == [
        [("red fox", 2, False, None), ("roe deer", 1, True, 0.9)],
        [("empty", None, False, None)],
        [(None, 1, False, None)],
        [],
    ]
    assert not report.refused
    assert not report.unused_values


def _seen(entry: SourceImage) -> list[tuple[str | None, int | None, bool, float | None]]:
    return [(each.category, each.count, each.weak, each.confidence) for each in entry.labels]


def test_times_are_those_of_the_camera(tmp_path: Path) -> None:
    (row,), _ = written(
        tmp_path / "t.csv", photograph("1.jpg", datetime=dt.datetime(2024, 5, 1, 12, 0, 0, 7))
    )
    assert row["DateTime"] == "2024-05-01 12:00:00"


def test_columns_for_what_annotators_said_are_there_if_they_said_it(tmp_path: Path) -> None:
    doe = Attributes(sex="female", behaviour=("foraging", "vigilance"))
    deer, plain = box("roe deer", PEOPLE, attributes=doe), box("red fox", PEOPLE, at=LEFT)
    (row,), _ = written(tmp_path / "described.csv", photograph("1", deer, plain))
    assert (row["Species"], row["Sex"], row["Behavior"]) == ("roe deer", "female", "foraging|vigilance")
    assert (row["Species2"], row["Sex2"], row["Behavior2"]) == ("red fox", "", "")
    assert not {"LifeStage", "Comments"} & row.keys()
    (row,), _ = written(tmp_path / "plain.csv", photograph("1", plain))
    assert not {"Sex", "Behavior"} & row.keys()


def test_boxes_that_people_drew_stand_beside_those_of_a_detector() -> None:
    moved = box("red fox", PEOPLE, at=RIGHT, detector=DRAWN_DETECTOR)
    (fox,) = shown_on([photograph("1", box("red fox", PEOPLE), box("red fox", PEOPLE, detector="b"), moved)])
    assert fox.count == 2
    (fox,) = shown_on([photograph("1", moved)])
    assert fox.count == 1
