"""COCO Camera Traps files as source images, and several combined into one."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
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
from pipeline.cli import wildloop
from pipeline.errors import SourceError, WildloopError
from pipeline.records import Box, Level, SourceLabel
from pipeline.render.importing import import_report
from tests.helpers.coco_files import CATEGORIES, annotation, document, image, mutated
from tests.helpers.coco_rules import assert_valid
from tests.helpers.photographs import put


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
    assert report.refused == ({} if moment else {"datetime": 1})


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
    assert report.refused == {"height": 1, "seq_num_frames": 1}
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
        ({"bbox": [0, 0, 1]}, "annotation"),
        ({"bbox": [0, 0, 0, 5]}, "annotation"),
        ({"bbox": [0, 0, -5, 5]}, "annotation"),
        ({"bbox": [0, 0, True, "5"]}, "annotation"),
        ({"bbox": {"x": 1}}, "annotation"),
        ({"bbox": [0, 0, 5, 5], "bbox_relative": [0, 0, 0.5, 0.5]}, "annotation"),
        ({"bbox": [300, 0, 5, 5]}, "box outside the photograph"),
        ({"bbox_relative": [0, 1.5, 0.5, 0.5]}, "box outside the photograph"),
        ({"category_id": 99}, "annotation"),
        ({"category_id": True}, "annotation"),
        ({"image_id": "another"}, "annotation"),
        ({"id": None}, "annotation"),
        ({"count": -1}, "count"),
    ],
)
def test_a_broken_annotation_costs_itself_alone(tmp_path: Path, fields: dict[str, Any], kind: str) -> None:
    found, report = one_entry(tmp_path, image(), {**annotation(), **fields}, annotation(category=2))
    assert report.refused == {kind: 1}
    assert label("human") in found.labels


def test_a_box_that_leaves_the_frame_is_clipped_to_it(tmp_path: Path) -> None:
    found, _ = one_entry(tmp_path, image(), annotation(bbox=[-50, 50, 100, 1e300]))
    assert found.detections is not None
    assert found.detections.boxes[0].box == Box(x1=0.0, y1=0.5, x2=0.25, y2=1.0)


def test_a_box_in_pixels_needs_the_size_of_the_photograph(tmp_path: Path) -> None:
    given = {"id": "1", "file_name": "a.jpg"}
    found, report = one_entry(tmp_path, given, annotation(image_id="1", bbox=[0, 0, 9, 9]))
    assert found.detections is None
    assert report.refused == {"box in pixels of unknown number": 1}


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
        ({"extra": 1}, "unknown fields: extra"),
        ({"images": []}, "lists no image"),
        ({"images": {}}, "`images` is not a list"),
        ({"annotations": 5}, "`annotations` is not a list"),
        ({"info": []}, "`info` is not an object"),
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


# Whatever comes


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
