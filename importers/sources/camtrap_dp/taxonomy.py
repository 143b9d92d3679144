"""The taxonomic coverage of a package as facts about categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from importers.reading.paths import as_text
from pipeline.camtrap_dp import HIGHER_RANKS
from pipeline.records import Taxon, category_name
from pipeline.vocabulary import Meaning, meaning_of

_KNOWN = ("scientificName", "taxonID", "taxonRank", "vernacularNames", *HIGHER_RANKS)


def taxa_of(descriptor: Mapping[str, Any], observed: Iterable[str], source: str) -> Iterator[Taxon]:
    """A taxon for each entry of `taxonomic`, and for each other name among those `observed`.

    A category of Wildloop is a scientific name in lower case; that of people is `human`.
    """
    listed = descriptor.get("taxonomic")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    taxa = [_taxon(entry, name, source) for entry in entries if (name := _name(entry)) is not None]
    yield from taxa
    known = {taxon.category for taxon in taxa}
    for name in observed:
        if category_name(name) not in known and meaning_of(name) is None:
            yield Taxon(category=category_name(name), scientific_name=name, source=source)


def _name(entry: Mapping[str, Any]) -> str | None:
    """The scientific name of an entry; None if there is none, or a word that names no animal."""
    name = _text(entry.get("scientificName"))
    return name if name is not None and meaning_of(name) in (None, Meaning.HUMAN) else None


def _taxon(entry: Mapping[str, Any], name: str, source: str) -> Taxon:
    names = entry.get("vernacularNames")
    return Taxon(
        category="human" if meaning_of(name) is Meaning.HUMAN else category_name(name),
        scientific_name=name,
        rank=_text(entry.get("taxonRank")),
        taxon_id=_text(entry.get("taxonID")),
        vernacular_names={
            key: text
            for key, given in (names.items() if isinstance(names, Mapping) else ())
            if (text := _text(given))
        },
        lineage={rank: text for rank in HIGHER_RANKS if (text := _text(entry.get(rank)))},
        details={key: value for key, value in entry.items() if key not in _KNOWN},
        source=source,
    )


def _text(value: Any) -> str | None:
    return as_text(value).strip() or None if isinstance(value, str) else None
