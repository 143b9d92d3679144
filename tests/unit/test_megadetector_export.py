"""MegaDetector results that we write: valid, and read back as they were."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport
from importers.ingest.source_image import SourceImage
from importers.reading.image_root import ImageRoot
from importers.sources import megadetector as source
from importers.sources.megadetector.classes import read_classes
from importers.sources.megadetector.file import check
from pipeline.exporters import megadetector
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.source import Basis, LabelledDetection, LabelledImage
from pipeline.records import Box, Level, SourceLabel, Taxon
from pipeline.render.datasets import export_report
from tests.helpers.megadetector_rules import broken_rules
from tests.helpers.surveys import box, photograph, survey


def written(path: Path, *images: LabelledImage, **others: Any) -> dict[str, Any]:
    megadetector.write(path, survey(*images, **others))
    results: dict[str, Any] = json.loads(path.read_text())
    assert broken_rules(results) == []
    return results


def read(path: Path, threshold: float | None = None) -> list[SourceImage]:
    report = ImportReport(source=str(path))
    root = ImageRoot(path.parent)
    found = list(source.source_images(check(path, root, threshold), root, report))
    assert not report.refused
    return found


MIXED = (
    photograph(
        "a/1.jpg",
        box("red fox", Basis.PEOPLE, by=("ada",)),
        box("roe deer", Basis.MODEL, probability=0.912345678, at=Box(x1=0, y1=0, x2=0.1, y2=1)),
        box(kind="person", confidence=0.3),
        detectors=("results:md_v5a.0.0",),
    ),
    photograph("a/2.jpg", detectors=("md_v5a.0.0",), width=None, height=None, datetime=None),
    photograph("a/3.jpg", failure="truncated", failure_detail="too short"),
    photograph("a/4.jpg"),
    photograph("a/5.jpg", labels=[SourceLabel(category="empty", source="coco:x")]),
    photograph("a/6.MP4", failure="video", failure_detail="only photographs"),
)


def test_every_class_is_described_where_the_taxon_of_one_is_known(tmp_path: Path) -> None:
    lineage = {"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Vulpes"}
    fox = Taxon(category="red fox", scientific_name="Vulpes vulpes", rank="species", lineage=lineage)
    results = written(tmp_path / "md.json", *MIXED, taxa={"red fox": fox})
    assert results["classification_category_descriptions"] == {
        "0": ";;;;;;blank",
        "1": ";mammalia;carnivora;canidae;vulpes;vulpes;red fox",
        "2": ";;;;;;roe deer",
    }
    (again,) = read_classes(tmp_path / "md.json", {"classifier": "net"}, 0.0).taxa
    assert again == replace(fox, source="megadetector:net")
    assert "classification_category_descriptions" not in written(tmp_path / "other.json", *MIXED)


def test_photographs_boxes_and_answers_are_where_the_format_wants_them(tmp_path: Path) -> None:
    results = written(tmp_path / "md.json", *MIXED, model_version="v7-abc")
    assert results["info"] == {
        "format_version": "1.6",
        "detector": "md_v5a, md_v5a.0.0",
        "classifier": "people, v7-abc",
        "classification_completion_time": "2024-06-01 08:30:00",
    }
    assert results["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    assert results["classification_categories"] == {"0": "empty", "1": "red fox", "2": "roe deer"}
    first, second, third, fourth, fifth, sixth = results["images"]
    assert first == {
        "file": "a/1.jpg",
        "width": 160,
        "height": 120,
        "datetime": "2024:05:01 12:00:00",
        "detections": [
            {"category": "1", "conf": 0.9, "bbox": [0.25, 0.25, 0.25, 0.5], "classifications": [["1", 1.0]]},
            {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.1, 1], "classifications": [["2", 0.91235]]},
            {"category": "2", "conf": 0.3, "bbox": [0.25, 0.25, 0.25, 0.5]},
        ],
    }
    assert second == {"file": "a/2.jpg", "detections": []}
    assert (third["failure"], third["detections"]) == ("truncated: too short", None)
    assert fourth["failure"] == "no detector looked at it"
    assert fifth["detections"] == []
    assert (sixth["frame_rate"], sixth["frames_processed"]) == (-1, [])


def test_the_report_tells_what_the_format_has_no_place_for(tmp_path: Path) -> None:
    labels = [SourceLabel(category="red fox", source="coco:x", level=Level.SEQUENCE)]
    images = (
        photograph("1.jpg", labels=labels, detectors=("md",)),
        photograph("2.jpg", box(None, Basis.PEOPLE, unsure=True)),
        photograph("3.jpg"),
    )
    report = megadetector.write(tmp_path / "md.json", survey(*images))
    assert (report.photographs, report.detections) == (3, 1)
    assert "1  photograph with labels of the whole" in export_report(report)
    assert "1  detection that people are unsure of" in export_report(report)
    assert "1  photograph with the failure 'no detector looked at it'" in export_report(report)


@pytest.mark.parametrize("category", ["person", "red fox", None])
def test_a_photograph_with_something_that_has_no_box_is_not_called_empty(
    tmp_path: Path, category: str | None
) -> None:
    labels = [SourceLabel(category=category, source="md", weak=True)]
    results = written(tmp_path / "md.json", photograph("1.jpg", labels=labels, detectors=("md",)))
    (image,) = results["images"]
    assert (image["failure"], image["detections"]) == ("it is labelled as a whole, and has no box", None)


def test_other_categories_of_a_detector_follow_the_three(tmp_path: Path) -> None:
    results = written(tmp_path / "md.json", photograph("1.jpg", box(kind="drone"), box(kind="vehicle")))
    assert results["detection_categories"]["4"] == "drone"
    assert [found["category"] for found in results["images"][0]["detections"]] == ["4", "3"]


@pytest.mark.parametrize(
    ("detector", "threshold"),
    [("results:md_v5a.0.0", 0.2), ("megadetector:MDV5A", 0.2), ("md_v1000.0.0-redwood", 0.3), ("yolo", None)],
)
def test_the_thresholds_of_a_known_detector_are_told(
    tmp_path: Path, detector: str, threshold: float | None
) -> None:
    info = written(tmp_path / "md.json", photograph("1.jpg", detectors=(detector,)))["info"]
    assert info.get("detector_metadata", {}).get("typical_detection_threshold") == threshold
    assert info["detector"] == detector.removeprefix("results:")


def test_two_photographs_of_one_name_keep_their_own_records(tmp_path: Path) -> None:
    first = photograph("1.jpg", detectors=("md",))
    second = replace(first, image=replace(first.image, id="other", path="/elsewhere/1.jpg"))
    results = written(tmp_path / "md.json", first, second)
    assert [image["file"] for image in results["images"]] == ["1.jpg", "/elsewhere/1.jpg"]


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterable[LabelledImage]:
        yield photograph("1.jpg", detectors=("md",))
        raise RuntimeError("killed")

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return failing if name == "photographs" else getattr(survey(), name)

    with pytest.raises(RuntimeError):
        megadetector.write(tmp_path / "out" / "md.json", Failing())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_classifier_whose_labels_were_adopted_keeps_its_name(tmp_path: Path) -> None:
    weak = box("red fox", Basis.WEAK, by=("megadetector:deepfaune",), probability=0.7)
    told = box("roe deer", Basis.SOURCE, by=("coco:ena24",))
    assert written(tmp_path / "a.json", photograph("1.jpg", weak))["info"]["classifier"] == "deepfaune"
    info = written(tmp_path / "b.json", photograph("1.jpg", weak, told))["info"]
    assert info["classifier"] == "coco:ena24, deepfaune"


FRACTIONS = st.floats(0, 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\\x00/:"), min_size=1).filter(
    lambda name: name not in (".", "..") and "." not in name
)


@st.composite
def labelled(draw: st.DrawFn) -> LabelledDetection:
    (x1, x2), (y1, y2) = (
        sorted(draw(st.lists(FRACTIONS, min_size=2, max_size=2, unique=True))) for _ in range(2)
    )
    basis = draw(st.sampled_from([Basis.PEOPLE, Basis.MODEL, Basis.NONE]))
    return box(
        draw(st.sampled_from(["empty", "red fox", "roe deer"])) if basis is not Basis.NONE else None,
        basis,
        at=Box(x1=x1, y1=y1, x2=x2, y2=y2),
        confidence=draw(FRACTIONS),
        kind=draw(st.sampled_from(["animal", "person", "vehicle"])),
        probability=draw(FRACTIONS) if basis is Basis.MODEL else None,
    )


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(NAMES, st.lists(labelled(), max_size=4), min_size=1, max_size=5),
)
def test_what_is_written_is_read_back(images: dict[str, list[LabelledDetection]]) -> None:
    given = [photograph(name, *boxes, detectors=("md_v5a",)) for name, boxes in images.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "md.json"
        written(path, *given)
        found = read(path, threshold=0.0)
    assert [entry.file_name for entry in found] == list(images)
    for one, entry in zip(given, found, strict=True):
        assert entry.detections is not None
        assert entry.detections.detector == "results:md_v5a"
        assert (entry.width, entry.height, entry.datetime) == (160, 120, one.image.datetime)
        for each, finding in zip(one.detections, entry.detections.boxes, strict=True):
            ours, theirs = each.record.box, finding.box
            for side in ("x1", "y1", "x2", "y2"):
                assert abs(getattr(ours, side) - getattr(theirs, side)) <= 1.5e-5
            assert finding.category == each.record.detector_category
            assert finding.confidence == round(each.record.bbox_confidence or 0.0, 5)
            said = [(label.category, label.confidence, label.weak) for label in finding.labels]
            sure = 1.0 if each.answer.probability is None else round(each.answer.probability, 5)
            assert said == ([(each.answer.category, sure, True)] if each.answer.category else [])


@settings(deadline=None, max_examples=100)
@given(st.lists(labelled(), min_size=1, max_size=5))
def test_boxes_that_were_read_back_are_written_alike_again(boxes: list[LabelledDetection]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "md.json"
        first = written(path, photograph("1", *boxes))["images"][0]["detections"]
        ready = read(path)[0].detections
        assert ready is not None
        again = [box(at=one.box, confidence=one.confidence, kind=one.category) for one in ready.boxes]
        second = written(path, photograph("1", *again))["images"][0]["detections"]
    assert [one["bbox"] for one in first] == [one["bbox"] for one in second]


@pytest.mark.parametrize("name", ["lila_mixed/megadetector_v5a.json", "ena24/md_annotations.json"])
def test_real_results_come_out_as_they_went_in(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / name
    given = json.loads(path.read_text())
    threshold = 0.0 if "classification_categories" in given else None
    root = ImageRoot(path.parent)
    before = list(source.source_images(check(path, root, threshold), root, ImportReport(source=str(path))))
    names = sorted(given.get("classification_categories", {}).values())
    out = tmp_path / "md.json"
    results = written(
        out, *map(as_labelled, before), categories={0: "empty", **dict(enumerate(names, start=1))}
    )
    assert results["info"]["detector"] == given["info"]["detector"]
    after = read(out, threshold)
    assert [plain(entry) for entry in after] == [plain(entry) for entry in before]
    assert [image["file"] for image in results["images"]] == [image["file"] for image in given["images"]]
    for ours, theirs in zip(results["images"], given["images"], strict=True):
        for one, other in zip(ours["detections"], theirs["detections"], strict=True):
            assert (one["category"], one["conf"]) == (other["category"], other["conf"])
            assert one["bbox"] == pytest.approx(other["bbox"], abs=2e-5)


def as_labelled(entry: SourceImage) -> LabelledImage:
    """An imported photograph as a survey would tell of it."""
    assert entry.detections is not None
    boxes = [
        box(
            finding.labels[0].category if finding.labels else None,
            Basis.WEAK if finding.labels else Basis.NONE,
            at=finding.box,
            confidence=finding.confidence,
            kind=finding.category,
            detector=entry.detections.detector,
            probability=finding.labels[0].confidence if finding.labels else None,
        )
        for finding in entry.detections.boxes
    ]
    return photograph(entry.file_name, *boxes, detectors=(entry.detections.detector,))


def plain(entry: SourceImage) -> tuple[Any, ...]:
    assert entry.detections is not None
    found = [
        (
            [f"{side:.5f}" for side in (one.box.x1, one.box.y1, one.box.x2, one.box.y2)],
            one.confidence,
            one.category,
            [(label.category, label.confidence) for label in one.labels],
        )
        for one in entry.detections.boxes
    ]
    return entry.file_name, entry.detections.detector, found


def test_the_package_megadetector_finds_our_files_valid(tmp_path: Path) -> None:
    validator = pytest.importorskip(
        "megadetector.postprocessing.validate_batch_results",
        reason="the extra is absent; uv pip install '.[megadetector]' in an environment of its own",
    )
    path = tmp_path / "md.json"
    written(path, *MIXED, model_version="v7-abc")
    answer = validator.validate_batch_results(str(path))["validation_results"]
    assert (answer["errors"], answer["warnings"]) == ([], [])


def test_further_species_in_a_box_have_no_place_and_are_counted(tmp_path: Path) -> None:
    both = box("roe deer", Basis.PEOPLE, attributes=Attributes(also=("red fox",)))
    report = megadetector.write(tmp_path / "out.json", survey(photograph("a.jpg", both)))
    assert report.notes == {"detections with further species, of which this format takes one": 1}
