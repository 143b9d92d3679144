"""Scientific names, ranks that names show, and taxonomy strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Taxon
from pipeline.taxonomy import hint, proposed_rank, scientific_name, taxon_of, taxonomy_string


@pytest.mark.parametrize(
    "text",
    [
        *("Vulpes vulpes", "VULPES VULPES", "vulpes_vulpes", "Vulpes Vulpes", " Vulpes  vulpes "),
        *("Vulpes vulpes (Linnaeus, 1758)", "Vulpes vulpes Linnaeus, 1758", "Vulpes vulpes L."),
        *("Vulpes Vulpes Linnaeus 1758", "Vulpes (Vulpes) vulpes", "Vulpes vulpes & Co"),
    ],
)
def test_a_scientific_name_is_the_same_however_it_is_written(text: str) -> None:
    assert scientific_name(text) == "Vulpes vulpes"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Canis lupus dingo", "Canis lupus dingo"),
        ("Cervus sp.", "Cervus"),
        ("Cervus spp", "Cervus"),
        ("CERVIDAE", "Cervidae"),
        ("Vulpes Frisch, 1775", "Vulpes"),
        (" ", None),
        ("sp.", None),
    ],
)
def test_author_and_year_are_no_part_of_it_and_sp_is_no_epithet(text: str, wanted: str | None) -> None:
    assert scientific_name(text) == wanted


@pytest.mark.parametrize(
    ("name", "scientific", "rank"),
    [
        ("deer sp.", "", "genus"),
        ("deer spp.", "", "genus"),
        ("vulpes species", "", "genus"),
        ("cervidae family", "", "family"),
        ("cervidae", "", "family"),
        ("rodent order", "", "order"),
        ("deer sp.", "Cervidae", "family"),
        ("deer", "Cervus sp.", "genus"),
        ("fox", "Vulpes vulpes", "species"),
        ("dingo", "Canis lupus dingo", "subspecies"),
        ("fox", "", None),
        ("red fox", "", None),
        ("bird", "Aves", None),
    ],
)
def test_names_show_their_rank_or_nothing(name: str, scientific: str, rank: str | None) -> None:
    assert proposed_rank(name, scientific) == rank


FOX = {"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Vulpes"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "3d80f1d6;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
            Taxon(
                category="red fox",
                scientific_name="Vulpes vulpes",
                rank="species",
                taxon_id="3d80f1d6",
                lineage=FOX,
            ),
        ),
        (
            "mammalia;carnivora;canidae;vulpes;vulpes",
            Taxon(category="vulpes vulpes", scientific_name="Vulpes vulpes", rank="species", lineage=FOX),
        ),
        (
            "red fox;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
            Taxon(category="red fox", scientific_name="Vulpes vulpes", rank="species", lineage=FOX),
        ),
        (
            "animalia;chordata;mammalia;carnivora;canidae;vulpes;vulpes vulpes",
            Taxon(category="vulpes vulpes", scientific_name="Vulpes vulpes", rank="species", lineage=FOX),
        ),
        (
            "x;mammalia;cetartiodactyla;cervidae;;;cervidae family",
            Taxon(
                category="cervidae family",
                scientific_name="Cervidae",
                rank="family",
                taxon_id="x",
                lineage={"class": "Mammalia", "order": "Cetartiodactyla", "family": "Cervidae"},
            ),
        ),
        ("x;;;;;;blank", Taxon(category="blank", taxon_id="x")),
        (
            "animalia;chordata;mammalia;carnivora;canidae;vulpesvulpes",  # in MegaDetector's documentation
            Taxon(
                category="vulpesvulpes",
                lineage={"class": "Mammalia", "order": "Carnivora", "family": "Canidae"},
            ),
        ),
        ("red fox", None),
        ("", None),
        (";;;;;;", None),
        ("a;b;c", None),
    ],
)
def test_taxonomy_strings_are_read_in_every_form(text: str, wanted: Taxon | None) -> None:
    assert taxon_of(text) == wanted


def test_subspecies_stand_after_a_space() -> None:
    dingo = taxon_of("x;mammalia;carnivora;canidae;canis;lupus dingo;dingo")
    assert dingo is not None
    assert (dingo.scientific_name, dingo.rank) == ("Canis lupus dingo", "subspecies")
    assert taxonomy_string("dingo", {"dingo": dingo}) == (
        "x;mammalia;carnivora;canidae;canis;lupus dingo;dingo"
    )


def test_parents_complete_a_taxonomy_string() -> None:
    taxa = [
        Taxon(category="red fox", scientific_name="Vulpes vulpes", rank="species", parent="dogs"),
        Taxon(category="dogs", scientific_name="Canidae", rank="family", parent="Carnivora"),
        Taxon(category="carnivore", scientific_name="Carnivora", rank="order", parent="dogs"),  # in a circle
    ]
    known = {taxon.category: taxon for taxon in taxa}
    assert taxonomy_string("red fox", known) == ";;carnivora;canidae;vulpes;vulpes;red fox"
    assert taxonomy_string("dogs", known) == ";;carnivora;canidae;;;dogs"


@pytest.mark.parametrize(
    ("taxon", "wanted"),
    [
        (Taxon(category="fox", scientific_name="Vulpes vulpes", rank="species"), "Vulpes vulpes"),
        (Taxon(category="deer sp.", scientific_name="Cervidae", rank="family"), "Cervidae (family)"),
        (Taxon(category="meles meles", scientific_name="Meles meles"), None),
        (Taxon(category="deer sp.", rank="genus"), None),
    ],
)
def test_a_hint_says_what_the_name_does_not(taxon: Taxon, wanted: str | None) -> None:
    assert hint(taxon) == wanted


def test_what_is_no_taxon_has_its_name_alone() -> None:
    assert taxonomy_string("vehicle", {}) == ";;;;;;vehicle"
    assert taxonomy_string("empty", {}) == ";;;;;;blank"


words = st.text("abcdefghijklmnop", min_size=2, max_size=8)


@given(st.lists(words, min_size=6, max_size=6), st.integers(1, 5))
def test_what_is_written_is_read_again(parts: list[str], depth: int) -> None:
    *ranks, common = parts
    text = ";".join(["7", *ranks[:depth], *[""] * (5 - depth), common])
    taxon = taxon_of(text)
    assert taxon is not None
    assert taxonomy_string(common, {taxon.category: taxon}) == text
