"""An answer or a label as an observation of the standard."""

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
_UNNAMED = (ANIMAL, HUMAN, VEHICLE, UNCLASSIFIED)  # types of labels without a category
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

    @property
    def what(self) -> tuple[str, str]:
        """The type and the species, which make observations equal whoever made them."""
        return self.kind, self.species or ""

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

    def __init__(self, taxa: Mapping[str, str] | None) -> None:
        """`taxa` is category to scientific name; a category that is not in it is written capitalised."""
        self._taxa = {category_name(category): name for category, name in (taxa or {}).items()}

    def of_detection(self, detection: LabelledDetection) -> Observation:
        """The observation of a box, by the detection's answer."""
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
            details={column: value for column, value in details.items() if _is_allowed(column, value)},
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
        name = self._taxa.get(category)
        meaning = meaning_of(category)
        if meaning is None:
            return ANIMAL, name or category[:1].upper() + category[1:]
        if meaning is Meaning.BLANK:
            return BLANK, None
        return meaning.value, name or ("Homo sapiens" if meaning is Meaning.HUMAN else None)


def _is_allowed(column: str, value: str) -> bool:
    """Whether the standard has this column and accepts the value."""
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


def utc(time: dt.datetime) -> str:
    """An aware time as the standard writes it."""
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
