"""What an answer or a label says, in the words of the standard."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.exporters.source import Answer, Basis, LabelledDetection
from pipeline.records import (
    OBSERVATION_TYPE,
    UNCLASSIFIED,
    SourceLabel,
    category_name,
)
from pipeline.vocabulary import Meaning, meaning_of

ANIMAL, HUMAN, VEHICLE, BLANK = "animal", "human", "vehicle", "blank"
UNKNOWN = "unknown"

_OF_DETECTORS = {"person": HUMAN, "vehicle": VEHICLE}
_UNNAMED = (ANIMAL, HUMAN, VEHICLE, UNCLASSIFIED)  # types that a label without a category may have
_CHOICES = {
    "cameraSetupType": ("setup", "calibration"),
    "lifeStage": ("adult", "subadult", "juvenile"),
    "sex": ("female", "male"),
}
_RANGES = {
    "individualPositionRadius": (0.0, math.inf),
    "individualPositionAngle": (-90.0, 90.0),
    "individualSpeed": (0.0, math.inf),
}
_TEXTS = ("scientificName", "behavior", "individualID", "observationTags", "observationComments")
_PEOPLE = (Basis.PEOPLE, Basis.SOURCE)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was seen, who says so, and how sure they are."""

    kind: str  # observationType
    species: str | None = None  # scientificName
    is_machine: bool | None = None  # None: nobody classified it
    by: tuple[str, ...] = ()
    at: dt.datetime | None = None  # aware
    probability: float | None = None  # of a machine
    count: int | None = None  # individuals
    details: Mapping[str, str] = field(default_factory=dict)  # further columns, as a source filled them
    key: str = ""  # the source's id of this observation

    @property
    def what(self) -> tuple[str, str]:
        """What was seen, whoever says so."""
        return self.kind, self.species or ""

    def cells(self) -> dict[str, str]:
        """Its columns of the observations table."""
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

    def __init__(self, taxa: Mapping[str, str] | None) -> None:
        """`taxa` is category to scientific name; a category that is not in it is its own, capitalised."""
        self._taxa = {category_name(category): name for category, name in (taxa or {}).items()}

    def of_detection(self, one: LabelledDetection) -> Observation:
        """What the answer to a detection says of its box."""
        answer = one.answer
        if answer.unsure:
            return Observation(kind=UNKNOWN, is_machine=False, by=answer.by, at=answer.at)
        if answer.basis is Basis.NONE or answer.category is None:
            kind = _OF_DETECTORS.get(one.record.detector_category)
            if kind is None:
                return Observation(kind=UNCLASSIFIED)
            found = Answer(
                basis=Basis.WEAK,
                category=kind,
                by=(one.record.detector,),
                probability=one.record.bbox_confidence,
            )
            return self._said(found, count=1)
        return self._said(answer, count=1)

    def of_label(self, label: SourceLabel) -> Observation:
        """What a source says of a whole photograph or sequence."""
        answer = Answer(
            basis=Basis.WEAK if label.weak else Basis.SOURCE,
            category=label.category,
            by=(label.annotator or label.source,),
            probability=label.confidence,
            at=label.annotated_at,
        )
        said = self._said(answer, count=None)
        details = label.details or {}
        if label.category is None:
            kind = details.get(OBSERVATION_TYPE)
            said = replace(said, kind=kind if kind in _UNNAMED else UNKNOWN, species=None)
        return replace(
            said,
            count=label.count if said.kind != BLANK else None,
            details={column: value for column, value in details.items() if _is_allowed(column, value)},
            key=label.key,
        )

    def _said(self, answer: Answer, count: int | None) -> Observation:
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
        name = self._taxa.get(category)
        meaning = meaning_of(category)
        if meaning is None:
            return ANIMAL, name or category[:1].upper() + category[1:]
        if meaning is Meaning.BLANK:
            return BLANK, None
        return meaning.value, name or ("Homo sapiens" if meaning is Meaning.HUMAN else None)


def _is_allowed(column: str, value: str) -> bool:
    """Whether the standard has this column for it, and takes the value."""
    if column in _CHOICES:
        return value in _CHOICES[column]
    if column in _RANGES:
        least, most = _RANGES[column]
        try:
            return math.isfinite(float(value)) and least <= float(value) <= most
        except ValueError:
            return False
    return column in _TEXTS


def number(value: float | None) -> str:
    """A number as a cell of a table."""
    return "" if value is None else f"{value:.10g}"


def utc(moment: dt.datetime) -> str:
    """An aware moment as the standard writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
