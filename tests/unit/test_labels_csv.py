"""The table of labels: a row a detection, every answer with where it comes from, safe in spreadsheets."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ExportError
from pipeline.exporters import labels_csv
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.source import Basis, LabelledImage
from pipeline.records import Level, SourceLabel, Taxon, Way
from tests.helpers.surveys import FixedSurvey, box, photograph, survey


def table(tmp_path: Path, *images: LabelledImage, **others: Any) -> list[dict[str, str]]:
    labels_csv.write(tmp_path / "labels.csv", survey(*images, **others))
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_column_of_a_detection_is_written(tmp_path: Path) -> None:
    at = dt.datetime(2024, 6, 1, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    given = box("roe deer", Basis.PEOPLE, by=("ann", "bob"), probability=0.75)
    one = photograph(
        "site a/IMG_1.JPG",
        replace(given, answer=replace(given.answer, at=at)),
        labels=[SourceLabel(category="Deer", source="coco:ena24", level=Level.SEQUENCE)],
        deployment_id="D1",
        seq_id="S1",
        frame_num=2,
    )
    (row,) = table(tmp_path, one)
    assert list(row) == list(labels_csv.COLUMNS)
    assert row == {
        "image_id": one.image.id,
        "file_name": "site a/IMG_1.JPG",
        "path": "/photos/site a/IMG_1.JPG",
        "location": "site a",
        "deployment_id": "D1",
        "datetime": "2024-05-01 12:00:00",
        "seq_id": "S1",
        "frame_num": "2",
        "detection_id": one.detections[0].record.id,
        "detector": "md_v5a",
        "detector_category": "animal",
        "bbox_x1": "0.25",
        "bbox_y1": "0.25",
        "bbox_x2": "0.5",
        "bbox_y2": "0.75",
        "bbox_confidence": "0.9",
        "category": "roe deer",
        "scientific_name": "",
        "taxon_rank": "",
        "taxon_id": "",
        "basis": "people",
        "by": "ann; bob",
        "probability": "0.75",
        "labelled_at": "2024-06-01 08:30:00",
        "unsure": "0",
        "count": "",
        "sequence_count": "",
        "sex": "",
        "age": "",
        "behaviour": "",
        "also": "",
        "comment": "",
        "way": "",
        "suggestion_kept": "",
        "source_labels": "deer (sequence, coco:ena24)",
        "failure": "",
    }


def test_what_annotators_said_beside_the_species_has_columns_of_its_own(tmp_path: Path) -> None:
    said = Attributes(
        count=2,
        sequence_count=3,
        sex="female",
        age="juvenile",
        behaviour=("foraging", "-running"),
        also=("red fox",),
        comment="=a comment",
    )
    rows = table(
        tmp_path,
        photograph(
            "a.jpg",
            box("roe deer", Basis.PEOPLE, attributes=said, way=Way.SEQUENCE, kept=True),
            box("roe deer", Basis.PEOPLE, way=Way.BOARD, kept=False),
            box("roe deer", Basis.PEOPLE, way=Way.SINGLE),
        ),
    )
    names = (
        "count",
        "sequence_count",
        "sex",
        "age",
        "behaviour",
        "also",
        "comment",
        "way",
        "suggestion_kept",
    )
    assert [[row[name] for name in names] for row in rows] == [
        ["2", "3", "female", "juvenile", "foraging; -running", "red fox", "'=a comment", "sequence", "1"],
        ["", "", "", "", "", "", "", "board", "0"],
        ["", "", "", "", "", "", "", "single", ""],
    ]


def test_the_taxon_of_a_category_stands_beside_it(tmp_path: Path) -> None:
    fox = Taxon(category="red fox", scientific_name="Vulpes vulpes", rank="species", taxon_id="=5")
    whole = photograph("b.jpg", labels=[SourceLabel(category="red fox", source="coco:x")])
    rows = table(
        tmp_path,
        photograph("a.jpg", box("red fox", Basis.PEOPLE), box("lynx", Basis.PEOPLE)),
        whole,
        taxa={"red fox": fox},
    )
    told = [(row["scientific_name"], row["taxon_rank"], row["taxon_id"]) for row in rows]
    assert told == [("Vulpes vulpes", "species", "'=5"), ("", "", ""), ("Vulpes vulpes", "species", "'=5")]


def test_a_detection_is_a_row_and_so_is_a_photograph_without_any(tmp_path: Path) -> None:
    rows = table(tmp_path, photograph("a.jpg", box("red fox", Basis.MODEL), box()), photograph("b.jpg"))
    assert [(row["file_name"], row["category"], row["basis"]) for row in rows] == [
        ("a.jpg", "red fox", "model"),
        ("a.jpg", "", "none"),
        ("b.jpg", "", "none"),
    ]
    assert [bool(row["detection_id"]) for row in rows] == [True, True, False]


def test_people_who_cannot_tell_are_told_apart_from_nobody(tmp_path: Path) -> None:
    rows = table(tmp_path, photograph("a.jpg", box(None, Basis.PEOPLE, unsure=True), box()))
    assert [(row["basis"], row["unsure"]) for row in rows] == [("people", "1"), ("none", "0")]


def test_a_photograph_without_detections_says_what_is_known_of_the_whole(tmp_path: Path) -> None:
    def label(category: str | None, **fields: object) -> SourceLabel:
        return SourceLabel(category=category, source="coco:x", **fields)  # type: ignore[arg-type]

    rows = table(
        tmp_path,
        photograph("nothing found.jpg", detectors=["md_v5a"]),
        photograph("blank.jpg", labels=[label("Empty")], detectors=["md_v5a"]),
        photograph("two.jpg", labels=[label("fox"), label("deer")], detectors=["md_v5a"]),
        photograph("weak.jpg", labels=[label("fox", weak=True, confidence=0.8)]),
        photograph("unknown.jpg", labels=[label(None)], detectors=["md_v5a"]),
        photograph("open.jpg", labels=[label(None, details={"observationType": "unclassified"})]),
        photograph("broken.jpg", detectors=["md_v5a"], failure="truncated"),
    )
    known = {row["file_name"]: (row["category"], row["basis"], row["by"], row["probability"]) for row in rows}
    assert known == {
        "nothing found.jpg": ("empty", "detector", "md_v5a", ""),
        "blank.jpg": ("empty", "source", "coco:x", ""),
        "two.jpg": ("", "none", "", ""),
        "weak.jpg": ("fox", "weak", "coco:x", "0.8"),
        "unknown.jpg": ("", "source", "coco:x", ""),
        "open.jpg": ("", "none", "", ""),
        "broken.jpg": ("", "none", "", ""),
    }
    assert rows[-1]["failure"] == "truncated"
    assert [row["source_labels"] for row in rows[3:6]] == [
        "fox (machine, image, coco:x)",
        "unsure (image, coco:x)",
        "unclassified (image, coco:x)",
    ]
    assert [row["unsure"] for row in rows[3:6]] == ["0", "1", "0"]


@pytest.mark.parametrize(
    "name", ["=1+1.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", "\t=1.jpg", "\r=1.jpg", "＝1.jpg"]
)
def test_no_text_of_a_source_runs_as_a_formula(tmp_path: Path, name: str) -> None:
    one = photograph(
        name, box(name, Basis.SOURCE, by=(name,)), location=name, seq_id=name, deployment_id=name
    )
    (row,) = table(tmp_path, one)
    for column in ("file_name", "category", "by", "location", "seq_id", "deployment_id"):
        assert row[column] == f"'{name}"


@given(st.text(max_size=12))
def test_every_text_comes_back_without_its_apostrophe(text: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        (row,) = table(Path(place), photograph("a.jpg", location=text))
    given = text.encode("utf-8", "backslashreplace").decode()
    written = row["location"]
    assert written == given or written == f"'{given}"
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_the_same_survey_gives_the_same_bytes_and_the_report_counts(tmp_path: Path) -> None:
    one = survey(photograph("a.jpg", box("red fox", Basis.PEOPLE), box()), photograph("b.jpg"))
    report = labels_csv.write(tmp_path / "1.csv", one)
    labels_csv.write(tmp_path / "2.csv", one)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert (report.photographs, report.detections) == (2, 2)
    assert report.answers == {Basis.PEOPLE: 1, Basis.NONE: 1}


def test_an_export_that_fails_leaves_the_older_file(tmp_path: Path) -> None:
    class Failing(FixedSurvey):
        def photographs(self) -> Iterator[LabelledImage]:
            yield from super().photographs()
            raise ExportError("stopped")

    out = tmp_path / "labels.csv"
    out.write_text("older")
    with pytest.raises(ExportError, match="stopped"):
        labels_csv.write(out, Failing(images=[photograph("a.jpg")]))
    assert out.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]
