"""The labels that came in with photographs -> a species list to start from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.exporters.labels_csv import safe
from pipeline.files.atomic import atomic_file
from pipeline.label_studio.species import SpeciesList, can_be_listed, parse_species
from pipeline.records import Taxon, category_name
from pipeline.store import occurrences, taxa
from pipeline.vocabulary import meaning_of
from pipeline.workspace import Workspace

ALL = "all"  # stands for every source
LEAST = 3  # photographs: a species on fewer may be a mistake of its source
COLUMNS = ("common_name", "scientific_name", "rank", "parent", "taxon_id", "photographs")
_MOST_SOURCES = 10  # named in an error


@dataclass(frozen=True, kw_only=True)
class ProposedSpecies:
    """A row of a proposed list."""

    names: tuple[str, ...]  # the choice, then its other common names
    photographs: int  # on which a source names it
    taxon: Taxon


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The species that sources name, most frequent first."""

    sources: tuple[str, ...]  # provenance of the labels
    species: tuple[ProposedSpecies, ...]
    rare: tuple[ProposedSpecies, ...]  # on fewer than LEAST photographs: comments of the list
    left_out: Mapping[str, int]  # names of no species, or that cannot be a choice, with their photographs

    @property
    def table(self) -> str:
        """The list as CSV, as `read_species` reads it."""
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, self.species))
        if self.rare:
            file.write(f"# on fewer than {LEAST} photographs; remove the # to offer one of them\n")
            writer.writerows(["#" + str(first), *others] for first, *others in map(_cells, self.rare))
        return file.getvalue()

    @property
    def listed(self) -> SpeciesList:
        """The list as `create_project` takes it."""
        return parse_species(self.table, f"the species of {', '.join(self.sources)}")

    def write(self, path: Path) -> None:
        """Write the table to `path`, unless it is there already.

        Raises SourceError if `path` has other content, which may be somebody's work, and FileError if the
        disk refuses.
        """
        if path.exists():
            if path.is_file() and path.read_bytes() == self.table.encode():
                return
            raise SourceError(
                f"{path} exists, and differs from what {', '.join(self.sources)} would give",
                remedy="use it with --species alone, or name another file with --species",
            )
        with atomic_file(path) as draft:
            draft.write_text(self.table, encoding="utf-8", newline="")


def propose_species(workspace: Workspace, source: str) -> Proposal:
    """The species that `source` names, with what is known of them as taxa.

    `source` is the provenance of labels, such as coco:ena24, what stands before its colon, or "all". Words
    that name no species are left out, and categories of one scientific name are one species. Raises
    SourceError, with the sources that there are, if none of this name has labels of species.
    """
    with workspace.database.read() as conn:
        every = occurrences.sources(conn)
        chosen = [name for name in every if _is_meant(name, source)]
        counted = occurrences.by_category(conn, chosen)
        known = {taxon.category: taxon for taxon in taxa.all(conn).values()}
    named = {name: number for name, number in counted.items() if _is_species(name)}
    if not named:
        raise SourceError(
            f"no label of {source!r} names a species",
            remedy=f"choose one of {', '.join(every[:_MOST_SOURCES])}, or {ALL}"
            if every
            else "import labels first, such as `wildloop import speciesnet`, or write the list yourself",
        )
    species = _united(named, known)
    frequent = tuple(each for each in species if each.photographs >= LEAST)
    return Proposal(
        sources=tuple(chosen),
        species=frequent or species,
        rare=tuple(each for each in species if each.photographs < LEAST) if frequent else (),
        left_out={name: number for name, number in counted.items() if name not in named},
    )


def _is_meant(name: str, source: str) -> bool:
    wanted = source.strip().lower()
    return wanted in (ALL, name.lower(), name.lower().partition(":")[0])


def _is_species(name: str) -> bool:
    return meaning_of(name) is None and can_be_listed(name) and safe(name) == name


def _united(counted: Mapping[str, int], known: Mapping[str, Taxon]) -> tuple[ProposedSpecies, ...]:
    """One species for each scientific name, or for each category without one; most frequent first."""
    groups: dict[str, list[str]] = {}
    for name in counted:
        scientific = known[name].scientific_name if name in known else None
        groups.setdefault(category_name(scientific or name), []).append(name)
    species, claimed = [], set(counted)
    for key, categories in groups.items():
        taxon = next((known[name] for name in categories if name in known), Taxon(category=categories[0]))
        names = [name for name in categories if name != key or taxon.scientific_name is None]
        vernacular = category_name(_english(taxon))
        if not names and vernacular not in claimed and can_be_listed(vernacular):
            claimed.add(vernacular)
            names = [vernacular]
        number = sum(counted[name] for name in categories)
        species.append(ProposedSpecies(names=tuple(names or categories), photographs=number, taxon=taxon))
    return tuple(sorted(species, key=lambda each: -each.photographs))


def _english(taxon: Taxon) -> str:
    """The English name, or the first in any language; blank if none is known."""
    names = taxon.vernacular_names
    return names.get("eng") or next(iter(names.values()), "")


def _cells(species: ProposedSpecies) -> Sequence[object]:
    taxon = species.taxon
    texts: Iterable[str | None] = (taxon.scientific_name, taxon.rank, taxon.parent, taxon.taxon_id)
    return [" | ".join(species.names), *map(safe, texts), species.photographs]
