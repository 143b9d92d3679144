"""An answer or a label as an observation of the standard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.camtrap_dp import FURTHER, SIDES, TABLES, category_of
from pipeline.exporters.camtrap_dp.source_rows import Row, cells, number
from pipeline.exporters.source import Answer, Basis, LabelledDetection
from pipeline.records import (
    OBSERVATION_TYPE,
    UNCLASSIFIED,
    SourceLabel,
    Taxon,
    category_name,
)
from pipeline.vocabulary import Meaning, meaning_of

ANIMAL, HUMAN, VEHICLE, BLANK = "animal", "human", "vehicle", "blank"
UNKNOWN = "unknown"

_OF_DETECTORS = {"person": HUMAN, "vehicle": VEHICLE}
_UNNAMED = (ANIMAL, HUMAN, VEHICLE, UNCLASSIFIED)  # types of labels without a category
_IDS = ("observationID", "deploymentID", "mediaID", "observationLevel")
_ANSWER = (  # columns of who said what
    *("observationType", "scientificName"),
    *("classificationMethod", "classifiedBy", "classificationTimestamp", "classificationProbability"),
)
_STAYING = ("eventID", "eventStart", "eventEnd", "observationTags", *SIDES)  # whatever was seen
_PEOPLE = (Basis.PEOPLE, Basis.SOURCE)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was seen, who classified it, and with what probability."""

    kind: str  # observationType
    species: str | None = None  # scientificName
    is_machine: bool | None = None  # None if nobody classified it
    by: tuple[str, ...] = ()
    at: dt.datetime | None = None  # aware
    probability: float | None = None  # of a machine
    count: int | None = None  # individuals
    details: Mapping[str, str] = field(default_factory=dict)  # further columns from the source
    key: str = ""  # the id of this observation in the source
    came: bool = False  # whether a package says it in the same words

    @property
    def what(self) -> tuple[str, str]:
        """The type, and of animals the species, which make observations equal whoever made them."""
        return self.kind, (self.species or "") if self.kind == ANIMAL else ""

    def cells(self) -> dict[str, str]:
        """Its columns in the table of observations."""
        method = None if self.is_machine is None else ("machine" if self.is_machine else "human")
        return {
            "observationType": self.kind,
            "scientificName": self.species or "",
            "count": str(self.count) if self.count else "",
            "classificationMethod": method or "",
            "classifiedBy": ", ".join(self.by),
            "classificationTimestamp": utc(self.at) if self.at is not None else "",
            "classificationProbability": number(self.probability) if self.is_machine else "",
            **self.details,
        }


