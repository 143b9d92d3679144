"""COCO Camera Traps files as source images, and several combined into one."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import SourceImage
from importers.reading.image_root import OUTSIDE, ImageRoot
from importers.reading.scratch import scratch_database
from importers.sources import coco
from importers.sources.coco.combine import combine
from importers.sources.coco.ids import Ids
from importers.sources.coco.values import annotation_values, image_values
from pipeline.cli import wildloop
from pipeline.errors import SourceError, WildloopError
from pipeline.records import Box, Level, SourceLabel
from pipeline.render.importing import import_report
from tests.helpers.coco_files import CATEGORIES, annotation, document, image, mutated
from tests.helpers.coco_rules import assert_valid
from tests.helpers.photographs import encoded, put, scene


def written(path: Path, *records: dict[str, Any], **fields: Any) -> Path:
    return put(path, json.dumps(document(*records, **fields)).encode())


def entries(root: Path, *files: Path) -> tuple[list[SourceImage], ImportReport]:
    report = ImportReport(source="test")
    return list(coco.source_images(coco.check(files, report), ImageRoot(root), report)), report


def one_entry(root: Path, *records: dict[str, Any], **fields: Any) -> tuple[SourceImage, ImportReport]:
    (found,), report = entries(root, written(root / "set.json", *records, **fields))
    return found, report


def label(category: str, level: Level = Level.IMAGE, **fields: Any) -> SourceLabel:
    return SourceLabel(category=category, source="coco:set", level=level, **fields)


# What an image says


def test_an_image_brings_its_place_time_and_sequence(tmp_path: Path) -> None:
    given = image(
        datetime="2022-12-31 09:52:50", seq_id="s1", frame_num=0, seq_num_frames=3, location="cam 1"
    )
    found, report = one_entry(tmp_path, given)
    assert found == SourceImage(
        file_name="a.jpg",
        path=str(tmp_path / "a.jpg"),
        source_name="a.jpg",
        source_id="id of a.jpg",
        width=200,
        height=100,
        location="cam 1",
        datetime=dt.datetime(2022, 12, 31, 9, 52, 50),
        seq_id="s1",
        frame_num=0,
        seq_num_frames=3,
    )
    assert not report.refused
    assert not report.notes


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-12-31T09:52:50", dt.datetime(2022, 12, 31, 9, 52, 50)),
        ("2022-12-31 09:52:50.25", dt.datetime(2022, 12, 31, 9, 52, 50, 250_000)),
        ("2022-12-31T09:52:50+02:00", dt.datetime(2022, 12, 31, 9, 52, 50)),
        ("2022:12:31 09:52:50", dt.datetime(2022, 12, 31, 9, 52, 50)),
        ("1899-12-31 09:52:50", None),
        ("0000-00-00 00:00:00", None),
        ("2022-02-30 09:52:50", None),
        ("2022-12-31", None),
        ("yesterday at about noon", None),
        (1672480370, None),
    ],
)
def test_times_are_the_cameras_clock_and_what_is_none_is_refused(
    tmp_path: Path, text: Any, moment: dt.datetime | None
) -> None:
    found, report = one_entry(tmp_path, image(datetime=text))
    assert found.datetime == moment
    assert report.unused_values == ({} if moment else {"datetime": 1})
    assert not report.refused


def test_a_corrupt_photograph_a_video_and_a_way_out_are_failures(tmp_path: Path) -> None:
    names = ["bad.jpg", "film.mp4", "../out.jpg", "/etc/passwd", "C:\\x.jpg"]
    given = [image(name, corrupt=name == "bad.jpg") for name in names]
    found, _ = entries(tmp_path, written(tmp_path / "set.json", *given, annotation("bad.jpg")))
    assert [one.failure[0] for one in found if one.failure] == ["corrupt", "video", *[OUTSIDE[0]] * 3]
    assert found[0].labels == ()


def test_wrong_values_cost_the_value_and_the_photograph_stays(tmp_path: Path) -> None:
    given = image(width=-1, height=10**12, seq_id="s", frame_num=-1, seq_num_frames="3", location=12)
    found, report = one_entry(tmp_path, given)
    assert (found.width, found.height, found.frame_num, found.seq_num_frames) == (None, None, None, None)
    assert (found.seq_id, found.location) == ("s", "12")
    assert report.unused_values == {"height": 1, "seq_num_frames": 1}  # -1 says that it is not known
    assert "image id of a.jpg" in import_report(report)


def test_broken_image_records_are_refused_and_the_others_taken(tmp_path: Path) -> None:
    broken: list[Any] = [{"file_name": ""}, {"file_name": "b.jpg"}, {"id": True, "file_name": "c.jpg"}, 7]
    path = written(tmp_path / "set.json", images=[*broken, image()], annotations=[annotation()])
    (found,), report = entries(tmp_path, path)
    assert found.labels == (label("red fox"),)
    assert report.refused == {"image": 4}


# What annotations say


def test_boxes_in_pixels_and_in_fractions_become_findings_with_labels(tmp_path: Path) -> None:
    found, _ = one_entry(
        tmp_path,
        image(),
        annotation(bbox=[50, 25, 100, 50], count=2),
        annotation(bbox_relative=[0.5, 0.5, 0.25, 0.25], category=2),
    )
    assert found.detections is not None
    assert found.detections.detector == "coco:set"
    fox, person = found.detections.boxes
    assert (fox.box, fox.confidence, fox.category) == (Box(x1=0.25, y1=0.25, x2=0.75, y2=0.75), 1.0, "animal")
    assert fox.labels == (label("red fox", Level.BOX, count=2),)
    assert (person.box, person.category) == (Box(x1=0.5, y1=0.5, x2=0.75, y2=0.75), "person")
    assert person.labels == (label("human", Level.BOX),)
    assert found.labels == ()


def test_a_box_of_just_an_animal_has_no_label(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(bbox=[50, 25, 100, 50], category=7))
    assert found.detections is not None
    assert found.detections.boxes[0].labels == ()


def test_a_photograph_of_just_an_animal_is_not_empty_and_has_no_species(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(category=7), annotation(category=0))
    (seen,) = found.labels
    assert (seen.category, seen.details) == (None, {"observationType": "animal"})


def test_labels_of_the_photograph_and_of_its_sequence_are_told_apart(tmp_path: Path) -> None:
    found, _ = one_entry(
        tmp_path,
        image(seq_id="s"),
        annotation(count=2),
        annotation(category=2, sequence_level_annotation=True),
        annotation(category=2, sequence_level_annotation=True, count=1),
    )
    assert found.detections is None
    assert found.labels == (label("red fox", count=2), label("human", Level.SEQUENCE))


def test_an_empty_photograph_has_no_boxes_ready(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(category=0))
    assert (found.detections, found.labels) == (None, (label("empty"),))
    boxed, report = one_entry(tmp_path, image(), annotation(category=0, bbox=[0, 0, 200, 100]))
    assert (boxed.detections, boxed.labels) == (None, (label("empty"),))
    assert report.notes == {Note.BOXES_OF_EMPTY: 1}


@pytest.mark.parametrize("other", [annotation(), annotation(bbox=[50, 25, 100, 50])])
def test_empty_is_left_out_where_something_is_seen(tmp_path: Path, other: dict[str, Any]) -> None:
    found, report = one_entry(tmp_path, image(), annotation(category=0), other)
    assert label("empty") not in found.labels
    assert report.notes == {Note.EMPTY_CONTRADICTED: 1}


def test_an_empty_photograph_of_a_sequence_that_shows_something_stays_empty(tmp_path: Path) -> None:
    seen = annotation(sequence_level_annotation=True)
    found, _ = one_entry(tmp_path, image(), annotation(category=0), seen)
    assert found.labels == (label("empty"), label("red fox", Level.SEQUENCE))


def test_what_a_machine_answered_is_a_weak_label(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(basis="model", probability=0.75))
    assert found.labels == (label("red fox", weak=True, confidence=0.75),)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"bbox": [0, 0, 1]}, "bbox"),
        ({"bbox": [0, 0, 0, 5]}, "bbox"),
        ({"bbox": [0, 0, -5, 5]}, "bbox"),
        ({"bbox": [0, 0, True, "5"]}, "bbox"),
        ({"bbox": ["0", "0", "5", "5"]}, "bbox"),
        ({"bbox": {"x": 1}}, "bbox"),
        ({"bbox": [300, 0, 5, 5]}, "bbox"),
        ({"bbox_relative": [0, 1.5, 0.5, 0.5]}, "bbox"),
        ({"count": -1}, "count"),
        ({"count": "2"}, "count"),
        ({"sequence_level_annotation": "no"}, "sequence_level_annotation"),
    ],
)
def test_a_bad_value_costs_itself_and_the_species_stays_with_the_photograph(
    tmp_path: Path, fields: dict[str, Any], kind: str
) -> None:
    found, report = one_entry(tmp_path, image(), {**annotation(), **fields}, annotation(category=2))
    assert report.unused_values == {kind: 1}
    assert not report.refused
    assert (found.detections, found.labels) == (None, (label("red fox"), label("human")))
    assert f"invalid value not used ({kind})" in import_report(report)


@pytest.mark.parametrize(
    "fields", [{"category_id": 99}, {"category_id": True}, {"image_id": "another"}, {"id": None}]
)
def test_an_annotation_of_nothing_known_costs_itself_alone(tmp_path: Path, fields: dict[str, Any]) -> None:
    found, report = one_entry(tmp_path, image(), {**annotation(), **fields}, annotation(category=2))
    assert report.refused == {"annotation": 1}
    assert found.labels == (label("human"),)


def test_of_two_boxes_the_one_in_pixels_counts(tmp_path: Path) -> None:
    both = annotation(bbox=[50, 25, 100, 50], bbox_relative=[0, 0, 0.5, 0.5])
    found, report = one_entry(tmp_path, image(), both)
    assert found.detections is not None
    assert found.detections.boxes[0].box == Box(x1=0.25, y1=0.25, x2=0.75, y2=0.75)
    assert report.unused_values == {"bbox_relative": 1}


def test_numbers_with_a_point_are_whole_numbers_too(tmp_path: Path) -> None:
    given = image(id=5.0, width=200.0, height=100.0, location=3.0, seq_id="s", frame_num=1.0)
    found, report = one_entry(tmp_path, given, annotation(image_id=5, category_id=1.0, count=2.0))
    assert (found.source_id, found.width, found.location, found.frame_num) == ("5", 200, "3", 1)
    assert found.labels == (label("red fox", count=2),)
    assert not report.unused_values


def test_minus_one_is_a_place_and_a_sequence_that_nobody_knows(tmp_path: Path) -> None:
    for unknown in (-1, "-1", None, ""):
        found, report = one_entry(tmp_path, image(location=unknown, seq_id=unknown, frame_num=-1))
        assert (found.location, found.seq_id, found.frame_num) == (None, None, None)
        assert not report.unused_values


def test_numbers_that_are_none_are_values_left_out() -> None:
    nan, left = float("nan"), list[str]()
    fields = ["width", "height", "location", "datetime", "seq_id", "frame_num", "seq_num_frames", "corrupt"]
    read = image_values(dict.fromkeys(fields, nan), lambda field, _: left.append(field))
    assert (set(read), sorted(left)) == ({None, False}, sorted(fields))
    left.clear()
    record = {"bbox": [nan, 0, 5, 5], "count": nan, "sequence_level_annotation": nan, "basis": nan}
    seen = annotation_values(record, lambda field, _: left.append(field))
    assert (seen.level, seen.bbox, seen.individuals) == (Level.IMAGE, None, None)
    assert sorted(left) == sorted(record)


def test_the_time_may_be_in_date_captured(tmp_path: Path) -> None:
    moment = dt.datetime(2013, 10, 4, 13, 31, 53)
    found, report = one_entry(tmp_path, image(date_captured="2013-10-04 13:31:53"))
    assert found.datetime == moment
    other, _ = one_entry(tmp_path, image(date_captured="2013-10-04 13:31:53", datetime="2022-01-01 00:00:00"))
    assert other.datetime == dt.datetime(2022, 1, 1)
    mended, report = one_entry(
        tmp_path, image(date_captured="2013-10-04 13:31:53", datetime="0001-01-01 00:00")
    )
    assert mended.datetime == moment
    assert report.unused_values == {"datetime": 1}
    placeholder, report = one_entry(tmp_path, image(date_captured=0))
    assert placeholder.datetime is None
    assert not report.unused_values


def test_a_box_that_leaves_the_frame_is_clipped_to_it(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(bbox=[-50, 50, 100, 1e300]))
    assert found.detections is not None
    assert found.detections.boxes[0].box == Box(x1=0.0, y1=0.5, x2=0.25, y2=1.0)


def test_a_box_in_pixels_takes_the_size_that_the_record_lacks_from_the_photograph(tmp_path: Path) -> None:
    given = {"id": "1", "file_name": "a.jpg", "width": 99}
    seen = annotation(image_id="1", bbox=[40, 30, 80, 60])
    nowhere, report = one_entry(tmp_path, given, seen)
    assert (nowhere.detections, nowhere.labels) == (None, (label("red fox"),))
    assert report.unused_values == {"bbox": 1}
    put(tmp_path / "a.jpg", encoded(scene(120, 160), orientation=6))  # 160 x 120 when upright
    found, report = one_entry(tmp_path, given, seen)
    assert found.detections is not None
    assert found.detections.boxes[0].box == Box(x1=0.25, y1=0.25, x2=0.75, y2=0.75)
    assert not report.unused_values
    sources = coco.check([tmp_path / "set.json"], report)
    (unread,) = coco.source_images(sources, ImageRoot(tmp_path), report, reads=False)
    assert (unread.detections, unread.labels) == (None, (label("red fox"),))
    assert report.notes == {Note.BOXES_WITHOUT_SIZE: 1}
    assert not report.unused_values


def test_an_annotation_id_that_stands_twice_counts_once(tmp_path: Path) -> None:
    first, second = annotation(id="x"), annotation(id="x", category=2)
    found, report = one_entry(tmp_path, image(), annotation(category=99), first, second)
    assert found.labels == (label("red fox"),)
    assert report.refused == {"annotation": 2}
    assert "an earlier annotation has its `id`" in import_report(report)


def test_annotations_may_come_before_images_and_in_any_order(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(50)]
    given = [annotation(name, category=number % 3) for number, name in enumerate(names)]
    random.Random(5).shuffle(given)
    fields = {"annotations": given, "categories": CATEGORIES, "images": [image(name) for name in names]}
    found, _ = entries(tmp_path, put(tmp_path / "set.json", json.dumps(fields).encode()))
    wanted = [(label("empty"), label("red fox"), label("human"))[number % 3] for number in range(50)]
    assert [one.labels[0] for one in found] == wanted


# What spoils a file


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": []}, "lists no image"),
        ({"images": {}}, "`images` is not a list"),
        ({"annotations": 5}, "`annotations` is not a list"),
        ({"categories": [{"id": 1}]}, "category 0 lacks"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": "1", "name": "b"}]}, "two categories 1"),
        ({"images": [image(), image()]}, "two images have the id 'id of a.jpg'"),
        ({"images": [image(), image(id="2")]}, "two images have the file_name 'a.jpg'"),
        ({"images": [image(), image("b.jpg", sequence_id="s")]}, "id of b.jpg has `sequence_id`.*seq_id"),
    ],
)
def test_what_spoils_a_file_is_an_error_that_names_it(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=rf"set\.json.*{message}"):
        entries(tmp_path, written(tmp_path / "set.json", **{"images": [image()], **fields}))


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '"x"', '{"images": [', '{"images": [{}]} x', '{"a": NaN}']
)
def test_what_is_no_file_of_the_format_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"set\.json"):
        entries(tmp_path, put(tmp_path / "set.json", text.encode()))


def test_further_fields_of_a_file_are_named_and_left_aside(tmp_path: Path) -> None:
    path = written(tmp_path / "set.json", image(), annotation(), type="instances", videos=[{"id": 1}], info=5)
    (found,), report = entries(tmp_path, path)
    assert found.labels == (label("red fox"),)
    assert report.unused_fields == {"type": 1, "videos": 1}
    assert "2  fields of the file not used (type, videos)" in import_report(report)
    combined = CliRunner().invoke(wildloop, ["combine-json", str(tmp_path / "all.json"), str(path)])
    assert "2  fields of the file not used (type, videos)" in combined.output
    assert assert_valid(tmp_path / "all.json").keys() == {"info", "images", "annotations", "categories"}


def test_a_field_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="two fields `images`"):
        entries(tmp_path, put(tmp_path / "set.json", b'{"images": [], "images": []}'))


def test_the_photographs_of_ena24_come_with_their_species(shared_data: Path) -> None:
    folder = shared_data / "ena24"
    found, report = entries(folder, folder / "coco_annotations.json")
    labels = (folder / "labels.csv").read_text().splitlines()[1:]
    wanted = {line.split(",")[0]: line.split(",")[1].lower() for line in labels}
    seen = {one.file_name: one.detections.boxes[0].labels[0].category for one in found if one.detections}
    assert seen == wanted
    assert [one.source_id for one in found] == [str(number) for number in range(1, 22)]
    assert all(Path(one.path).is_file() for one in found)
    assert report.notes == {Note.NO_INFO: 1, Note.NUMERIC_IDS: 21}


# Several files


def three(folder: Path) -> list[Path]:
    """Files that share ids, a location and a species, and disagree on its number."""
    other = [{"id": 3, "name": "red fox"}, {"id": 5, "name": "empty"}, {"id": 9, "name": "lynx"}]
    place = {"location": "x", "seq_id": "s", "seq_num_frames": 1, "frame_num": 0}
    return [
        written(folder / "one.json", image("1/a.jpg", id="7", **place), annotation(image_id="7", id="5")),
        written(
            folder / "two.json",
            image("2/a.jpg", id=7, rights_holder="us", **place),
            annotation(image_id=7, id=5, category=3, bbox=[50, 25, 100, 50]),
            image("2/b.jpg", id="8"),
            annotation(image_id="8", id="6", category=5),
            categories=other,
        ),
        written(folder / "three.json", image("3/a.jpg"), categories=other, info={"version": "2"}),
    ]


def test_of_several_files_ids_sequences_and_locations_get_a_prefix(tmp_path: Path) -> None:
    found, _ = entries(tmp_path, *three(tmp_path))
    assert [(one.source_id, one.seq_id, one.location) for one in found] == [
        ("ds000_7", "ds000_s", "ds000_x"),
        ("ds001_7", "ds001_s", "ds001_x"),
        ("ds001_8", None, None),
        ("ds002_id of 3/a.jpg", None, None),
    ]
    assert found[0].labels == (SourceLabel(category="red fox", source="coco:one"),)
    assert found[1].detections is not None
    assert found[1].detections.boxes[0].labels[0].category == "red fox"
    assert found[2].labels == (SourceLabel(category="empty", source="coco:two"),)


def test_the_combined_file_obeys_the_rules_and_keeps_what_the_files_say(tmp_path: Path) -> None:
    files = three(tmp_path)
    result = CliRunner().invoke(wildloop, ["combine-json", str(tmp_path / "all.json"), *map(str, files)])
    assert result.exit_code == 0
    assert "4 images, 3 annotations and 5 categories from 3 files" in result.output
    made = assert_valid(tmp_path / "all.json")
    assert [one["name"] for one in made["categories"]] == ["empty", "red fox", "human", "animal", "lynx"]
    assert made["info"]["original_info"][2] == {"version": "2"}
    assert made["images"][1] == {
        **image("2/a.jpg", id="ds001_7", rights_holder="us", location="ds001_x", seq_id="ds001_s"),
        "seq_num_frames": 1,
        "frame_num": 0,
    }
    assert made["annotations"][1] == {
        "id": "ds001_5",
        "image_id": "ds001_7",
        "category_id": 1,
        "bbox": [50, 25, 100, 50],
    }


def test_a_combined_file_has_no_value_that_an_import_leaves_out(tmp_path: Path) -> None:
    path = written(
        tmp_path / "one.json",
        image(width="wide", location=-1, datetime="yesterday", seq_id="s", frame_num=-1.5),
        annotation(bbox=[0, 0, 0, 0], count="many"),
    )
    combined = combine(tmp_path / "all.json", [path])
    assert combined.unused_values == {"width": 1, "datetime": 1, "frame_num": 1, "bbox": 1, "count": 1}
    made = json.loads((tmp_path / "all.json").read_text())
    (one,), (two,) = made["images"], made["annotations"]
    assert one == {"id": "id of a.jpg", "file_name": "a.jpg", "height": 100, "seq_id": "s"}
    assert two.keys() == {"id", "image_id", "category_id"}


def test_the_combined_file_is_imported_like_its_parts(tmp_path: Path) -> None:
    files = three(tmp_path)
    combine(tmp_path / "all.json", files)
    parts, _ = entries(tmp_path, *files)
    whole, _ = entries(tmp_path, tmp_path / "all.json")
    for part, one in zip(parts, whole, strict=True):
        assert _without_source(one) == _without_source(part)


def _without_source(entry: SourceImage) -> Any:
    """An entry as text, whatever data set its labels come from."""
    text = repr(entry)
    for name in ("one", "two", "three", "all"):
        text = text.replace(f"'coco:{name}'", "'coco:?'")
    return text


def test_files_that_share_a_photograph_are_not_combined(tmp_path: Path) -> None:
    files = [written(tmp_path / "one.json", image()), written(tmp_path / "two.json", image())]
    with pytest.raises(
        SourceError, match=r"two\.json: two images have the file_name 'a\.jpg', the first in .*one\.json"
    ):
        combine(tmp_path / "all.json", files)
    with pytest.raises(SourceError, match="given twice"):
        entries(tmp_path, files[0], files[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "two.json"]


def test_a_broken_record_stops_the_combining_before_anything_is_written(tmp_path: Path) -> None:
    path = written(tmp_path / "one.json", image(), annotation(category=99), annotation(category=98))
    with pytest.raises(SourceError, match="there is no category 99; 1 more such records"):
        combine(tmp_path / "all.json", [path])
    with pytest.raises(SourceError, match="one of the files"):
        combine(path, [path])
    assert [file.name for file in tmp_path.iterdir()] == ["one.json"]


@pytest.mark.parametrize(
    ("name", "photographs", "of_boxes", "unused"),
    [
        ("blank", [["empty"]] * 6, 0, {}),
        ("boxes", [[], ["red fox"], [], ["red fox"], ["red fox"], ["red fox"]], 2, {"bbox": 3}),
        ("count", [[], []], 2, {"count": 1}),
        ("nosize", [[]], 1, {}),
        ("mixed", [[], ["red fox"], []], 2, {"datetime": 1}),
        ("segm", [[]], 1, {}),
        ("segm_only", [["red fox"]], 0, {}),
        ("type", [[]], 1, {}),
        ("videos", [[]], 1, {}),
        ("wrongsize", [[], []], 2, {}),
    ],
)
def test_files_as_they_are_found_bring_every_species(
    field_cases: Path, name: str, photographs: list[list[str]], of_boxes: int, unused: dict[str, int]
) -> None:
    found, report = entries(field_cases / "coco" / "photos", field_cases / "coco" / f"{name}.json")
    assert [[label.category for label in one.labels] for one in found] == photographs
    boxes = [box for one in found if one.detections for box in one.detections.boxes]
    assert [box.labels[0].category for box in boxes] == ["red fox"] * of_boxes
    assert report.unused_values == unused
    assert not report.refused


def test_boxes_as_they_are_found_are_clipped_or_sized_by_the_file(field_cases: Path) -> None:
    found, _ = entries(field_cases / "coco" / "photos", field_cases / "coco" / "nosize.json")
    assert found[0].detections is not None
    assert found[0].detections.boxes[0].box == Box(x1=10 / 320, y1=10 / 240, x2=60 / 320, y2=60 / 240)
    found, _ = entries(field_cases / "coco" / "photos", field_cases / "coco" / "mixed.json")
    assert [(one.location, one.frame_num) for one in found] == [(None, None), (None, None), ("3", None)]


# Whatever comes

WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)  # the parser refuses longer ones
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
GOOD_IMAGE = image(
    datetime="2022-12-31 09:52:50", seq_id="s", frame_num=1, seq_num_frames=2, location="l", corrupt=False
)
GOOD_ANNOTATION = annotation(bbox=[50, 25, 100, 50], count=2, sequence_level_annotation=False)
# What the value of a field decides, by the attributes of a photograph.
DECIDED = {
    "width": ("width", "height"),
    "height": ("width", "height"),
    "datetime": ("datetime",),
    "date_captured": (),
    "seq_id": ("seq_id", "frame_num", "seq_num_frames"),
    "frame_num": ("frame_num",),
    "seq_num_frames": ("seq_num_frames",),
    "location": ("location",),
    "rights_holder": (),
}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(sorted(DECIDED)), value=JSON)
def test_one_bad_value_of_an_image_costs_that_value(tmp_path: Path, field: str, value: Any) -> None:
    put(tmp_path / "a.jpg", encoded(scene(200, 100)))
    whole, _ = one_entry(tmp_path, GOOD_IMAGE, GOOD_ANNOTATION)
    if field in ("width", "height") and type(value) in (int, float) and value > 0:
        return  # a box in pixels of another number is elsewhere
    spoiled, report = one_entry(tmp_path, {**GOOD_IMAGE, field: value}, GOOD_ANNOTATION)
    assert replace(whole, **{name: getattr(spoiled, name) for name in DECIDED[field]}) == spoiled
    assert set(report.unused_values) <= {field}
    assert not report.refused


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["bbox", "bbox_relative", "count", "probability", "basis", "segmentation", "area"]),
    value=JSON,
)
def test_one_bad_value_of_an_annotation_costs_that_value(tmp_path: Path, field: str, value: Any) -> None:
    spoiled, report = one_entry(tmp_path, GOOD_IMAGE, {**GOOD_ANNOTATION, field: value})
    boxes = spoiled.detections.boxes if spoiled.detections else ()
    (kept,) = [*spoiled.labels, *(label for box in boxes for label in box.labels)]
    assert (kept.category, kept.weak) == ("red fox", field == "basis" and value in ("model", "weak"))
    if field != "count":
        assert kept.count == 2
    if field != "bbox":
        assert [box.box for box in boxes] == [Box(x1=0.25, y1=0.25, x2=0.75, y2=0.75)]
    assert set(report.unused_values) <= {field}
    assert not report.refused


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_file_however_broken_ends_in_a_traceback(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    paths = [put(tmp_path / "one.json", mutated(chance))]
    if chance.random() < 0.3:
        good = json.dumps(document(image("good/c.jpg"), annotation("good/c.jpg"))).encode()
        paths.append(put(tmp_path / "two.json", good))
    out = tmp_path / "out.json"
    out.unlink(missing_ok=True)
    try:
        found, _ = entries(tmp_path, *paths)
        _assert_sound(found)
    except WildloopError:
        pass
    try:
        combine(out, paths)
    except WildloopError:
        assert not out.exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"one.json", "two.json", "out.json"}


def _assert_sound(found: Sequence[SourceImage]) -> None:
    """What every database takes."""
    for one in found:
        texts = [one.source_id, one.location, one.seq_id, *(label.category for label in one.labels)]
        for finding in one.detections.boxes if one.detections else ():
            box = finding.box
            assert 0.0 <= box.x1 < box.x2 <= 1.0
            assert 0.0 <= box.y1 < box.y2 <= 1.0
            texts += [label.category for label in finding.labels]
        assert all("\x00" not in text and text.encode() for text in texts if text is not None)
        numbers = (one.width, one.height, one.frame_num, one.seq_num_frames)
        assert all(number is None or 0 <= number < 2**31 for number in numbers)
        assert one.datetime is None or (one.datetime.year >= 1900 and one.datetime.tzinfo is None)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@given(st.lists(st.tuples(st.integers(0, 1), TEXTS), max_size=60), st.lists(TEXTS, max_size=20))
def test_ids_find_the_image_of_a_file_and_what_stands_twice(
    added: list[tuple[int, str]], looked_up: list[str]
) -> None:
    with scratch_database() as connection:
        ids = Ids(connection)
        for place, (file, text) in enumerate(added):
            first = added.index((file, text)) == place
            assert ids.add_image(file, text, place) == first
            assert ids.add_annotation(file, text) == first
            files = [one for one, other in added[:place] if other == text]
            assert ids.add_file_name(file, text) == (files[0] if files else None)
        for text in looked_up:
            for file in (0, 1):
                known = (file, text) in added
                assert ids.place_of_image(file, text) == (added.index((file, text)) if known else None)
