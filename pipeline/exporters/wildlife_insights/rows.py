"""Deployments and identifications as rows of Wildlife Insights' batch upload."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.exporters.shown import Shown
from pipeline.exporters.wildlife_insights.columns import HUMAN, MACHINE, RANKS, WORDS
from pipeline.records import ANIMAL, OBSERVATION_TYPE, DeploymentRecord, Taxon
from pipeline.vocabulary import Meaning, meaning_of

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)  # of its catalogue
# Columns of other sources that mean the same.
_OF_DEPLOYMENTS = {"cameraID": "camera_id", "setupBy": "recorded_by", "cameraDelay": "quiet_period"}
_OF_CAMERAS = {"cameraModel": "model"}
_OF_OBSERVATIONS = {
    **{"lifeStage": "age", "individualID": "individual_id", "observationComments": "individual_animal_notes"},
    **{name: name for name in ("age", "sex", "uncertainty", "animal_recognizable", "markings")},
}
_CAPITALS = ("age", "sex")

Row = dict[str, str]


@dataclass(kw_only=True)
class Period:
    """When the photographs of a deployment were taken, by the camera's clock."""

    first: dt.datetime
    last: dt.datetime

    def add(self, time: dt.datetime) -> None:
        """Add a photograph."""
        self.first, self.last = min(self.first, time), max(self.last, time)


def deployment_row(record: DeploymentRecord, period: Period, project: str) -> Row:
    """The row of a deployment; without a period of its own, it has that of its photographs."""
    known = _known(_columns(record), _OF_DEPLOYMENTS)
    return known | {
        "project_id": project,
        "deployment_id": record.id,
        "placename": record.location,
        "longitude": "" if record.longitude is None else f"{record.longitude:.10g}",
        "latitude": "" if record.latitude is None else f"{record.latitude:.10g}",
        "start_date": stamp(record.started_at or min(period.first, record.ended_at or period.first)),
        "end_date": stamp(record.ended_at or max(period.last, record.started_at or period.last)),
    }


def camera_row(record: DeploymentRecord, project: str) -> Row | None:
    """The row of a deployment's camera; None if the camera is not known."""
    known = _known(_columns(record), _OF_DEPLOYMENTS | _OF_CAMERAS)
    return known | {"project_id": project} if "camera_id" in known else None


def identification(shown: Shown, taxon: Taxon | None) -> Row:
    """The columns of what is shown on a photograph, and by whom."""
    details = _known(shown.details, _OF_OBSERVATIONS)
    is_nothing = meaning_of(shown.category or "") is Meaning.BLANK
    count = "0" if is_nothing else str(shown.count or "")
    return {
        **_taxonomy(shown, taxon),
        "identified_by": MACHINE if shown.is_machine else ", ".join(shown.by),
        "number_of_objects": count,
        **{name: value.capitalize() if name in _CAPITALS else value for name, value in details.items()},
    }


def is_identified(shown: Shown) -> bool:
    """Whether it names something that the catalogue has: a taxon, or a word for animals, people, nothing."""
    return shown.category is not None or shown.details.get(OBSERVATION_TYPE) == ANIMAL


def stamp(time: dt.datetime) -> str:
    """A time of the camera's clock."""
    return time.isoformat(sep=" ", timespec="seconds")


def _taxonomy(shown: Shown, taxon: Taxon | None) -> Row:
    category = shown.category or ANIMAL
    meaning = meaning_of(category)
    if meaning is not None:
        id_, name = WORDS.get(meaning.value, ("", category.capitalize()))
        return {"wi_taxon_id": id_, "common_name": name, **(HUMAN if meaning is Meaning.HUMAN else {})}
    row = {"common_name": category[:1].upper() + category[1:]}
    if taxon is None:
        return row
    row |= {rank: name for rank, name in taxon.lineage.items() if rank in RANKS}
    words = (taxon.scientific_name or "").split()
    if len(words) > 1 and taxon.rank in (None, "species", "subspecies"):
        row |= {"genus": words[0], "species": " ".join(words[1:])}
    elif words and taxon.rank in RANKS:
        row[taxon.rank] = words[0]
    return row | {"wi_taxon_id": taxon.taxon_id if taxon.taxon_id and _ID.fullmatch(taxon.taxon_id) else ""}


def _columns(record: DeploymentRecord) -> Mapping[str, object]:
    """The further columns of a deployment; Camtrap DP keeps its row among the details."""
    details = record.details or {}
    row = details.get("deployments")
    return row if isinstance(row, Mapping) else details


def _known(details: Mapping[str, object], names: Mapping[str, str]) -> Row:
    """Further columns of a source under the names that Wildlife Insights has for them."""
    return {names.get(name, name): str(value) for name, value in details.items()}
