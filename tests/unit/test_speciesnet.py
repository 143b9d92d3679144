"""What SpeciesNet says of photographs, in its old and its new format, and what damage does to it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.detectors.detector import DetectedBox
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.classes import NamedClass, class_of
from importers.reading.image_root import ImageRoot
from importers.sources import megadetector
from importers.sources.megadetector.file import check as check_results
from importers.sources.speciesnet import import_speciesnet, source_images
from importers.sources.speciesnet.file import check
from importers.sources.timelapse import import_timelapse
from pipeline.cli import wildloop
from pipeline.errors import SourceError
from pipeline.records import DetectionKind, Level, Taxon
from pipeline.store import categories, taxa
from pipeline.store.database import Database
from pipeline.store.schema import detection, image
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

BOX = [0.3, 0.3, 0.3, 0.3]
BLANK = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
ANIMAL = "1f689929-883d-4dae-958c-3d57ab5b6c16;;;;;;animal"
VEHICLE = "e2895ed5-780b-48f6-8a11-9e27cb594511;;;;;;vehicle"
HUMAN = "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human"
NO_RESULT = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + 6 * ";no cv result"
DOG = "3d80f1d6-b1df-4966-9ff4-94053c7a902a;mammalia;carnivora;canidae;canis;familiaris;domestic dog"
DEER = "d8a5dfd8-1b3a-4b1c-9d1f-2b3c4d5e6f70;mammalia;cetartiodactyla;cervidae;;;cervidae family"
VOLE = "0a4b0c1d-0000-4000-8000-000000000001;mammalia;rodentia;cricetidae;microtus;arvalis;"


def found(
    category: str = "1", conf: Any = 0.9, bbox: Any = None, answer: str | None = None
) -> dict[str, Any]:
    """A detection of the new format, with an answer of its own if one is given."""
    made = {"category": category, "label": "a word", "conf": conf, "bbox": BOX if bbox is None else bbox}
    if answer is not None:
        made["raw_classifications"] = {"classes": [ANIMAL], "scores": [1.0]}
        made["processed_classification"] = {"class": answer, "score": 0.8, "source": "classifier"}
    return made


def predicted(
    answer: str | None, *detections: Any, name: str = "camA/0.jpg", **fields: Any
) -> dict[str, Any]:
    """A prediction of the old format."""
    made: dict[str, Any] = {"filepath": name, "detections": list(detections), "model_version": "4.0.1a"}
    if answer is not None:
        made |= {"prediction": answer, "prediction_score": 0.8, "prediction_source": "classifier"}
    return made | fields


def results(path: Path, *predictions: Any, **sections: Any) -> Path:
    return put(path, json.dumps({**sections, "predictions": predictions}).encode())


def read(folder: Path, *predictions: Any, threshold: float = 0.2) -> tuple[list[SourceImage], ImportReport]:
    path = results(folder / "predictions.json", *predictions)
    report = ImportReport(source=str(path))
    root = ImageRoot(folder)
    return list(source_images(check(path, root), root, report, threshold=threshold)), report


def labels(entry: SourceImage) -> list[list[str | None]]:
    """The categories of the photograph, then those of each box."""
    boxes = () if entry.detections is None else entry.detections.boxes
    return [[label.category for label in of] for of in (entry.labels, *(box.labels for box in boxes))]


# The words of its taxonomy


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (DOG, "domestic dog"),
        (DEER, "cervidae family"),
        (VOLE, "microtus arvalis"),
        (BLANK, "empty"),
        (HUMAN, "human"),
        (VEHICLE, "vehicle"),
        (ANIMAL, None),
        (NO_RESULT, None),
        ("no cv result", None),
        ("Domestic Dog", "domestic dog"),
        ("id;mammalia;primates;hominidae;homo;sapiens;human-camera trapper", "human"),
        (";;;;;;", None),
        ("a; b; c", "a; b; c"),
        ("Human - Biker", "human"),
        ("Person", "person"),
    ],
)
def test_a_class_names_its_common_name_else_its_scientific_name(text: str, category: str | None) -> None:
    assert class_of(text).category == category


def test_a_species_is_a_taxon_with_its_scientific_name_rank_and_lineage() -> None:
    assert class_of(DOG).taxon_by("speciesnet:4.0.1a") == Taxon(
        category="domestic dog",
        scientific_name="Canis familiaris",
        rank="species",
        taxon_id="3d80f1d6-b1df-4966-9ff4-94053c7a902a",
        vernacular_names={"eng": "domestic dog"},
        lineage={"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Canis"},
        source="speciesnet:4.0.1a",
    )


def test_a_roll_up_is_a_taxon_of_its_own_rank() -> None:
    taxon = class_of(DEER).taxon
    assert taxon is not None
    assert (taxon.category, taxon.scientific_name, taxon.rank) == ("cervidae family", "Cervidae", "family")
    assert taxon.vernacular_names == {}


@pytest.mark.parametrize("text", [BLANK, HUMAN, VEHICLE, ANIMAL, NO_RESULT])
def test_words_that_name_no_species_and_people_are_no_taxa(text: str) -> None:
    assert class_of(text).taxon is None


def test_a_description_tells_the_taxon_of_a_class_with_a_plain_name() -> None:
    described = class_of("Dog", DOG)
    assert described == NamedClass(category="dog", taxon=described.taxon)
    assert described.taxon is not None
    assert (described.taxon.category, described.taxon.scientific_name) == ("dog", "Canis familiaris")
    assert described.taxon.vernacular_names == {}  # in a language that nobody told


# Answers


def test_in_the_new_format_each_box_has_its_own_answer(tmp_path: Path) -> None:
    boxes = [found(answer=DOG), found(bbox=[0, 0, 0.2, 0.2], answer=BLANK), found("2", answer=HUMAN), found()]
    (entry,), report = read(tmp_path, predicted(None, *boxes))
    assert labels(entry) == [[], ["domestic dog"], ["empty"], ["human"], []]
    assert entry.detections is not None
    assert entry.detections.detector == "results:speciesnet 4.0.1a"
    assert [box.category for box in entry.detections.boxes] == ["animal", "animal", "person", "animal"]
    (label,) = entry.detections.boxes[0].labels
    assert (label.level, label.weak, label.confidence) == (Level.BOX, True, 0.8)
    assert (label.source, label.annotator) == ("speciesnet:4.0.1a", "SpeciesNet 4.0.1a")
    assert not report.notes
    assert not report.unused_values


def test_in_the_old_format_the_answer_belongs_to_the_most_confident_box_of_its_kind(tmp_path: Path) -> None:
    boxes = [found("2", 0.95), found("1", 0.6), found("1", 0.9), found("1", 0.1)]
    (animal,), _ = read(tmp_path, predicted(DOG, *boxes))
    assert labels(animal) == [[], [], [], ["domestic dog"], []]
    (human,), _ = read(tmp_path, predicted(HUMAN, *boxes))
    assert labels(human) == [[], ["human"], [], [], []]
    (blank,), _ = read(tmp_path, predicted(BLANK, *boxes))
    assert labels(blank) == [[], [], [], ["empty"], []]


def test_an_answer_without_a_box_is_one_of_the_photograph(tmp_path: Path) -> None:
    (entry,), _ = read(tmp_path, predicted(DOG, found(conf=0.1)))
    assert labels(entry) == [["domestic dog"], []]
    assert (entry.labels[0].level, entry.labels[0].weak) == (Level.IMAGE, True)
    (entry,), _ = read(tmp_path, predicted(BLANK))
    assert labels(entry) == [["empty"]]


@pytest.mark.parametrize("answer", [ANIMAL, NO_RESULT, "no cv result", None])
def test_an_answer_that_names_no_species_is_no_label(tmp_path: Path, answer: str | None) -> None:
    (entry,), _ = read(tmp_path, predicted(answer, found()))
    assert labels(entry) == [[], []]


def test_the_box_of_the_classifier_of_whole_photographs_is_no_box_but_its_answer_counts(
    tmp_path: Path,
) -> None:
    whole = found("0", bbox=[0, 0, 1, 1], answer=DOG)
    (entry,), report = read(tmp_path, predicted(None, whole, found(conf=0.7)))
    assert labels(entry) == [[], ["domestic dog"]]
    (entry,), report = read(tmp_path, predicted(None, whole, found(answer=DEER)))
    assert labels(entry) == [[], ["cervidae family"]]
    assert not report.notes
    assert not report.unused_values


# Failures


def test_where_the_detector_failed_the_photograph_is_a_failure(tmp_path: Path) -> None:
    (entry,), _ = read(tmp_path, predicted(BLANK, failures=["DETECTOR", "CLASSIFIER"]))
    assert entry.failure == ("detector", "SpeciesNet's detector failed")


def test_where_the_classifier_failed_nothing_is_called_empty_and_boxes_stay(tmp_path: Path) -> None:
    (without, with_box), report = read(
        tmp_path,
        predicted(BLANK, failures=["CLASSIFIER"]),
        predicted(BLANK, found(), name="camA/1.jpg", failures=["CLASSIFIER"]),
    )
    assert (without.detections, without.labels) == (None, ())
    assert labels(with_box) == [[], []]
    assert report.notes == {Note.CLASSIFIER_FAILED: 2}


def test_an_unknown_country_is_noted(tmp_path: Path) -> None:
    (entry,), report = read(tmp_path, predicted(DOG, found(), failures=["GEOLOCATION"]))
    assert labels(entry) == [[], ["domestic dog"]]
    assert report.notes == {Note.GEOLOCATION_FAILED: 1}


# Bad values


def test_confidences_and_boxes_that_are_out_by_a_rounding_are_clipped(tmp_path: Path) -> None:
    boxes = [found(conf=1.0000001), found(bbox=[-0.12, 0.1, 1.2, 0.5]), found(bbox=[0, 0, 1.0000002, 0.5])]
    (entry,), report = read(tmp_path, predicted(None, *boxes))
    assert entry.detections is not None
    first, second, third = entry.detections.boxes
    assert first.confidence == 1.0
    assert (second.box.x1, second.box.x2) == (0.0, 1.0)
    assert (third.box.x1, third.box.x2) == (0.0, 1.0)
    assert not report.notes
    assert not report.unused_values


@pytest.mark.parametrize(
    "broken",
    [
        "no object",
        found(conf="high"),
        found(conf=90),
        found(conf=None),
        found("7"),
        found(bbox=[10, 20, 300, 400]),
        found(bbox=[0.1, 0.1, 0, 0.1]),
        found(bbox=[0.1, 0.1]),
        found(bbox="none"),
    ],
)
def test_a_broken_box_costs_itself_and_its_photograph_is_not_called_empty(
    tmp_path: Path, broken: Any
) -> None:
    (alone,), report = read(tmp_path, predicted(None, broken))
    assert (alone.detections, report.unused_values.total()) == (None, 1)
    assert not report.refused
    (beside,), _ = read(tmp_path, predicted(DOG, broken, found()))
    assert labels(beside) == [[], ["domestic dog"]]


def test_a_broken_score_costs_the_probability_and_not_the_answer(tmp_path: Path) -> None:
    (entry,), report = read(tmp_path, predicted(DOG, found(), prediction_score="sure"))
    assert entry.detections is not None
    (label,) = entry.detections.boxes[0].labels
    assert (label.category, label.confidence) == ("domestic dog", None)
    assert report.unused_values == {"score": 1}


GOOD = predicted(None, found(answer=DOG), found("2", bbox=[0.6, 0, 0.2, 0.5], answer=HUMAN))
OPTIONAL = [
    ("detections", 0, "label"),
    ("detections", 0, "conf"),
    ("detections", 0, "bbox"),
    ("detections", 0, "raw_classifications"),
    ("detections", 0, "processed_classification"),
    ("detections", 0, "processed_classification", "class"),
    ("detections", 0, "processed_classification", "score"),
    ("model_version",),
    ("failures",),
]


INTEGERS = st.integers(-(1 << 60), 1 << 60)  # what JSON libraries agree on


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(OPTIONAL),
    value=st.one_of(
        st.none(), st.booleans(), INTEGERS, st.floats(allow_nan=False), st.text(), st.lists(INTEGERS)
    ),
)
def test_one_bad_value_costs_no_more_than_its_box(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: Any
) -> None:
    spoilt = copy.deepcopy(GOOD)
    target = spoilt
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    (entry,), report = read(tmp_path_factory.mktemp("speciesnet"), spoilt)
    assert not report.refused
    assert entry.failure is None
    assert entry.detections is not None
    assert [label.category for label in entry.detections.boxes[-1].labels] == ["human"]


# Files


def test_a_prediction_without_a_name_is_refused_and_a_second_one_for_a_photograph_not_used(
    tmp_path: Path,
) -> None:
    entries, report = read(
        tmp_path,
        "text",
        {"detections": []},
        predicted(DOG, found()),
        predicted(DEER, found()),
        predicted(DOG),
    )
    assert [labels(entry) for entry in entries] == [[[], ["domestic dog"]]]
    assert (report.refused, report.duplicates) == ({"without a file name": 2}, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [], "info": {}}', "has no `predictions`, but `images`"),
        ('{"predictions": []}', "has no list `predictions`"),
        ('{"predictions": {"a": 1}}', "has no list `predictions`"),
        ('{"predictions": [{"filepath"', "is not JSON, or is cut short"),
    ],
)
def test_another_file_is_refused_before_anything_is_written(
    sqlite_database: Database, tmp_path: Path, text: str, message: str
) -> None:
    path = put(tmp_path / "p.json", text.encode())
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    with pytest.raises(SourceError, match=message):
        import_speciesnet(workspace, path, tmp_path)
    with sqlite_database.read() as conn:
        assert categories.names(conn) in ({}, {0: "empty"})


def test_answers_are_stored_as_weak_labels_with_their_taxa(sqlite_database: Database, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"camA/{number}.jpg", encoded(scene(seed=number)))
    path = results(
        tmp_path / "p.json",
        predicted(None, found(answer=DOG)),
        predicted(None, found(answer=DEER), name="camA/1.jpg"),
        predicted(None, found(answer=BLANK), name="camA/2.jpg"),
        info={"format_version": "20261015"},
    )
    report = import_speciesnet(make_workspace(sqlite_database, tmp_path / "data"), path, tmp_path)
    assert (report.photographs, report.detections, report.labels) == (3, 3, 3)
    with sqlite_database.read() as conn:
        names = categories.names(conn)
        stored = conn.execute(sa.select(detection.c.kind, detection.c.category_id)).all()
        assert {(DetectionKind(row.kind), names[row.category_id]) for row in stored} == {
            (DetectionKind.MODEL, "domestic dog"),
            (DetectionKind.MODEL, "cervidae family"),
            (DetectionKind.MODEL, "empty"),
        }
        assert set(conn.execute(sa.select(image.c.location)).scalars()) == {"camA"}
        assert {taxon.scientific_name for taxon in taxa.all(conn).values()} == {
            "Canis familiaris",
            "Cervidae",
        }


def test_its_answers_never_outvote_people_and_come_in_once(sqlite_database: Database, tmp_path: Path) -> None:
    put(tmp_path / "photos/camA/0.jpg", encoded(scene()))
    path = results(tmp_path / "p.json", predicted(DOG, found()))
    table = put(tmp_path / "t.csv", b"File,RelativePath,Species\n0.jpg,camA,Red Fox\n")
    workspace = make_workspace(sqlite_database, tmp_path / "data")

    def current() -> tuple[DetectionKind, str]:
        with sqlite_database.read() as conn:
            (row,) = conn.execute(sa.select(detection.c.kind, detection.c.category_id)).all()
            return DetectionKind(row.kind), categories.names(conn)[row.category_id]

    import_speciesnet(workspace, path, tmp_path / "photos")
    assert current() == (DetectionKind.MODEL, "domestic dog")
    import_timelapse(workspace, table, tmp_path / "photos", species_fields=("Species",))
    assert current() == (DetectionKind.USER, "red fox")
    again = import_speciesnet(workspace, path, tmp_path / "photos")
    assert (again.photographs, again.detections, again.labels, again.known) == (0, 0, 0, 1)
    assert current() == (DetectionKind.USER, "red fox")


def test_one_of_its_categories_must_be_kept(sqlite_database: Database, tmp_path: Path) -> None:
    path = results(tmp_path / "p.json", predicted(DOG))
    with pytest.raises(SourceError, match="only birds is kept"):
        import_speciesnet(
            make_workspace(sqlite_database, tmp_path / "data"),
            path,
            tmp_path,
            options=ImportOptions(keep=frozenset({"birds"})),
        )


def test_the_command_imports_the_file_of_a_field_run(field_cases: Path, tmp_path: Path) -> None:
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    folder = field_cases / "speciesnet"
    command = ["import", "speciesnet", str(folder / "predictions.json"), "--images", str(folder / "photos")]
    done = CliRunner().invoke(wildloop, command, env=environ)
    assert done.exit_code == 0, done.output
    assert "2 new photographs, 1 new detection" in done.output
    assert "1  new label from the source" in done.output
    assert "photograph on which the classifier failed" in done.output


@pytest.mark.parametrize(
    ("name", "boxes"),
    [
        ("conf_above_one", [[(0.3, 0.3, 0.6, 0.6)], [(0.3, 0.3, 0.6, 0.6)]]),
        ("wide_box", [[(0.0, 0.1, 1.0, 0.6)], [(0.0, 0.0, 1.0, 0.5)]]),
    ],
)
def test_values_out_by_a_rounding_are_clipped_in_the_format_of_megadetector_too(
    field_cases: Path, name: str, boxes: list[list[tuple[float, ...]]]
) -> None:
    folder = field_cases / "speciesnet"
    root, report = ImageRoot(folder / "photos"), ImportReport(source=name)
    found = list(megadetector.source_images(check_results(folder / f"{name}.json", root), root, report))
    assert [[_corners(box) for box in entry.detections.boxes] for entry in found if entry.detections] == boxes
    assert all(box.confidence <= 1.0 for entry in found if entry.detections for box in entry.detections.boxes)
    assert not report.refused


def _corners(found: DetectedBox) -> tuple[float, ...]:
    box = found.box
    return tuple(round(side, 6) for side in (box.x1, box.y1, box.x2, box.y2))


@pytest.mark.parametrize(
    ("name", "categories_"),
    [
        ("as_md_common", ["domestic dog", "empty", None, None, "human", "vehicle"]),
        ("as_md_raw", ["domestic dog", "empty", None]),
    ],
)
def test_its_classes_in_the_format_of_megadetector_mean_the_same(
    field_cases: Path, name: str, categories_: list[str | None]
) -> None:
    folder = field_cases / "speciesnet"
    root, report = ImageRoot(folder / "photos"), ImportReport(source=name)
    results_ = check_results(folder / f"{name}.json", root, 0.0)
    found = list(megadetector.source_images(results_, root, report))
    boxes = [box for entry in found if entry.detections for box in entry.detections.boxes]
    assert [box.labels[0].category if box.labels else None for box in boxes] == categories_
    assert all(label.weak for box in boxes for label in box.labels)
    assert results_.classes is not None
    known = [taxon.scientific_name for taxon in results_.classes.taxa]
    assert known == (["Canis familiaris"] if name == "as_md_raw" else [])


@pytest.mark.parametrize(
    ("prediction", "is_known"),
    [
        (predicted(None, found(conf=0.1)), True),
        (predicted(None, found(conf=0.1), failures=["CLASSIFIER"]), False),
        (predicted(None, found(conf=0.9), failures=["CLASSIFIER"]), True),
        (predicted(None, found(conf=0.1), found(conf="0.9")), False),
        (predicted(None, found(conf=0.9), found(conf="0.9")), True),
        (predicted(None, found(conf=0.1, bbox=[1, 2])), True),  # it would not be kept either
    ],
)
def test_boxes_below_the_threshold_do_not_make_a_photograph_empty_of_which_not_all_is_known(
    tmp_path: Path, prediction: dict[str, Any], is_known: bool
) -> None:
    ((entry,), _) = read(tmp_path, prediction)
    assert (entry.detections is not None) is is_known
