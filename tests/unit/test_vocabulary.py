"""Words that name no species mean the same in every source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from importers.detectors.categories import to_categories
from importers.ingest.report import ImportReport
from importers.ingest.source_image import interpreted
from importers.reading.image_root import ImageRoot
from importers.sources import coco
from importers.sources.emammal import manifest
from importers.sources.megadetector.classes import read_classes
from pipeline.exporters.camtrap_dp.observation import Taxa
from pipeline.label_studio.species import parse_species
from pipeline.records import Level, SourceLabel
from pipeline.vocabulary import Meaning, category_of, kind_of, meaning_of, names_no_species

BLANK = ["empty", "Blank", "NONE", "nothing", "no animal", "No-Animal", "no_animals", "NOTHINGHERE"]
BLANK += ["Nothing here", "__background__", "background", "false trigger", "Camera Misfire"]
BLANK += ["no wildlife", "false-positives", "Malfunction", "Time Lapse", "vide", "Vacío", "Va\u0063i\u0301o"]
PEOPLE = ["human", "Humans", "PERSON", "people", "Homo sapiens", "homo_sapiens", "HomoSapiens"]
PEOPLE += ["Setup/Pickup", "Setup_pickup", "Camera Trapper", "Human, non staff"]
VEHICLES = ["vehicle", "Car", "truck", "bus", "train", "motorcycle", "bicycle", "boat", "airplane", "ATV"]
ANIMALS = ["animal", "Animals", "unidentified animal", "unknown-animal"]
UNKNOWN = ["unknown", "Unidentifiable", "unidentified", "unsure", "undefined", "Unclassifiable"]
UNCLASSIFIED = ["unclassified", "no cv result", "No CV Result", "N/A", "NaN"]
SPECIES = ["red fox", "no animalia", "human louse", "carp", "unknown fox", "nothing bird", "emptyish", ""]


@pytest.mark.parametrize(
    ("words", "meaning", "kind"),
    [
        (BLANK, Meaning.BLANK, "animal"),
        (PEOPLE, Meaning.HUMAN, "person"),
        (VEHICLES, Meaning.VEHICLE, "vehicle"),
        (ANIMALS, Meaning.ANIMAL, "animal"),
        (UNKNOWN, Meaning.UNKNOWN, "animal"),
        (UNCLASSIFIED, Meaning.UNCLASSIFIED, "animal"),
        (SPECIES, None, "animal"),
    ],
)
def test_each_word_has_one_meaning_however_it_is_written(
    words: list[str], meaning: Meaning | None, kind: str
) -> None:
    assert {word: (meaning_of(word), kind_of(word)) for word in words} == dict.fromkeys(
        words, (meaning, kind)
    )
    assert {names_no_species(word) for word in words} == {
        meaning in (Meaning.ANIMAL, Meaning.UNKNOWN, Meaning.UNCLASSIFIED)
    }


def test_a_word_names_empty_no_category_or_itself() -> None:
    assert {category_of(word) for word in BLANK} == {"empty"}
    assert {category_of(word) for word in [*ANIMALS, *UNKNOWN, *UNCLASSIFIED, "", "  "]} == {None}
    assert [category_of(word) for word in ["Red  Fox", "Person", "car"]] == ["red fox", "person", "car"]


def given(category: str | None, level: Level) -> SourceLabel:
    return SourceLabel(category=category, source="s", level=level)


def test_a_box_of_no_species_needs_no_label_and_a_photograph_of_one_is_not_empty() -> None:
    for word in [*ANIMALS, *UNKNOWN, *UNCLASSIFIED]:
        assert interpreted(given(word, Level.BOX)) is None
    for level in (Level.IMAGE, Level.SEQUENCE):
        for word in ANIMALS:
            label = interpreted(given(word, level))
            assert label == SourceLabel(
                category=None, source="s", level=level, details={"observationType": "animal"}
            )
        assert [interpreted(given(word, level)) for word in UNKNOWN] == [given(None, level)] * len(UNKNOWN)
        assert {interpreted(given(word, level)) for word in UNCLASSIFIED} == {None}
    assert interpreted(given("NONE", Level.BOX)) == given("empty", Level.BOX)
    assert interpreted(given("Red Fox", Level.BOX)) == given("Red Fox", Level.BOX)


@pytest.mark.parametrize("word", BLANK)
def test_blank_is_empty_in_every_source_and_blank_in_exports(tmp_path: Path, word: str) -> None:
    path = tmp_path / "set.json"
    image = {"id": "1", "file_name": "a.jpg"}
    category = {"id": 5, "name": word}
    annotation = {"id": "1", "image_id": "1", "category_id": 5}
    path.write_text(json.dumps({"images": [image], "annotations": [annotation], "categories": [category]}))
    report = ImportReport(source="")
    (one,) = coco.source_images(coco.check([path], report), ImageRoot(tmp_path), report)
    assert [label.category for label in one.labels] == ["empty"]
    assert manifest.category(word) == "empty"
    path.write_text(json.dumps({"classification_categories": {"0": word}}))
    assert read_classes(path, {}, 0.0).names == {"0": "empty"}
    assert to_categories([word, "deer"]) == [None, "animal"]
    label = SourceLabel(category=word, source="s")
    observation = Taxa({}).of_label(label)
    assert (observation.kind, observation.species) == ("blank", None)
    listed = parse_species(f"{word}\nfox", "list")
    assert (listed.names, len(listed.notes)) == (["fox"], 1)


@pytest.mark.parametrize(
    ("word", "kind", "species"),
    [
        ("Person", "human", "Homo sapiens"),
        ("truck", "vehicle", None),
        ("animal", "animal", None),
        ("unidentifiable", "unknown", None),
        ("unclassified", "unclassified", None),
        ("red fox", "animal", "Red fox"),
    ],
)
def test_exports_call_each_word_by_its_observation_type(word: str, kind: str, species: str | None) -> None:
    observation = Taxa({}).of_label(SourceLabel(category=word, source="s"))
    assert (observation.kind, observation.species) == (kind, species)
