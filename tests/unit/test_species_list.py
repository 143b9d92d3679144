"""The species list: a name a line or a table of taxa; repeated names are merged, invalid ones are errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.label_studio.species import SpeciesList, can_be_listed, parse_species, read_species
from pipeline.records import Taxon, category_name
from pipeline.steps.labelling.propose import Proposal, ProposedSpecies
from pipeline.vocabulary import meaning_of


def test_names_come_in_the_order_of_the_file_in_lower_case() -> None:
    listed = parse_species("Red Fox\nwhite-tailed  deer\n", "s.txt")
    assert (listed.names, listed.notes) == (["red fox", "white-tailed deer"], [])


def test_comments_and_blank_lines_are_ignored() -> None:
    listed = parse_species("# the park\n\n  \nfox # the red one\n#deer\ncamp #4\n", "s.txt")
    assert listed.names == ["fox", "camp"]


def test_a_hash_inside_a_word_is_part_of_the_name() -> None:
    assert parse_species("site#4 vole", "s.txt").names == ["site#4 vole"]


def test_windows_line_ends_and_byte_order_marks_are_not_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "species.txt"
    path.write_bytes("﻿fox\r\ndeer\r\n".encode())
    assert read_species(path).names == ["fox", "deer"]


def test_a_repeated_name_counts_once_and_is_noted_with_file_and_lines() -> None:
    listed = parse_species("fox\ndeer\nFOX\n", "s.txt")
    assert listed.names == ["fox", "deer"]
    assert listed.notes == ["s.txt, line 3: 'fox' is already in line 1"]


def test_reserved_names_may_be_listed_and_are_offered_once() -> None:
    listed = parse_species("Empty\nfox\nunsure\n", "s.txt")
    assert listed.names == ["fox"]
    assert listed.notes == [
        "s.txt, line 1: 'empty' is always offered",
        "s.txt, line 3: 'unsure' is always offered",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no species"),
        ("# nothing\nempty\n", "has no species"),
        ("fox\n$crop\n", r"line 2: '\$crop' begins with \$"),
        ("fox\nde\x07er\n", "line 2: .* contains the character"),
        ("fox\n" + "x" * 81, "line 2: .* more than 80 characters"),
    ],
)
def test_a_name_that_cannot_be_a_choice_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_species(text, "s.txt")


def test_a_list_that_cannot_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_species(tmp_path / "absent.txt")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("bärenmaki".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        read_species(latin)


def test_words_that_name_no_species_are_noted_and_people_and_vehicles_can_be_chosen() -> None:
    listed = parse_species("Animal\nred fox\nunidentifiable\nhuman\nvehicle\nNothing here\n", "s.txt")
    assert listed.names == ["red fox", "human", "vehicle"]
    assert listed.notes == [
        "s.txt, line 1: 'animal' names no species: 'unsure' is always offered",
        "s.txt, line 3: 'unidentifiable' names no species: 'unsure' is always offered",
        "s.txt, line 6: 'nothing here' means 'empty', which is always offered",
    ]


FOX = Taxon(category="red fox", scientific_name="Vulpes vulpes", rank="species", taxon_id="7")
TABLES = {
    "Darwin Core": "taxonID,scientificName,taxonRank,vernacularName\n7,Vulpes vulpes,species,Red fox\n",
    "snake case": "scientific_name,common_name,rank,taxon_id\nVulpes vulpes,red fox,SPECIES,7\n",
    "words": "Scientific name,Common name(s),Rank,Taxon ID\nvulpes vulpes,Red Fox,,7\n",
    "semicolons": "scientific name;common name;taxon id\r\nVulpes vulpes;red fox;7\r\n",
    "tabs": "Scientific_Name\tcommonName\twi_taxon_id\nVulpes_vulpes\tred fox\t7\n",
    "byte-order mark": "\ufeffspecies,common_name,taxonKey\nVulpes vulpes,red fox,7\n",
    "carriage returns": "scientific name,common name,taxon id\rVulpes vulpes,red fox,7\r",
    "quotes": '"common name","scientific name","taxon id"\n"red fox","Vulpes vulpes (Linnaeus, 1758)","7"\n',
    "comments": "# ours\n\ncommon name,scientific name,taxon id\n\n# shy\nred fox,Vulpes vulpes,7\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_a_table_is_read_with_any_delimiter_and_any_spelling_of_its_header(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read_species(path) == SpeciesList(
        names=["red fox"], notes=[], taxa=[FOX], other_names={"vulpes vulpes": "red fox"}
    )


def test_the_choice_is_the_first_common_name_and_all_others_are_other_names_of_it() -> None:
    listed = parse_species(
        "vernacularNames.eng,scientific name,vernacularNames.nld\nroe deer | roe,Capreolus capreolus,ree\n",
        "s.csv",
    )
    assert listed.names == ["roe deer"]
    assert listed.other_names == dict.fromkeys(("roe", "ree", "capreolus capreolus"), "roe deer")
    assert listed.taxa[0].vernacular_names == {"eng": "roe deer", "nld": "ree"}


def test_a_row_without_a_common_name_offers_the_scientific_one() -> None:
    listed = parse_species("scientific name,common name\nMeles meles,NA\nMartes,\n", "s.csv")
    assert listed.names == ["meles meles", "martes"]
    assert listed.other_names == {}
    assert [(taxon.scientific_name, taxon.rank) for taxon in listed.taxa] == [
        ("Meles meles", "species"),
        ("Martes", None),  # what rank a single word has cannot be seen
    ]


def test_columns_of_ranks_name_the_taxon_as_wildlife_insights_has_it() -> None:
    listed = parse_species(
        "wi_taxon_id,class,order,family,genus,species,common_name\n"
        "u1,Mammalia,Carnivora,Canidae,Vulpes,vulpes,Red Fox\n"
        "u2,Mammalia,Cetartiodactyla,Cervidae,,,Cervidae Family\n",
        "s.csv",
    )
    assert listed.names == ["red fox", "cervidae family"]
    fox, deer = listed.taxa
    assert (fox.scientific_name, fox.rank, fox.taxon_id) == ("Vulpes vulpes", "species", "u1")
    assert fox.lineage == {"class": "Mammalia", "order": "Carnivora", "family": "Canidae", "genus": "Vulpes"}
    assert (deer.scientific_name, deer.rank, deer.taxon_id) == ("Cervidae", "family", "u2")


def test_a_family_beside_a_species_is_above_it_and_not_its_name() -> None:
    (fox,) = parse_species("common name,family\nfox,canidae\n", "s.csv").taxa
    assert (fox.scientific_name, fox.rank, fox.lineage) == (None, None, {"family": "Canidae"})


def test_taxonomy_strings_of_speciesnet_are_taxa_in_a_column_or_a_line_each() -> None:
    fox = "3d80;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
    for text in (f"taxonomy\n{fox}\n", f"{fox}\nf185;;;;;;blank\n", f"rank,taxonomy\nspecies,{fox}\n"):
        listed = parse_species(text, "s.txt")
        assert listed.names == ["red fox"]
        assert listed.other_names == {"vulpes vulpes": "red fox"}
        assert (listed.taxa[0].taxon_id, listed.taxa[0].rank) == ("3d80", "species")


def test_higher_taxa_have_the_rank_that_their_form_shows_and_are_named() -> None:
    listed = parse_species("fox\ndeer sp.\nCervidae family\n", "s.txt")
    assert listed.names == ["fox", "deer sp.", "cervidae family"]
    assert [(taxon.category, taxon.scientific_name, taxon.rank) for taxon in listed.taxa] == [
        ("deer sp.", None, "genus"),
        ("cervidae family", "Cervidae", "family"),
    ]
    assert listed.notes == [
        "s.txt: higher taxa, each a class of its own: deer sp. (genus), cervidae family (family)"
    ]


def test_the_list_outranks_what_a_form_shows() -> None:
    text = "common name,scientific name,rank,parent\ndeer sp.,Cervinae,subfamily,Cervidae\n"
    (deer,) = parse_species(text, "s.csv").taxa
    assert (deer.scientific_name, deer.rank, deer.parent) == ("Cervinae", "subfamily", "Cervidae")


def test_columns_and_ranks_that_are_not_known_are_named() -> None:
    listed = parse_species("name,Rank,remarks,IUCN\nfox,spezies,shy,LC\n", "s.csv")
    assert listed.names == ["fox"]
    assert listed.taxa == []
    assert listed.notes[0] == "s.csv: not used: column 'remarks', column 'IUCN'"
    assert listed.notes[1].startswith("s.csv, line 2: 'spezies' is no rank: one of domain, kingdom")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("wild boar,Sus scrofa\nferal pig,Sus scrofa\n", "line 3: 'sus scrofa' .*of 'wild boar' in line 2"),
        ("fox|reynard,\nreynard,Vulpes\n", "line 3: 'reynard' is already a name of 'fox' in line 2"),
        ("fox,Vulpes vulpes\nfox,Vulpes lagopus\n", "line 3: 'fox' is already a name in line 2"),
    ],
)
def test_two_rows_that_claim_one_name_are_an_error_with_both_lines(rows: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        parse_species(f"common name,scientific name\n{rows}", "s.csv")
    assert "make them one row" in (raised.value.remedy or "")


def test_a_row_that_stands_twice_is_noted_as_in_text() -> None:
    listed = parse_species("common name,scientific name\nfox,Vulpes vulpes\nFox,vulpes vulpes\n", "s.csv")
    assert listed.names == ["fox"]
    assert listed.notes == ["s.csv, line 3: 'fox' is already in line 2"]


def test_a_row_without_a_name_is_an_error_with_its_line() -> None:
    with pytest.raises(SourceError, match="line 3: neither a common nor a scientific name"):
        parse_species("common name,scientific name,rank\nfox,,\n,,genus\n", "s.csv")


def test_another_name_that_means_nothing_is_left_out_with_a_note() -> None:
    listed = parse_species("common name\nfox | unknown\n", "s.csv")
    assert (listed.names, listed.other_names) == (["fox"], {})
    assert listed.notes == ["s.csv, line 2: 'unknown' names no species: no other name of 'fox'"]


def test_a_csv_file_without_a_header_is_a_list_of_names_or_an_error() -> None:
    assert parse_species("fox\ndeer\n", "s.csv").names == ["fox", "deer"]
    with pytest.raises(SourceError, match="names no column of species") as raised:
        parse_species("fox,Vulpes vulpes\ndeer,Cervus\n", "s.csv")
    assert "common_name or scientific_name" in (raised.value.remedy or "")


def test_a_list_of_names_below_a_heading_keeps_their_commas() -> None:
    listed = parse_species("Species\ndeer, roe  # the small one\nfox\n", "s.txt")
    assert listed.names == ["deer, roe", "fox"]


@given(st.lists(st.text(max_size=90).map(category_name), unique=True, min_size=1))
def test_every_name_that_a_table_can_offer_is_read_from_it_again(found: list[str]) -> None:
    listable = [name for name in found if can_be_listed(name) and meaning_of(name) is None]
    row = [ProposedSpecies(names=(name,), photographs=3, taxon=Taxon(category=name)) for name in listable]
    proposal = Proposal(sources=("coco:x",), species=tuple(row), rare=tuple(row), left_out={})
    if listable:
        assert proposal.listed.names == listable


@given(st.text("ab,;|\t\n#\"' .", max_size=60), st.sampled_from([",", ";", "\t"]))
def test_no_table_breaks_the_reader(text: str, delimiter: str) -> None:
    header = delimiter.join(("common name", "scientific name", "rank", "taxonomy"))
    try:
        listed = parse_species(f"{header}\n{text}", "s.csv")
    except SourceError:
        return
    assert len(set(listed.names)) == len(listed.names) > 0
    assert listed.other_names.keys().isdisjoint(listed.names)
