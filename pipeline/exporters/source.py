"""What every exporter writes: photographs with their detections, and the best answer for each detection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from pipeline.exporters.attributes import Attributes
from pipeline.records import DeploymentRecord, DetectionRecord, ImageRecord, SourceLabel, Taxon, Way


class Basis(StrEnum):
    """Where an answer comes from, best first."""

    PEOPLE = "people"  # annotators in Label Studio
    SOURCE = "source"  # people, in labels that came with the photographs
    MODEL = "model"  # the current version, above the export's threshold
    WEAK = "weak"  # a machine, in labels that came with the photographs
    NONE = "none"  # unclassified


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The category of a detection in an export."""

    basis: Basis
    category: str | None = None  # lower case, may be EMPTY; None if unclassified or unsure
    unsure: bool = False  # people looked and cannot tell
    by: tuple[str, ...] = ()  # annotators, or the source, or the model version
    probability: float | None = None  # of a machine, 0 to 1
    at: dt.datetime | None = None  # aware: when the answer was given
    way: Way | None = None  # how people gave it in Label Studio
    kept: bool | None = None  # whether people kept the suggestion; None: there was none
    attributes: Attributes = field(default_factory=Attributes)  # what people said beside the category

    @property
    def individuals(self) -> int:
        """How many the box holds: as many as people counted, or else one."""
        return self.attributes.count or 1

    @property
    def others(self) -> tuple[Answer, ...]:
        """The answers for further categories in the same box."""
        further = dict.fromkeys(name for name in self.attributes.also if name != self.category)
        return tuple(
            replace(self, category=name, unsure=False, kept=None, attributes=Attributes()) for name in further
        )


@dataclass(frozen=True, kw_only=True)
class LabelledDetection:
    """A detection and its answer."""

    record: DetectionRecord
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """A photograph, usable or not, with all its labels."""

    image: ImageRecord
    detections: tuple[LabelledDetection, ...] = ()  # by confidence, highest first
    labels: tuple[SourceLabel, ...] = ()  # of the whole photograph or its sequence, as the source gave them
    detectors: tuple[str, ...] = ()  # that looked at it, including those that found nothing
    # What people say of a photograph that machines call empty: that it is (EMPTY), or with Basis.NONE, that
    # there is something without a box yet. None: nobody looked, or boxes and people's labels tell.
    whole: Answer | None = None


class ExportSource(Protocol):
    """Everything that an export may need. Photographs are streamed; each call starts from the first one."""

    @property
    def title(self) -> str: ...

    @property
    def created(self) -> dt.datetime:
        """When the export began, aware, UTC."""

    @property
    def model_version(self) -> str | None:
        """The version whose predictions are used, if any."""

    @property
    def categories(self) -> Mapping[int, str]:
        """Every category by its number; 0 is EMPTY."""

    @property
    def taxa(self) -> Mapping[str, Taxon]:
        """What is known of categories as taxa, by the name of the category."""

    @property
    def packages(self) -> Mapping[str, Mapping[str, Any]]:
        """The descriptors of the packages that were imported, by their provenance, in that order."""

    @property
    def deployments(self) -> Mapping[str, DeploymentRecord]:
        """Those in the store, by id."""

    def photographs(self) -> Iterator[LabelledImage]:
        """In the order of location, sequence, frame and file name: a sequence's photographs come together."""


@dataclass(kw_only=True)
class ExportReport:
    """What was written."""

    path: str
    photographs: int = 0
    detections: int = 0
    answers: dict[Basis, int] = field(default_factory=dict)  # detections by basis
    notes: dict[str, int] = field(default_factory=dict)  # further remarks, each with a count

    def count(self, photograph: LabelledImage) -> None:
        """Count a photograph that was written."""
        self.photographs += 1
        self.detections += len(photograph.detections)
        for detection in photograph.detections:
            self.answers[detection.answer.basis] = self.answers.get(detection.answer.basis, 0) + 1

    def note(self, what: str, number: int = 1) -> None:
        """Count something that users should know."""
        self.notes[what] = self.notes.get(what, 0) + number
