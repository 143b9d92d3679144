"""What `taxonomic` of a Camtrap DP package says of categories."""

from __future__ import annotations

from typing import Any

import pytest

from importers.sources.camtrap_dp.taxonomy import taxa_of
from pipeline.records import Taxon

SOURCE = "camtrap-dp:sample"


def taxa(*entries: Any, observed: tuple[str, ...] = ()) -> list[Taxon]:
    return list(taxa_of({"taxonomic": list(entries)}, observed, SOURCE))


def test_an_entry_is_all_that_is_known_of_a_category() -> None:
    entry = {
        "scientificName": " Ardea cinerea ",
        "taxonID": "https://example.org/GCHS",
        "taxonRank": "species",
        "order": "Pelecaniformes",
        "genus": "Ardea",
        "vernacularNames": {"eng": "grey heron", "nld": "blauwe reiger", "fra": 7},
        "iucn": "LC",
    }
    assert taxa(entry) == [
        Taxon(
            category="ardea cinerea",
            scientific_name="Ardea cinerea",
            rank="species",
            taxon_id="https://example.org/GCHS",
            vernacular_names={"eng": "grey heron", "nld": "blauwe reiger"},
            lineage={"order": "Pelecaniformes", "genus": "Ardea"},
            details={"iucn": "LC"},
            source=SOURCE,
        )
    ]


def test_people_have_the_category_of_people_and_words_for_nothing_have_none() -> None:
    entries = [{"scientificName": name} for name in ("Homo sapiens", "blank", "Animal", "")]
    assert [(taxon.category, taxon.scientific_name) for taxon in taxa(*entries)] == [
        ("human", "Homo sapiens")
    ]


def test_a_species_that_is_observed_but_not_listed_keeps_its_spelling() -> None:
    found = taxa({"scientificName": "Vulpes vulpes"}, observed=("Vulpes vulpes", "Martes sp. A", "blank"))
    assert [(taxon.category, taxon.scientific_name) for taxon in found] == [
        ("vulpes vulpes", "Vulpes vulpes"),
        ("martes sp. a", "Martes sp. A"),
    ]


@pytest.mark.parametrize("listed", [None, 7, "x", {"scientificName": "x"}, [7, None, {"scientificName": 7}]])
def test_what_is_no_taxonomy_says_nothing(listed: Any) -> None:
    assert list(taxa_of({"taxonomic": listed}, (), SOURCE)) == []


def test_texts_that_no_database_takes_are_escaped() -> None:
    (taxon,) = taxa({"scientificName": "Vul\x00pes \ud800"})
    assert taxon.scientific_name == "Vul\\x00pes \\ud800"
