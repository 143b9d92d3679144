"""Surveys written as COCO Camera Traps, and read again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport
from importers.ingest.source_image import SourceImage
from importers.reading.image_root import ImageRoot
from importers.reading.locations import known_location
from importers.sources import coco
from pipeline.errors import ExportError
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.coco import UNCLASSIFIED, write
from pipeline.exporters.source import Basis, LabelledDetection, LabelledImage
from pipeline.records import Box, Level, SourceLabel, Taxon, Way, category_name
from pipeline.render.datasets import export_report
from pipeline.vocabulary import kind_of
from tests.helpers.coco_rules import assert_valid
from tests.helpers.surveys import FixedSurvey, box, photograph, survey

LYNX = SourceLabel(category="Lynx", source="coco:old", count=2)
EMPTY = SourceLabel(category="empty", source="coco:old")
UNKNOWN = SourceLabel(category=None, source="coco:old")


def exported(folder: Path, *images: LabelledImage, **others: Any) -> dict[str, Any]:
    """The valid file of these photographs, its annotations without ids and images, by category name."""
    write(folder / "out.json", survey(*images, **others))
    return assert_valid(folder / "out.json")


def said(folder: Path, one: LabelledImage) -> list[dict[str, Any]]:
    """The annotations of a photograph, each with the name of its category alone."""
    document = exported(folder, one)
    names = {each["id"]: each["name"] for each in document["categories"]}
    return [
        {
            "category": names[each["category_id"]],
            **{key: value for key, value in each.items() if not key.endswith("id")},
        }
        for each in document["annotations"]
    ]


def test_an_export_is_a_valid_file_of_all_that_is_known(tmp_path: Path) -> None:
    one = photograph("a.jpg", box("roe deer", Basis.PEOPLE), seq_id="s", frame_num=0, seq_num_frames=3)
    one = replace(one, image=replace(one.image, source_id="the key"))
    report = write(tmp_path / "out" / "coco.json", survey(one, model_version="v3"))
    document = assert_valid(tmp_path / "out" / "coco.json")
    assert document["info"] == {
        "version": "1.0",
        "description": "Spring survey",
        "date_created": "2024-06-01T08:30:00+00:00",
        "model_version": "v3",
    }
    assert document["images"] == [
        {
            "id": one.image.id,
            "file_name": "a.jpg",
            "width": 160,
            "height": 120,
            "datetime": "2024-05-01 12:00:00",
            "seq_id": "s",
            "seq_num_frames": 3,
            "frame_num": 0,
            "location": "site a",
            "original_key": "the key",
        }
    ]
    assert document["annotations"] == [
        {
            "id": one.detections[0].record.id,
            "image_id": one.image.id,
            "category_id": 2,
            "bbox": [40.0, 30.0, 40.0, 60.0],
        }
    ]
    assert [each["name"] for each in document["categories"]] == ["empty", "red fox", "roe deer"]
    assert export_report(report).splitlines() == [
        f"{tmp_path / 'out' / 'coco.json'}: 1 photograph, 1 detection",
        "  1  detection labelled by people",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coco.json"]


def test_categories_carry_what_is_known_of_their_taxa_and_are_read_as_before(tmp_path: Path) -> None:
    deer = Taxon(category="roe deer", scientific_name="Capreolus capreolus", rank="species", taxon_id="7")
    one = photograph("a.jpg", box("roe deer", Basis.PEOPLE))
    document = exported(tmp_path, one, taxa={"roe deer": deer})
    known = {"scientific_name": "Capreolus capreolus", "rank": "species", "taxon_id": "7"}
    assert document["categories"][1:] == [
        {"id": 1, "name": "red fox"},
        {"id": 2, "name": "roe deer", **known},
    ]
    report = ImportReport(source="test")
    (read,) = coco.source_images(coco.check([tmp_path / "out.json"], report), ImageRoot(tmp_path), report)
    assert read.detections is not None
    assert [label.category for each in read.detections.boxes for label in each.labels] == ["roe deer"]


def test_a_survey_of_nothing_is_a_valid_file(tmp_path: Path) -> None:
    assert exported(tmp_path)["images"] == []


def test_boxes_are_in_fractions_where_the_size_is_unknown(tmp_path: Path) -> None:
    one = photograph("a.jpg", box("lynx", Basis.PEOPLE), width=None, height=None)
    assert said(tmp_path, one) == [{"category": "lynx", "bbox_relative": [0.25, 0.25, 0.25, 0.5]}]


def test_a_machines_answer_is_told_apart_from_a_persons(tmp_path: Path) -> None:
    boxes = [
        box("lynx", Basis.MODEL, probability=0.75),
        box("lynx", Basis.WEAK),
        box("lynx", Basis.SOURCE, probability=0.5),
    ]
    found = said(tmp_path, photograph("a.jpg", *boxes))
    assert [{key: each[key] for key in ("basis", "probability") if key in each} for each in found] == [
        {"basis": "model", "probability": 0.75},
        {"basis": "weak"},
        {},
    ]


def test_what_nobody_answered_or_is_sure_of_is_unclassified(tmp_path: Path) -> None:
    one = photograph("a.jpg", box(), box(None, Basis.PEOPLE, unsure=True))
    report = write(tmp_path / "out.json", survey(one))
    assert [each["category"] for each in said(tmp_path, one)] == [UNCLASSIFIED, UNCLASSIFIED]
    assert report.notes == {"detections that people are unsure of, as unclassified": 1}


@pytest.mark.parametrize(
    ("boxes", "labels", "detectors", "wanted"),
    [
        ([("empty", Basis.PEOPLE), ("empty", Basis.MODEL)], [], ["md"], [("empty", None)]),
        ([("empty", Basis.MODEL)], [], ["md"], [("empty", "model")]),
        ([("empty", Basis.PEOPLE), ("lynx", Basis.PEOPLE)], [], ["md"], [("lynx", None)]),
        ([("empty", Basis.PEOPLE)], [LYNX], ["md"], [("empty", None)]),
        ([("red fox", Basis.PEOPLE)], [LYNX], ["md"], [("red fox", None)]),
        ([(None, Basis.NONE)], [LYNX], ["md"], [(UNCLASSIFIED, None), ("lynx", None)]),
        ([(None, Basis.NONE)], [EMPTY], ["md"], [(UNCLASSIFIED, None)]),
        ([], [LYNX], ["md"], [("lynx", None)]),
        ([], [EMPTY], [], [("empty", None)]),
        ([], [EMPTY, LYNX], [], [("lynx", None)]),
        ([], [replace(LYNX, weak=True), replace(LYNX, source="x")], [], [("lynx", None)]),
        ([], [replace(LYNX, weak=True)], [], [("lynx", "weak")]),
        ([], [], ["md"], [("empty", "weak")]),
        ([], [UNKNOWN], ["md"], []),
        ([], [UNKNOWN, EMPTY], ["md"], []),
        ([], [UNKNOWN, LYNX], ["md"], [("lynx", None)]),
        ([("empty", Basis.PEOPLE)], [UNKNOWN], ["md"], [("empty", None)]),
        ([], [], [], []),
    ],
)
def test_what_is_said_of_a_photograph(
    tmp_path: Path,
    boxes: list[tuple[str | None, Basis]],
    labels: list[SourceLabel],
    detectors: list[str],
    wanted: list[tuple[str, str | None]],
) -> None:
    one = photograph("a.jpg", *(box(*each) for each in boxes), labels=labels, detectors=detectors)
    assert [(each["category"], each.get("basis")) for each in said(tmp_path, one)] == wanted


def test_labels_of_the_photograph_keep_their_level_and_count(tmp_path: Path) -> None:
    deer = SourceLabel(category="roe deer", source="coco:old", level=Level.SEQUENCE)
    assert said(tmp_path, photograph("a.jpg", labels=[deer, LYNX])) == [
        {"category": "lynx", "count": 2},
        {"category": "roe deer", "sequence_level_annotation": True},
    ]


def test_observations_of_one_species_are_one_annotation_of_all_their_individuals(tmp_path: Path) -> None:
    both = [replace(LYNX, key="o1"), replace(LYNX, key="o2", count=3), replace(LYNX, key="o3", weak=True)]
    assert said(tmp_path, photograph("a.jpg", labels=both)) == [{"category": "lynx", "count": 5}]


def test_what_nobody_could_name_is_left_out_and_counted(tmp_path: Path) -> None:
    report = write(tmp_path / "out.json", survey(photograph("a.jpg", labels=[UNKNOWN])))
    assert report.notes == {"labels of photographs that nobody could name, left out": 1}


def test_failed_photographs_are_corrupt_and_say_nothing(tmp_path: Path) -> None:
    document = exported(tmp_path, photograph("a.jpg", labels=[LYNX], failure="truncated"))
    assert document["images"][0]["corrupt"] is True
    assert document["annotations"] == []


def test_two_photographs_of_one_name_keep_apart(tmp_path: Path) -> None:
    one = photograph("a.jpg")
    other = replace(one, image=replace(one.image, id="2", path="/elsewhere/a.jpg"))
    again = replace(other, image=replace(other.image, id="3"))
    report = write(tmp_path / "out.json", survey(one, other, again))
    document = assert_valid(tmp_path / "out.json")
    assert [each["file_name"] for each in document["images"]] == ["a.jpg", "/elsewhere/a.jpg"]
    assert report.photographs == 2
    assert len(report.notes) == 2


def test_an_export_that_fails_leaves_the_file_before_it(tmp_path: Path) -> None:
    class Broken(FixedSurvey):
        def photographs(self) -> Any:
            yield from super().photographs()
            raise ExportError("the store went away")

    write(tmp_path / "out.json", survey(photograph("a.jpg")))
    before = (tmp_path / "out.json").read_bytes()
    with pytest.raises(ExportError, match="went away"):
        write(tmp_path / "out.json", Broken(images=[photograph("b.jpg")]))
    assert (tmp_path / "out.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


# There and back


fractions = st.floats(0, 1, allow_nan=False)
species = st.sampled_from(["red fox", "roe deer", "lynx", "human", "  Wild  Boar"])
answers = st.one_of(
    st.tuples(species, st.sampled_from([Basis.PEOPLE, Basis.SOURCE]), st.none()),
    st.tuples(species, st.sampled_from([Basis.MODEL, Basis.WEAK]), st.none() | fractions),
    st.just((None, Basis.NONE, None)),
    st.just(("empty", Basis.PEOPLE, None)),
)
places = st.builds(
    lambda x, y, w, h: Box(x1=x, y1=y, x2=min(1.0, x + w), y2=min(1.0, y + h)),
    st.floats(0, 0.99),
    st.floats(0, 0.99),
    st.floats(0.001, 1),
    st.floats(0.001, 1),
)
labels = st.builds(
    SourceLabel,
    category=species,
    source=st.just("coco:out"),
    level=st.sampled_from([Level.IMAGE, Level.SEQUENCE]),
    count=st.none() | st.integers(0, 99),
)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
times = st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))


@st.composite
def photographs(draw: st.DrawFn, number: int) -> LabelledImage:
    size = draw(st.none() | st.tuples(st.integers(16, 8000), st.integers(16, 8000)))
    boxes: list[LabelledDetection] = []
    for place, (category, basis, probability) in draw(st.lists(st.tuples(places, answers), max_size=3)):
        boxes.append(box(category, basis, at=place, probability=probability))
    moment = draw(times)
    return photograph(
        f"{draw(st.sampled_from(['', 'site ü/', 'x/DCIM/']))}{number}.jpg",
        *boxes,
        labels=draw(st.lists(labels, max_size=2)),
        detectors=draw(st.sampled_from([[], ["md"]])),
        width=size and size[0],
        height=size and size[1],
        datetime=moment and moment.replace(microsecond=0),
        location=draw(texts),
        seq_id=draw(texts),
        frame_num=draw(st.none() | st.integers(0, 9)),
        seq_num_frames=draw(st.none() | st.integers(1, 9)),
        failure=draw(st.sampled_from([None, None, None, "missing"])),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read_again(tmp_path: Path, data: st.DataObject) -> None:
    images = [data.draw(photographs(number)) for number in range(data.draw(st.integers(1, 3)))]
    out = tmp_path / "out.json"
    write(out, survey(*images))
    assert_valid(out)
    report = ImportReport(source="test")
    found = list(coco.source_images(coco.check([out], report), ImageRoot(tmp_path), report))
    assert not report.refused
    for one, entry in zip(images, found, strict=True):
        record = one.image
        assert (entry.file_name, entry.source_id) == (record.file_name, record.id)
        assert (entry.width, entry.height) == (record.width, record.height)
        assert (entry.location, entry.datetime) == (known_location(record.location), record.datetime)
        frame = (record.seq_id, record.frame_num, record.seq_num_frames)
        assert (entry.seq_id, entry.frame_num, entry.seq_num_frames) == (
            frame if record.seq_id else (None, None, None)
        )
        assert (entry.failure is None) == (record.failure is None)
        if record.failure is None:
            _assert_boxes(one, entry)
            _assert_labels(one, entry)


def _assert_boxes(one: LabelledImage, entry: SourceImage) -> None:
    shown = [each for each in one.detections if each.answer.category != "empty"]
    findings = entry.detections.boxes if entry.detections else ()
    for each, finding in zip(shown, findings, strict=True):
        for side in ("x1", "y1", "x2", "y2"):
            assert getattr(finding.box, side) == pytest.approx(getattr(each.record.box, side), abs=2e-5)
        answer = each.answer
        if answer.category is None:
            assert finding.labels == ()
            continue
        (label,) = finding.labels
        assert label.category == " ".join(answer.category.split()).lower()
        assert label.weak == (answer.basis in (Basis.MODEL, Basis.WEAK))
        assert label.confidence == answer.probability


def _assert_labels(one: LabelledImage, entry: SourceImage) -> None:
    answered = [each.answer.category for each in one.detections if each.answer.category is not None]
    told = {each.record.detector_category for each in one.detections if each.answer.category is not None}
    wanted = {category_name(label.category or "") for label in one.labels}
    wanted = {name for name in wanted if kind_of(name) not in told}
    if not wanted and all(each == "empty" for each in answered) and len(answered) == len(one.detections):
        wanted = {"empty"} if one.detections or one.detectors else set()
    assert {label.category for label in entry.labels} == wanted


def test_a_species_that_no_box_tells_stays_beside_the_boxes_of_people(tmp_path: Path) -> None:
    person = box("human", Basis.PEOPLE)
    person = replace(person, record=replace(person.record, detector_category="person"))
    labels = [SourceLabel(category=name, source="coco:x") for name in ("human", "deer")]
    told = said(tmp_path, photograph("a.jpg", person, labels=labels))
    assert sorted((one["category"], "bbox" in one) for one in told) == [("deer", False), ("human", True)]


def test_what_annotators_said_is_with_the_box_and_each_further_species_has_it_too(tmp_path: Path) -> None:
    doe = Attributes(count=2, sex="female", age="adult", behaviour=("foraging",), also=("red fox",))
    given = box("roe deer", Basis.PEOPLE, attributes=doe, way=Way.BOARD, kept=False)
    deer, fox = said(tmp_path, photograph("a.jpg", given))
    bbox = deer.pop("bbox")
    assert deer == {
        "category": "roe deer",
        "count": 2,
        "sex": "female",
        "age": "adult",
        "behaviour": ["foraging"],
        "way": "board",
        "suggestion_kept": False,
    }
    assert fox == {"category": "red fox", "bbox": bbox, "way": "board"}