class Taxa:
    """Categories as scientific names."""

    def __init__(self, names: Mapping[str, str], known: Mapping[str, Taxon]) -> None:
        """`names` is category to scientific name, as the user gives it; `known` are the taxa in the store."""
        self._names = {category_name(category): name for category, name in names.items()}
        self._known = known
        self.unnamed: set[str] = set()  # categories that were written without a scientific name

    def name_of(self, category: str, came: str | None = None) -> str:
        """The scientific name of a category; `came` is the name by which a package calls it.

        The user's own names come first, then the species list's, then that of the package, then those of
        other sources. A category without any is written capitalised.
        """
        taxon = self._known.get(category)
        listed = taxon.scientific_name if taxon is not None else None
        of_list = listed if taxon is not None and taxon.source is None else None
        name = self._names.get(category) or of_list or came or listed
        if name is None:
            self.unnamed.add(category)
        return name or category[:1].upper() + category[1:]

    def of_row(self, row: Row, zone: dt.tzinfo, now: str | None = None) -> Observation:
        """The observation of a package's row as it came; times without a zone are on a clock in `zone`.

        `now` is the category that the store has of it: another one if its own was merged into that.
        """
        kind, species = row.get("observationType", "").lower(), row.get("scientificName")
        given = named_by(row)
        if given is not None:
            if now is not None and category_name(given) != category_name(now):
                kind, species = self._named(category_name(now))
            elif kind == ANIMAL:
                species = self.name_of(category_name(given), species)
        details = {
            **cells("observations", row, zone),
            "observationType": kind,
            "scientificName": species or "",
        }
        absent = [name for name in ("eventStart", "eventEnd") if not details[name]]
        return Observation(
            kind=kind,
            species=species,
            details={name: text for name, text in details.items() if name not in (*_IDS, *absent)},
            key=row.get("observationID", ""),
            came=True,
        )

    def renewed(self, answer: Observation, row: Row, zone: dt.tzinfo) -> Observation:
        """A later answer to the observation of a package's row: it keeps the id and what still holds."""
        old = self.of_row(row, zone)
        is_same = old.what == answer.what or (old.kind == answer.kind and not old.species)
        staying = old.details if is_same else _STAYING
        kept = {name: old.details[name] for name in staying if name in old.details and name not in _ANSWER}
        kept = {name: text for name, text in kept.items() if text or name == "eventID"}
        return replace(answer, details={**kept, **answer.details}, key=old.key)

    def of_detection(self, detection: LabelledDetection) -> Observation:
        """The observation of a box, by the detection's answer, with what people said of the animal."""
        return _described(self._of_detection(detection), detection.answer)

    def others_of(self, detection: LabelledDetection) -> list[Observation]:
        """The observations of further species in the box."""
        return [_described(self._observation(answer, count=1), answer) for answer in detection.answer.others]

    def _of_detection(self, detection: LabelledDetection) -> Observation:
        answer = detection.answer
        if answer.unsure:
            return Observation(kind=UNKNOWN, is_machine=False, by=answer.by, at=answer.at)
        if answer.basis is Basis.NONE or answer.category is None:
            kind = _OF_DETECTORS.get(detection.record.detector_category)
            if kind is None:
                return Observation(kind=UNCLASSIFIED)
            answer = Answer(
                basis=Basis.WEAK,
                category=kind,
                by=(detection.record.detector,),
                probability=detection.record.bbox_confidence,
            )
        return self._observation(answer, count=1)

    def of_whole(self, answer: Answer) -> Observation:
        """The observation of a photograph without boxes that people looked at."""
        if answer.basis is Basis.NONE:
            return Observation(kind=UNCLASSIFIED)
        if answer.category is None:
            return Observation(kind=UNKNOWN, is_machine=False, by=answer.by, at=answer.at)
        return self._observation(answer, count=None)

    def of_label(self, label: SourceLabel) -> Observation:
        """The observation of a whole photograph or sequence, by the label of a source."""
        answer = Answer(
            basis=Basis.WEAK if label.weak else Basis.SOURCE,
            category=label.category,
            by=(label.annotator or label.source,),
            probability=label.confidence,
            at=label.annotated_at,
        )
        observation = self._observation(answer, count=None)
        details = label.details or {}
        if label.category is None:
            kind = details.get(OBSERVATION_TYPE)
            observation = replace(observation, kind=kind if kind in _UNNAMED else UNKNOWN, species=None)
        return replace(
            observation,
            count=label.count if observation.kind != BLANK else None,
            details=_allowed(details),
            key=label.key,
        )

    def _observation(self, answer: Answer, count: int | None) -> Observation:
        kind, species = self._named(category_name(answer.category or ""))
        return Observation(
            kind=kind,
            species=species,
            is_machine=answer.basis not in _PEOPLE,
            by=answer.by,
            at=answer.at,
            probability=answer.probability,
            count=count if kind in (ANIMAL, HUMAN) else None,
        )

    def _named(self, category: str) -> tuple[str, str | None]:
        """The observationType and the scientific name of a category."""
        meaning = meaning_of(category)
        if meaning is None:
            return ANIMAL, self.name_of(category)
        if meaning is Meaning.BLANK:
            return BLANK, None
        name = self._names.get(category)
        return meaning.value, name or ("Homo sapiens" if meaning is Meaning.HUMAN else None)


def _described(observation: Observation, answer: Answer) -> Observation:
    """An observation with what people said beside the species: how many, and what describes the animal."""
    said = answer.attributes
    counted = {} if said.count is None or observation.count is None else {"count": str(said.count)}
    return replace(
        observation,
        count=observation.count and answer.individuals,
        details={**observation.details, **counted, **_allowed(said.columns)},
    )


def join(observations: dict[tuple[str, str], Observation], new: Observation) -> None:
    """Add an observation, by `what`; with an equal one it becomes one of people, or else of machines.

    That has the most individuals, the latest time and the highest probability.
    """
    old = observations.get(new.what)
    if old is None:
        observations[new.what] = new
        return
    counted = [each for each in (old, new) if not each.is_machine] or [old, new]
    times = [each.at for each in counted if each.at is not None]
    probabilities = [each.probability for each in counted if each.probability is not None]
    observations[new.what] = replace(
        counted[0],
        by=tuple(dict.fromkeys(name for each in counted for name in each.by)),
        at=max(times, default=None),
        probability=max(probabilities, default=None),
        count=max((each.count for each in (old, new) if each.count is not None), default=None),
    )


def without_period(observation: Observation) -> Observation:
    """An observation that takes its period from its photograph, whatever its source says."""
    period = ("eventStart", "eventEnd")
    kept = {name: text for name, text in observation.details.items() if name not in period}
    return replace(observation, details=kept)


def named_by(row: Row) -> str | None:
    """The category that a package's row names, any letter case; None if it names none."""
    return category_of(row.get("observationType", "").lower(), row.get("scientificName"))


def _allowed(details: Mapping[str, str]) -> dict[str, str]:
    """Those of a label's further columns that the standard has, with the values that it takes."""
    taken = {
        name: TABLES["observations"][name].takes(details[name])
        for name in ("scientificName", *FURTHER)
        if name in details
    }
    return {name: text for name, text in taken.items() if text is not None}


def utc(time: dt.datetime) -> str:
    """An aware time as the standard writes it."""
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
