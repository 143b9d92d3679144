"""Invented species and places: the same for a seed, unlike one another; the demo's own survey unchanged."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from benchmarks import invented_scenes
from importers.sources.megadetector import import_results
from pipeline.demo.scenes.animals import Pose, draw
from pipeline.demo.scenes.scene_set import SceneSet, render
from pipeline.demo.scenes.species import SPECIES, Species
from pipeline.demo.truth import read_truth
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace

SIZE = (640, 480)
KINDS, PLACES = invented_scenes.species(5, seed=3), invented_scenes.habitats(2, seed=3)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    folder = tmp_path_factory.mktemp("invented")
    return render(folder, photographs=8, seed=4, size=SIZE, species=KINDS, habitats=PLACES)


def test_the_demos_own_survey_is_what_it_was(tmp_path: Path) -> None:
    """Who comes by where and when, as it was before there were invented species."""
    own = render(tmp_path, photographs=12, seed=11, size=SIZE)
    seen = read_truth(own.truth).by_photo
    found = []
    for name, labels in seen.items():
        with Image.open(own.photos / name) as picture:
            time = picture.getexif()[ExifTags.Base.DateTime]
        found.append((name, time, {label for _, label in labels}))
    assert found == [
        ("meadow-edge/IMG_0001.JPG", "2024:04:14 06:17:33", {"red fox"}),
        ("meadow-edge/IMG_0002.JPG", "2024:05:11 21:40:09", {"roe deer"}),
        ("meadow-edge/IMG_0003.JPG", "2024:05:12 04:20:14", {"roe deer"}),
        ("meadow-edge/IMG_0004.JPG", "2024:05:12 04:20:15", {"roe deer"}),
        ("meadow-edge/IMG_0005.JPG", "2024:05:12 04:20:18", {"roe deer"}),
        ("meadow-edge/IMG_0006.JPG", "2024:05:12 04:20:19", {"roe deer"}),
        ("forest-track/IMG_0001.JPG", "2024:04:08 02:32:39", {"wild boar"}),
        ("dry-scrub/IMG_0001.JPG", "2024:04:21 06:04:48", {"wild boar"}),
        ("dry-scrub/IMG_0002.JPG", "2024:04:24 13:24:50", {"grey wolf"}),
        ("stony-ridge/IMG_0001.JPG", "2024:04:11 02:27:12", {"empty"}),
        ("stony-ridge/IMG_0002.JPG", "2024:04:11 02:27:14", {"empty"}),
        ("winter-wood/IMG_0001.JPG", "2024:04:10 03:02:18", {"badger"}),
    ]


def test_the_same_seed_invents_the_same() -> None:
    assert invented_scenes.species(5, seed=3) == KINDS
    assert invented_scenes.habitats(2, seed=3) == PLACES
    assert invented_scenes.species(5, seed=4) != KINDS
    assert invented_scenes.habitats(2, seed=4) != PLACES


@pytest.mark.parametrize("seed", [0, 7])
def test_no_two_species_are_alike(seed: int) -> None:
    kinds = [*invented_scenes.species(24, seed), *SPECIES]
    points = [invented_scenes.point(kind) for kind in kinds]
    nearest = min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(points, 2))
    assert nearest >= invented_scenes.LEAST_APART
    assert len({kind.name for kind in kinds}) == len(kinds)


def test_a_few_species_are_common_and_many_are_rare() -> None:
    shares = [kind.share for kind in invented_scenes.species(24, seed=0)]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 20 * shares[-1]


@pytest.mark.parametrize("kind", invented_scenes.species(24, seed=7), ids=lambda kind: kind.name)
def test_an_invented_animal_stands_on_its_legs(kind: Species) -> None:
    """Its belly is off the ground, and it fills a picture as an animal does."""
    assert kind.chest < 0.45
    assert kind.hip_top - 2 * kind.rump > 0.1
    pose = Pose(stride=1, swing=0.2, head=1, facing=1, turn=1, slope=0, male=True, brightness=1, warmth=0)
    sprite = draw(kind, pose, 120, np.random.default_rng(0))
    assert sprite.cover.shape[1] > 120
    assert 0.2 < sprite.cover.mean() < 0.8


def test_places_bear_different_names_and_look_different() -> None:
    places = invented_scenes.habitats(40, seed=7)
    assert len({place.name for place in places}) == 40
    assert len({place.ground for place in places}) == 40


def test_the_same_seed_renders_the_same_invented_survey(survey: SceneSet, tmp_path: Path) -> None:
    again = render(tmp_path, photographs=8, seed=4, size=SIZE, species=KINDS, habitats=PLACES)
    assert again.truth.read_text() == survey.truth.read_text()
    photos = sorted(path.relative_to(survey.photos) for path in survey.photos.rglob("*.JPG"))
    assert {photo.parts[0] for photo in photos} == {place.name for place in PLACES}
    assert len(photos) == 8
    for photo in photos:
        assert (again.photos / photo).read_bytes() == (survey.photos / photo).read_bytes()


def test_an_invented_survey_is_imported(survey: SceneSet, sqlite_database: Database, tmp_path: Path) -> None:
    names = {kind.name for kind in KINDS}
    assert survey.species.read_text().splitlines() == [kind.name for kind in KINDS]
    assert set(read_truth(survey.truth).names) <= names
    report = import_results(make_workspace(sqlite_database, tmp_path), survey.results, survey.photos)
    images = json.loads(survey.results.read_text())["images"]
    assert report.photographs == 8
    assert report.detections == sum(len(image["detections"]) for image in images) > 0
