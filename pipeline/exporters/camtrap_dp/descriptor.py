"""datapackage.json."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.camtrap_dp import HIGHER_RANKS, LEVELS, RANKS, STANDARD, TABLES
from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.metadata import Metadata
from pipeline.exporters.camtrap_dp.observation import utc
from pipeline.exporters.source import ExportSource
from pipeline.records import Taxon

_LANGUAGE = re.compile(r"[a-z]{3}")  # ISO 639-3
_PRECISION = 1e-6  # degrees: about a hand's breadth


@dataclass(kw_only=True)
class Written:
    """What the tables of a package hold."""

    deployments: Sequence[ExportedDeployment]
    species: set[str] = field(default_factory=set)  # scientific names
    levels: set[str] = field(default_factory=set)
    has_individuals: bool = False

    def add(self, observation: Mapping[str, str]) -> None:
        """Add a row of the table of observations."""
        self.levels.add(observation["observationLevel"])
        self.has_individuals |= bool(observation.get("individualID"))
        if observation.get("scientificName"):
            self.species.add(observation["scientificName"])


def descriptor(source: ExportSource, metadata: Metadata, written: Written) -> dict[str, Any]:
    """The content of datapackage.json: what the packages of an export say, as far as it still holds."""
    base, settings = metadata.base, metadata.settings
    title = settings.title or base.get("title") or source.title or "Camera traps"
    named = title if settings.title else base.get("name") or title
    name = re.sub(r"[^a-z0-9._/]+", "-", str(named).lower()).strip("-") or "wildloop"
    about = {
        **base,
        "resources": [*map(_resource, TABLES), *metadata.resources],
        "profile": f"{STANDARD}/camtrap-dp-profile.json",
        "name": name,
        "created": utc(source.created),
        "title": None if metadata.is_whole and not settings.title and not base.get("title") else title,
        "contributors": metadata.contributors,
        "sources": _sources(base, metadata) or None,
        "licenses": metadata.licences or None,
        "project": _project(metadata, written, title),
        "spatial": _spatial(base, metadata, written.deployments),
        "temporal": _temporal(base, metadata, written.deployments),
        "taxonomic": list(_taxonomic(base, source.taxa.values(), written.species)),
    }
    filled = ("title", "sources", "licenses")
    return {name: value for name, value in about.items() if value is not None or name not in filled}


def _resource(table: str) -> dict[str, str]:
    return {
        "name": table,
        "path": f"{table}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{STANDARD}/{table}-table-schema.json",
    }


def _sources(base: Mapping[str, Any], metadata: Metadata) -> list[Any]:
    """The platforms that the data come from; Wildloop only if it added anything."""
    given = base.get("sources")
    listed = list(given) if isinstance(given, list) else []
    own = {"title": "Wildloop"}
    adds = metadata.others or metadata.answered or not metadata.packages
    return [*listed, own] if adds and own not in listed else listed


def _project(metadata: Metadata, written: Written, title: str) -> dict[str, Any]:
    project = metadata.project
    levels = project.get("observationLevel")
    found = sorted(written.levels or {"media"})
    is_same = isinstance(levels, list) and (sorted(map(str, levels)) == found or not written.levels)
    return {
        **project,
        "title": project.get("title") or title,
        "individualAnimals": project["individualAnimals"] or written.has_individuals,
        "observationLevel": levels if is_same else [each for each in LEVELS if each in found],
    }


def _spatial(
    base: Mapping[str, Any], metadata: Metadata, deployments: Sequence[ExportedDeployment]
) -> dict[str, Any]:
    """The area of the only package if all deployments are in it.

    Else their bounding box as GeoJSON, or their points if the box has no area.
    """
    records = [deployment.record for deployment in deployments]
    places = sorted({(record.longitude or 0.0, record.latitude or 0.0) for record in records})
    west, east = places[0][0], places[-1][0]
    south, north = min(place[1] for place in places), max(place[1] for place in places)
    given = base.get("spatial")
    if isinstance(given, dict) and metadata.is_whole:
        inside = list(_positions(given.get("coordinates")))
        if inside and all(
            min(each[axis] for each in inside) - _PRECISION <= least
            and most <= max(each[axis] for each in inside) + _PRECISION
            for axis, (least, most) in enumerate(((west, east), (south, north)))
        ):
            return given
    if west == east or south == north:
        return {"type": "MultiPoint", "coordinates": [list(place) for place in places]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _positions(coordinates: Any) -> Iterator[Sequence[float]]:
    """The positions of a geometry of GeoJSON, however deep."""
    if not isinstance(coordinates, list):
        return
    if len(coordinates) >= 2 and all(isinstance(each, int | float) for each in coordinates):
        yield coordinates
        return
    for each in coordinates:
        yield from _positions(each)


def _temporal(
    base: Mapping[str, Any], metadata: Metadata, deployments: Sequence[ExportedDeployment]
) -> dict[str, Any]:
    """The period of the only package if all deployments are in it, else theirs."""
    start = min(deployment.started for deployment in deployments).date().isoformat()
    end = max(deployment.ended for deployment in deployments).date().isoformat()
    given = base.get("temporal")
    if isinstance(given, dict) and metadata.is_whole:
        first, last = given.get("start"), given.get("end")
        if isinstance(first, str) and isinstance(last, str) and first <= start and end <= last:
            return given
    return {"start": start, "end": end}


def _taxonomic(
    base: Mapping[str, Any], taxa: Iterable[Taxon], species: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """An entry for each scientific name in the observations, in the order of the packages."""
    listed = base.get("taxonomic")
    entries = {
        str(entry["scientificName"]).strip(): entry
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, Mapping) and entry.get("scientificName")
    }
    known = {taxon.scientific_name: taxon for taxon in taxa if taxon.scientific_name}
    names = {*species}
    for name in [*(name for name in entries if name in names), *sorted(names - entries.keys())]:
        yield _entry(name, known[name]) if name in known else {"scientificName": name}


def _entry(name: str, taxon: Taxon) -> dict[str, Any]:
    """A taxon as the standard writes it: ranks and languages that it does not know are left out."""
    vernacular = {
        language: text for language, text in taxon.vernacular_names.items() if _LANGUAGE.fullmatch(language)
    }
    rank = taxon.rank.lower() if taxon.rank else None
    entry = {
        "scientificName": name,
        "taxonID": taxon.taxon_id,
        "taxonRank": rank if rank in RANKS else None,
        **{rank: taxon.lineage.get(rank) for rank in HIGHER_RANKS},
        "vernacularNames": vernacular or None,
        **taxon.details,
    }
    return {key: value for key, value in entry.items() if value is not None}
