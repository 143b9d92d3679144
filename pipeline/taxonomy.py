"""Names and ranks of taxa, and the taxonomy strings of SpeciesNet and MegaDetector's results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.records import EMPTY, Taxon, category_name

# Darwin Core's taxonRank, highest first.
RANKS = (
    *("domain", "kingdom", "subkingdom", "phylum", "subphylum", "superclass", "class", "subclass"),
    *("superorder", "order", "suborder", "infraorder", "superfamily", "family", "subfamily"),
    *("tribe", "subtribe", "genus", "subgenus", "species", "subspecies", "variety", "form"),
)
HIGHER = frozenset(RANKS[: RANKS.index("species")])
IN_STRINGS = ("class", "order", "family", "genus")  # in the order of a taxonomy string
_KINGDOMS = ("animalia", "plantae", "fungi")
_OPEN = ("sp", "sp.", "spp", "spp.", "species")  # last word of "Cervus sp.": any species of it
_AUTHOR_MARKS = re.compile(r"[\d,.&]")  # in "Linnaeus,", "L.", "1758"
_MOST_PARENTS = 30  # more than there are ranks: parents that go round in a circle end here


def scientific_name(text: str) -> str | None:
    """A scientific name as it is cited: "Vulpes vulpes", whatever the case, without author and year.

    "Cervus sp." is "Cervus". None for an empty text.
    """
    words = text.replace("_", " ").split()
    if words and words[-1].lower() in _OPEN:
        words.pop()
    if not words:
        return None
    kept = [words[0].capitalize()]
    for place, word in enumerate(words[1:], start=1):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word.startswith("(") and word.endswith(")") and following.islower():
            continue  # a subgenus
        if word.startswith("(") or (not word.islower() and _is_author(words[place - 1], word, following)):
            break
        kept.append(word.lower())
    return " ".join(kept)


def _is_author(before: str, word: str, following: str) -> bool:
    """Whether the author begins with this word, as opposed to an epithet in capitals."""
    return bool(_AUTHOR_MARKS.search(word)) or following[:1] in tuple("&0123456789") or before.islower()


def proposed_rank(name: str, scientific: str = "") -> str | None:
    """The rank that the form of a name shows: "cervidae family", "Cervus sp.", "Vulpes vulpes"; else None.

    `name` is what people call it, `scientific` a scientific name in any form.
    """
    words = (scientific_name(scientific) or family_named(name) or "").split()
    if len(words) == 1 and words[0].endswith("idae"):  # the code of zoological names keeps it for families
        return "family"
    if len(words) > 1:
        return "species" if len(words) == 2 else "subspecies"
    last = [text.lower().split()[-1] for text in (scientific, name) if len(text.split()) > 1]
    if any(word in _OPEN for word in last):
        return "genus"
    return next((word for word in last if word in HIGHER), None)


def family_named(name: str) -> str | None:
    """The scientific name in "cervidae family" or "Cervidae"; None for every other name."""
    words = name.lower().split()
    is_family = len(words) == 1 or words[1:] == ["family"]
    return words[0].capitalize() if words and is_family and words[0].endswith("idae") else None


def taxon_of(text: str) -> Taxon | None:
    """The taxon of a taxonomy string; None for a text that is none.

    Strings are `id;class;order;family;genus;species;common name` as SpeciesNet writes them, the same
    without the id, also without the common name, or `kingdom;phylum;class;order;family;...` as MegaDetector
    documents it. Without a common name the category is the scientific one. Strings such as `;;;;;;blank`
    name no taxon: only their category says something.
    """
    tokens = [" ".join(token.split()) for token in text.split(";")]
    if tokens[0].lower() in _KINGDOMS and len(tokens) in (6, 7):
        return _below_kingdom(tokens[2:5], tokens[5:])
    if len(tokens) == 7:
        id_, *ranks, common = tokens
    elif len(tokens) in (5, 6):
        id_, ranks, common = "", tokens[:5], "".join(tokens[5:])
    else:
        return None
    *higher, epithet = ranks
    return from_lineage(_named(higher), epithet, common=common, taxon_id=id_ if id_ != common else "")


def _below_kingdom(higher: list[str], rest: list[str]) -> Taxon | None:
    """The taxon of class, order and family and of what follows: genus and species, or the binomial."""
    words = " ".join(rest).split()
    if len(rest) == 1 and len(words) == 1:  # "vulpesvulpes": where the genus ends is not known
        return Taxon(category=category_name(words[0]), lineage=_named(higher))
    genus, epithet = (words[0], " ".join(words[1:])) if words else ("", "")
    return from_lineage(_named([*higher, genus]), epithet)


def _named(higher: list[str]) -> dict[str, str]:
    return {rank: name.capitalize() for rank, name in zip(IN_STRINGS, higher, strict=False) if name}


def from_lineage(
    lineage: Mapping[str, str], epithet: str, *, common: str = "", taxon_id: str = ""
) -> Taxon | None:
    """The lowest taxon of `lineage`, scientific names by rank, or its species with this epithet.

    None if there is no name at all. Spaces in the epithet separate the subspecies.
    """
    genus = lineage.get("genus", "")
    words = epithet.lower().split()
    if genus and words[:1] == [genus.lower()] and len(words) > 1:  # the binomial in place of the epithet
        words = words[1:]
    rank: str | None = None
    scientific: str | None = None
    if genus and words:
        scientific, rank = " ".join((genus, *words)), "species" if len(words) == 1 else "subspecies"
    elif lineage:
        rank = max(lineage, key=RANKS.index)
        scientific = lineage[rank]
    name = category_name(common or scientific or "")
    if not name:
        return None
    return Taxon(
        category=name,
        scientific_name=scientific,
        rank=rank,
        taxon_id=taxon_id or None,
        lineage=dict(lineage),
    )


def hint(taxon: Taxon) -> str | None:
    """What a screen says of a category beside its name: the scientific name, with a rank above species."""
    if taxon.scientific_name is None or category_name(taxon.scientific_name) == taxon.category:
        return None
    return f"{taxon.scientific_name} ({taxon.rank})" if taxon.rank in HIGHER else taxon.scientific_name


def taxonomy_string(category: str, taxa: Mapping[str, Taxon]) -> str:
    """The string `id;class;order;family;genus;species;common name` of a category, in lower case.

    `taxa` is by category; parents among them complete the higher ranks. What is not known stays blank. An
    id with capitals is left out, because readers want lower case.
    """
    taxon = taxa.get(category, Taxon(category=category))
    lineage = whole_lineage(taxon, taxa)
    genus, epithet = lineage.get("genus", ""), ""
    words = (taxon.scientific_name or "").split()
    if len(words) > 1 and taxon.rank not in HIGHER:
        genus, epithet = words[0], " ".join(words[1:])
    id_ = taxon.taxon_id or ""
    higher = [lineage.get(rank, "") for rank in IN_STRINGS[:-1]]
    common = "blank" if category == EMPTY else category
    tokens = [id_ if id_ == id_.lower() else "", *higher, genus, epithet, common]
    return ";".join(token.lower().replace(";", ",") for token in tokens)


def whole_lineage(taxon: Taxon, taxa: Mapping[str, Taxon]) -> dict[str, str]:
    """Scientific names by rank, of the taxon itself where it is a higher one, and of what stands above it."""
    lineage = dict(taxon.lineage)
    for each in (taxon, *_parents(taxon, taxa)):
        if each.rank and each.rank in HIGHER and each.scientific_name:
            lineage.setdefault(each.rank, each.scientific_name)
        for rank, name in each.lineage.items():
            lineage.setdefault(rank, name)
    return lineage


def _parents(taxon: Taxon, taxa: Mapping[str, Taxon]) -> Iterator[Taxon]:
    by_name = {category_name(each.scientific_name): each for each in taxa.values() if each.scientific_name}
    by_name |= taxa
    parent = taxon.parent
    for _ in range(_MOST_PARENTS):
        if parent is None:
            return
        name = category_name(parent)
        found = by_name.get(name)
        if found is None:
            scientific = scientific_name(parent)
            rank = proposed_rank("", parent)  # not in the list: its form may tell that it is a family
            found = Taxon(category=name, scientific_name=scientific, rank=rank)
        yield found
        parent = found.parent
