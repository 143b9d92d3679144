"""Words that name no species mean the same in every source."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from importers.detectors.categories import to_categories
from importers.ingest.report import ImportReport
from importers.ingest.source_image import interpreted
from importers.reading.image_root import ImageRoot
from importers.sources import coco
from importers.sources.emammal import manifest
from importers.sources.megadetector.classes import read_classes
from pipeline import camtrap_dp
from pipeline.cli import wildloop
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


def test_punctuation_is_no_name() -> None:
    assert [meaning_of(text) for text in ("?", " ??", "-", "...", "", " ", "\N{FOX FACE}", "獾")] == [
        *(Meaning.UNKNOWN, Meaning.UNKNOWN, Meaning.UNCLASSIFIED, Meaning.UNCLASSIFIED),
        *(None, None, None, None),
    ]


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
    assert camtrap_dp.category_of("animal", word) is None  # an animal that is called nothing
    label = SourceLabel(category=word, source="s")
    observation = Taxa({}, {}).of_label(label)
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
    observation = Taxa({}, {}).of_label(SourceLabel(category=word, source="s"))
    assert (observation.kind, observation.species) == (kind, species)


# From the command line, in and out


def run(tmp_path: Path, *arguments: str) -> str:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    done = CliRunner().invoke(wildloop, arguments, env=environ)
    assert done.exit_code == 0, done.output
    return done.output


def exported(tmp_path: Path, kind: str) -> Any:
    """The content of an export as JSON or CSV."""
    run(tmp_path, "export", kind, str(tmp_path / kind))
    if kind == "csv":
        with (tmp_path / kind).open(newline="") as file:
            return list(csv.DictReader(file))
    return json.loads((tmp_path / kind).read_text())


def test_every_word_for_nothing_in_a_coco_file_comes_out_as_empty(field_cases: Path, tmp_path: Path) -> None:
    photos = str(field_cases / "coco" / "photos")
    run(tmp_path, "import", "coco", str(field_cases / "coco" / "blank.json"), "--images", photos)
    out = exported(tmp_path, "coco")
    assert out["categories"] == [{"id": 0, "name": "empty"}]
    assert [annotation["category_id"] for annotation in out["annotations"]] == [0] * 6
    assert {row["category"] for row in exported(tmp_path, "csv")} == {"empty"}
    assert all(image["detections"] == [] for image in exported(tmp_path, "megadetector")["images"])


def test_every_folder_of_crops_for_nothing_is_empty(field_cases: Path, tmp_path: Path) -> None:
    run(tmp_path, "import", "crops", str(field_cases / "crops_blank"))
    named = {row["file_name"].partition("/")[0]: row["category"] for row in exported(tmp_path, "csv")}
    assert named == {
        **dict.fromkeys(("Empty", "blank", "No Animal", "Nothing"), "empty"),
        "red fox": "red fox",
    }
    out = exported(tmp_path, "megadetector")
    assert sorted(out["classification_categories"].values()) == ["empty", "red fox"]


def test_classes_of_nothing_and_of_no_species_are_none_of_the_animals(
    field_cases: Path, tmp_path: Path
) -> None:
    results, photos = field_cases / "speciesnet" / "as_md_common.json", field_cases / "speciesnet" / "photos"
    run(tmp_path, "import", "megadetector", str(results), "--images", str(photos), "--classifications")
    named = [row["category"] for row in exported(tmp_path, "csv")]
    assert named == ["domestic dog", "empty", "", "", "human", "vehicle"]


def test_blank_is_a_type_and_no_animal_in_a_camtrap_dp_package(field_cases: Path, tmp_path: Path) -> None:
    listed = json.loads((field_cases / "blank_export" / "l.json").read_text())
    for number, image in enumerate(listed["images"]):
        image["datetime"] = f"2024-05-01 12:0{number}:00"
        if number > 1:
            image["seq_id"] = "s"
    event = {"id": "4", "image_id": "2", "category_id": 0, "sequence_level_annotation": True}
    listed["annotations"] = [event, *(one for one in listed["annotations"] if one["image_id"] in "01")]
    path = tmp_path / "l.json"
    path.write_text(json.dumps(listed))
    run(tmp_path, "import", "coco", str(path), "--images", str(field_cases / "blank_export" / "photos"))
    run(tmp_path, "import", "deployments", str(field_cases / "blank_export" / "dep.csv"))
    design = ("--sampling-design", "opportunistic", "--capture-method", "activityDetection")
    run(tmp_path, "export", "camtrap-dp", str(tmp_path / "package"), *design)
    with (tmp_path / "package" / "observations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = {(row["observationLevel"], row["observationType"], row["scientificName"]) for row in rows}
    assert {("media", "blank", ""), ("media", "animal", "Red fox"), ("event", "blank", "")} <= told
    assert {name for _, kind, name in told if kind != "animal"} == {""}
