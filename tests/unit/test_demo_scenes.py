"""The rendered scenes: the same for a seed, boxes on the animals, files in the formats of other tools."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from pipeline.demo.scenes.exposures import Visit, expose, walkers_of
from pipeline.demo.scenes.habitats import HABITATS
from pipeline.demo.scenes.landscapes import Landscape, paint
from pipeline.demo.scenes.scene_set import BEGIN, STRIP, SceneSet, render
from pipeline.demo.scenes.species import SPECIES, Species
from pipeline.demo.truth import overlap, read_truth
from pipeline.records import Box

SIZE = (640, 480)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    return render(tmp_path_factory.mktemp("scenes"), photographs=36, seed=5, size=SIZE)


def test_the_same_seed_renders_the_same_scenes(scenes: SceneSet, tmp_path: Path) -> None:
    again = render(tmp_path, photographs=36, seed=5, size=SIZE)
    assert again.truth.read_text() == scenes.truth.read_text()
    assert again.results.read_text() == scenes.results.read_text()
    names = sorted(path.relative_to(scenes.photos) for path in scenes.photos.rglob("*.JPG"))
    assert len(names) == 36
    for name in names:
        assert (again.photos / name).read_bytes() == (scenes.photos / name).read_bytes()


def test_another_seed_renders_other_scenes(scenes: SceneSet, tmp_path: Path) -> None:
    other = render(tmp_path, photographs=6, seed=6, size=SIZE)
    assert other.truth.read_text() not in scenes.truth.read_text()


def test_a_complete_set_of_scenes_is_left_as_it_is(scenes: SceneSet) -> None:
    before = scenes.truth.stat().st_mtime_ns
    render(scenes.photos.parent, photographs=36, seed=99, size=SIZE)
    assert scenes.truth.stat().st_mtime_ns == before


def test_the_results_are_megadetector_results_in_format_1_6(scenes: SceneSet) -> None:
    results = json.loads(scenes.results.read_text())
    assert results["info"]["format_version"] == "1.6"
    assert results["detection_categories"]["1"] == "animal"
    assert {image["file"] for image in results["images"]} == {
        path.relative_to(scenes.photos).as_posix() for path in scenes.photos.rglob("*.JPG")
    }
    for image in results["images"]:
        for detection in image["detections"]:
            x, y, width, height = detection["bbox"]
            assert x >= 0
            assert y >= 0
            assert width > 0
            assert height > 0
            assert x + width <= 1.0001
            assert y + height <= 1.0001
            assert 0.2 < detection["conf"] < 1


def test_the_truth_knows_every_detection(scenes: SceneSet) -> None:
    truth = read_truth(scenes.truth)
    names = {species.name for species in SPECIES}
    assert scenes.species.read_text().split("\n")[:-1] == [species.name for species in SPECIES]
    for image in json.loads(scenes.results.read_text())["images"]:
        boxes = [box for box, _ in truth.by_photo[image["file"]] if box is not None]
        assert len(boxes) == len(image["detections"])
        for detection in image["detections"]:
            x, y, width, height = detection["bbox"]
            box = Box(x1=x, y1=y, x2=x + width, y2=y + height)
            assert max(overlap(box, other) for other in boxes) > 0.6
            assert truth.label(image["file"], box) in names | {"empty"}


def test_every_photograph_has_a_line_of_truth(scenes: SceneSet) -> None:
    with scenes.truth.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file_name"] for row in rows} == {
        path.relative_to(scenes.photos).as_posix() for path in scenes.photos.rglob("*.JPG")
    }
    assert any(row["label"] == "empty" and not row["x1"] for row in rows)


def test_the_camera_writes_its_clock_into_exif_and_in_order(scenes: SceneSet) -> None:
    for folder in scenes.photos.iterdir():
        times = []
        for path in sorted(folder.iterdir()):
            with Image.open(path) as picture:
                assert picture.size == SIZE
                times.append(picture.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal])
        assert times == sorted(times)
        assert len(set(times)) == len(times)


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return paint(HABITATS[1], (SIZE[0], SIZE[1] - STRIP), seed=3)


@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
@pytest.mark.parametrize("species", SPECIES, ids=lambda species: species.name)
def test_the_box_holds_the_animal(landscape: Landscape, species: Species, night: bool) -> None:
    """Nearly all that an animal changes in the picture lies in its box; the rest is its shadow."""
    grain = np.zeros((SIZE[1] + 64, SIZE[0] + 64), np.float32)

    def visit(who: Species | None) -> Visit:
        return Visit(location=1, time=BEGIN, night=night, frames=1, species=who, seed=0)

    empty, nobody = expose(visit(None), landscape, [], 0, grain, np.random.default_rng(0))
    assert nobody == []
    for seed in range(40):  # until one stands wholly in the picture
        walkers = walkers_of(visit(species), landscape, np.random.default_rng(seed))[:1]
        picture, seen = expose(visit(species), landscape, walkers, 0, grain, np.random.default_rng(0))
        if seen and seen[0][2] > 0.8:
            break
    ((_, (x1, y1, x2, y2), visible),) = seen
    assert visible > 0.8
    exposure = np.median(picture / np.maximum(empty, 1))  # differs a little from picture to picture
    changed = np.abs(picture - exposure * empty).sum(axis=2) > 45
    inside = changed[y1:y2, x1:x2]
    assert inside.sum() > 0.8 * changed.sum()
    assert inside.mean() > 0.15
