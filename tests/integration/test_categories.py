"""Categories, their other names and their taxa, on both databases."""

from __future__ import annotations

from pipeline.records import Taxon
from pipeline.store import categories, detections, oracle, packages, taxa
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import detection, label, populate


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


def test_the_descriptor_of_a_package_is_replaced_by_its_next_import(database: Database) -> None:
    with database.write() as conn:
        packages.save(conn, "camtrap-dp:x", {"title": "first"})
        packages.save(conn, "camtrap-dp:x", {"title": "second"})
        assert packages.all(conn) == {"camtrap-dp:x": {"title": "second"}}
