"""Categories, their other names and their taxa, on both databases."""

from __future__ import annotations

import datetime as dt

from pipeline.records import AnnotationRecord, SourceLabel, Taxon, Verdict
from pipeline.store import categories, detections, image_labels, occurrences, oracle, packages, taxa
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import START, detection, label, populate


def merge(database: Database, former: list[str], into: str) -> None:
    with database.write() as conn:
        merged = categories.merge(conn, former, into)
        oracle.update_labels(conn, oracle.labelled_as(conn, merged))


def current(database: Database, number: int) -> str:
    """The name of the current label of a detection."""
    with database.read() as conn:
        record = detections.get(conn, [detection(number)])[detection(number)]
        return categories.names(conn)[record.category_id or 0]


def test_labels_of_merged_categories_count_as_their_target(database: Database) -> None:
    populate(database, 6)
    label(database, [0, 3])  # deer, fox

    merge(database, ["deer", "fox"], "Mammal")

    assert [current(database, 0), current(database, 3)] == ["mammal", "mammal"]
    with database.write() as conn:
        numbers = categories.ensure(conn, ["Deer", "mammal", "boar"])
        assert numbers["deer"] == numbers["mammal"] != numbers["boar"]
        assert {entry.label for entry in oracle.histories(conn, [detection(0)])[detection(0)]} == {
            numbers["mammal"]
        }


def test_a_category_can_be_renamed_twice_and_back(database: Database) -> None:
    populate(database, 3)
    label(database, [0])

    for former, into in (("deer", "roe deer"), ("roe deer", "capreolus"), ("capreolus", "deer")):
        merge(database, [former], into)
        assert current(database, 0) == into


def test_a_species_list_outranks_what_imports_say_of_a_taxon(database: Database) -> None:
    with database.write() as conn:
        taxa.save(conn, [Taxon(category="red fox", scientific_name="Vulpes vulpes")])
        from_import = Taxon(
            category="red fox",
            scientific_name="Vulpes",
            rank="species",
            vernacular_names={"nld": "vos"},
            source="camtrap-dp:x",
        )
        taxa.save(conn, [from_import])
        (taxon,) = taxa.all(conn).values()

    assert (taxon.scientific_name, taxon.rank, taxon.source) == ("Vulpes vulpes", "species", None)
    assert taxon.vernacular_names == {"nld": "vos"}


def test_other_names_of_a_list_are_names_of_their_choice(database: Database) -> None:
    populate(database, 6)
    label(database, [0, 3])  # deer, fox
    fox = Taxon(category="red fox", scientific_name="Vulpes vulpes")
    with database.write() as conn:
        told = taxa.save_list(conn, ["Red Fox", "deer"], [fox], {"fox": "red fox", "reynard": "red fox"})
        assert told == {"fox": "red fox"}
        assert taxa.save_list(conn, ["red fox", "deer"], [fox], {"fox": "red fox"}) == {}
        numbers = categories.ensure(conn, ["fox", "reynard", "red fox"])
        assert len(set(numbers.values()) - {0}) == 1
        assert taxa.save_list(conn, ["fox", "kit fox"], [], {"reynard": "kit fox"}) == {"reynard": "kit fox"}
    assert [current(database, 0), current(database, 3)] == ["deer", "red fox"]


def test_categories_of_imports_with_the_scientific_name_of_a_choice_are_the_choice(
    database: Database,
) -> None:
    populate(database, 6)
    label(database, [3])  # fox
    with database.write() as conn:
        taxa.save_list(conn, ["red fox"], [Taxon(category="red fox", scientific_name="Vulpes vulpes")], {})
        brought = Taxon(
            category="fox", scientific_name="vulpes vulpes", lineage={"family": "Canidae"}, source="x:y"
        )
        assert taxa.save(conn, [brought]) == {"fox": "red fox"}
        (taxon,) = taxa.all(conn).values()
    assert current(database, 3) == "red fox"
    assert (taxon.category, taxon.source, taxon.lineage) == ("red fox", None, {"family": "Canidae"})


def test_occurrences_are_photographs_on_which_a_source_names_a_category(database: Database) -> None:
    populate(database, 6)
    said = [(0, "deer", 1), (1, "deer", 1), (2, "fox", 1), (2, "lynx", 2), (3, None, 1)]
    with database.write() as conn:
        numbers = categories.ensure(conn, ["deer", "fox", "lynx"])
        for image_number, category, revision in said:
            oracle.append(
                conn, [_vote(image_number, None if category is None else numbers[category], revision)]
            )
        whole = [
            ("i0", SourceLabel(category="deer", source="coco:x")),  # of the same photograph as a box
            ("i4", SourceLabel(category="fox", source="coco:x")),
            ("i5", SourceLabel(category=None, source="coco:x")),
            ("i5", SourceLabel(category="lynx", source="coco:y")),
        ]
        image_labels.add(conn, whole, numbers)
        assert occurrences.sources(conn) == ["coco:x", "coco:y"]
        assert occurrences.by_category(conn, ["coco:x"]) == {"deer": 2, "fox": 1, "lynx": 1}
        categories.merge(conn, ["fox"], "lynx")
        assert occurrences.by_category(conn, ["coco:x", "coco:y"]) == {"lynx": 3, "deer": 2}


def _vote(number: int, category: int | None, revision: int) -> AnnotationRecord:
    """What coco:x says of a detection."""
    return AnnotationRecord(
        project_id=None,
        detection_id=detection(number),
        annotation_uid=f"u{number}",
        annotation_id=None,
        task_id=None,
        verdict=Verdict.DELETED if category is None else Verdict.LABEL,
        label=category,
        annotator=None,
        annotated_at=START + dt.timedelta(seconds=revision),
        source="coco:x",
    )


def test_the_descriptor_of_a_package_is_replaced_by_its_next_import(database: Database) -> None:
    with database.write() as conn:
        packages.save(conn, "camtrap-dp:x", {"title": "first"})
        packages.save(conn, "camtrap-dp:x", {"title": "second"})
        assert packages.all(conn) == {"camtrap-dp:x": {"title": "second"}}


def test_a_group_of_merged_species_has_the_scientific_name_of_none(database: Database) -> None:
    red = Taxon(category="red deer", scientific_name="Cervus elaphus", source="camtrap-dp:x")
    roe = Taxon(category="roe deer", scientific_name="Capreolus capreolus", source="camtrap-dp:x")
    with database.write() as conn:
        taxa.save(conn, [red, roe])
        categories.merge(conn, ["red deer", "roe deer"], "deer")
        taxa.save(conn, [red])  # the same import again

        assert taxa.all(conn) == {}
        taxa.save(conn, [Taxon(category="deer", scientific_name="Cervidae", rank="family")])
        (deer,) = taxa.all(conn).values()
    assert (deer.category, deer.scientific_name) == ("deer", "Cervidae")
