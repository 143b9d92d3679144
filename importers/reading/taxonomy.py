"""Taxonomies as Wildlife Insights and SpeciesNet write them: an id, five ranks and a common name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.records import Taxon
from pipeline.vocabulary import category_of, meaning_of

RANKS = ("class", "order", "family", "genus", "species")
_NO_VALUE = frozenset({"", "unknown", "na", "nan", "null", "none", "no cv result"})
_HUMAN = "Homo sapiens"


@dataclass(frozen=True)
class Taxonomy:
    """A taxon of their catalogue, or a word that is none, such as blank, animal or vehicle."""

    id: str
    ranks: Mapping[str, str]  # those that are named, from class to species, in any letter case
    common_name: str

    @classmethod
    def of(cls, id_: str, ranks: Mapping[str, str], common_name: str) -> Taxonomy:
        """The taxonomy of these texts, of which some are empty or say that they are not known."""
        named = {rank: " ".join(ranks[rank].split()) for rank in RANKS if _is_named(ranks.get(rank, ""))}
        return cls(id=id_.strip(), ranks=named, common_name=" ".join(common_name.split()))

    @cached_property
    def scientific_name(self) -> str | None:
        """The name of the lowest rank, as scientists write it; None without any rank."""
        genus, species = self.ranks.get("genus"), self.ranks.get("species")
        if genus is not None and species is not None:
            return f"{genus.capitalize()} {species.lower()}"
        return next(
            (self.ranks[rank].capitalize() for rank in reversed(RANKS[:-1]) if rank in self.ranks), None
        )

    @cached_property
    def category(self) -> str | None:
        """The category that it names: the common name, else the scientific one; None if it names none."""
        if self.scientific_name == _HUMAN:
            return category_of("human")  # whatever he does: Wildlife Insights knows camera trappers, hunters
        has_name = _is_named(self.common_name)
        return category_of(self.common_name if has_name else self.scientific_name or self.common_name)

    def taxon(self, source: str) -> Taxon | None:
        """What `source` says of its category as a taxon; None for people, and for what is no taxon."""
        if self.category is None or self.scientific_name is None or meaning_of(self.category) is not None:
            return None
        lineage = {rank: name.capitalize() for rank, name in self.ranks.items() if rank != "species"}
        rank = next(rank for rank in reversed(RANKS) if rank in lineage or self._is_species(rank))
        above = [lineage[higher] for higher in RANKS[: RANKS.index(rank)] if higher in lineage]
        return Taxon(
            category=self.category,
            scientific_name=self.scientific_name,
            rank=rank,
            parent=above[-1] if above else None,
            taxon_id=self.id or None,
            vernacular_names=self._vernacular_names(),
            lineage=lineage,
            source=source,
        )

    def _vernacular_names(self) -> dict[str, str]:
        """The common name, unless it repeats the scientific one, as in "Cervidae family"."""
        begins_alike = self.common_name.lower().startswith((self.scientific_name or "").lower())
        return {"eng": self.common_name} if _is_named(self.common_name) and not begins_alike else {}

    def _is_species(self, rank: str) -> bool:
        return rank == "species" and "genus" in self.ranks and "species" in self.ranks


def taxonomy_of(text: str) -> Taxonomy | None:
    """The taxonomy of `uuid;class;order;family;genus;species;common name`; None for every other text.

    The five ranks alone are read as well.
    """
    parts = text.split(";")
    if len(parts) == len(RANKS):
        return Taxonomy.of("", dict(zip(RANKS, parts, strict=True)), "")
    if len(parts) != len(RANKS) + 2:
        return None
    return Taxonomy.of(parts[0], dict(zip(RANKS, parts[1:-1], strict=True)), parts[-1])


def class_category(text: str) -> str | None:
    """The category that a class of a model names: by its taxonomy if it is one, else by its own words."""
    taxonomy = taxonomy_of(text)
    return category_of(text) if taxonomy is None else taxonomy.category


def _is_named(text: str) -> bool:
    return " ".join(text.split()).lower() not in _NO_VALUE
