"""What classes of models and identifications of Wildlife Insights name: a category, and which taxon it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.records import Taxon, category_name
from pipeline.taxonomy import IN_STRINGS, from_lineage, taxon_of
from pipeline.vocabulary import Meaning, category_of, meaning_of

PEOPLE = "human"
RANKS = (*IN_STRINGS, "species")  # columns of Wildlife Insights
_NO_NAME = frozenset({"", "unknown", "na", "nan", "null", "none", "no cv result"})  # in these columns


@dataclass(frozen=True, kw_only=True)
class NamedClass:
    """What a class names."""

    category: str | None  # None: no species
    taxon: Taxon | None = None  # of the category, if it is one; people are none

    def taxon_by(self, source: str) -> Taxon | None:
        """The taxon, as `source` says."""
        return None if self.taxon is None else replace(self.taxon, source=source)


def class_of(text: str, description: str = "") -> NamedClass:
    """What a class of a model names.

    That is the common name of a taxonomy string (`id;class;...;common name`), else the scientific name in it,
    else the text itself. `description` may be such a string for a class with a plain name.
    """
    own, described = taxon_of(text), taxon_of(description)
    if own is not None:
        return _named(own.category, described or own, is_english=True)
    return _named(text if text.strip("; ") else "", described, is_english=False)


def class_of_columns(id_: str, ranks: Mapping[str, str], common_name: str) -> NamedClass:
    """What an identification of Wildlife Insights names; `ranks` are the columns RANKS."""
    lineage = {rank: ranks[rank].capitalize() for rank in IN_STRINGS if _is_name(ranks.get(rank, ""))}
    epithet = ranks.get("species", "") if _is_name(ranks.get("species", "")) else ""
    common = " ".join(common_name.split()) if _is_name(common_name) else ""
    taxon = from_lineage(lineage, epithet, common=common, taxon_id=id_)
    return _named("" if taxon is None else taxon.category, taxon, is_english=True)


def _named(name: str, taxon: Taxon | None, *, is_english: bool) -> NamedClass:
    """`is_english`: the name is of the catalogue of both, whose common names are English."""
    scientific = taxon.scientific_name if taxon is not None else None
    first, does, _ = name.partition("-")
    if meaning_of(scientific or "") is Meaning.HUMAN or (does and meaning_of(first.strip()) is Meaning.HUMAN):
        return NamedClass(category=PEOPLE)  # whatever they do: there are classes such as human-hunter
    category = category_of(name)
    if taxon is None or not taxon.lineage or category is None or meaning_of(category) is not None:
        return NamedClass(category=category)
    is_scientific = category.startswith(category_name(scientific or ""))  # as "Cervidae family" does
    names = {"eng": category} if is_english and not is_scientific else {}
    return NamedClass(category=category, taxon=replace(taxon, category=category, vernacular_names=names))


def _is_name(text: str) -> bool:
    return " ".join(text.split()).lower() not in _NO_NAME
