"""What a source says of one photograph before its file is read, and how an import is done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property

from importers.detectors.detector import DetectedBox
from pipeline.errors import SourceError
from pipeline.identity import json_digest
from pipeline.images import CONTEXT, CROP_SIDE
from pipeline.records import OBSERVATION_TYPE, Level, Role, SourceLabel
from pipeline.vocabulary import Meaning, category_of, meaning_of, names_no_species


@dataclass(frozen=True, kw_only=True)
class SourceDetections:
    """Boxes that the source brings, and the id of the detector that found them."""

    detector: str
    findings: tuple[DetectedBox, ...]


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """One photograph of a source. What the source leaves None is learnt from the file or its name."""

    file_name: str  # below the imported folder, with forward slashes
    path: str  # where the file lies: a local path, or a URL that fsspec reads
    ready: SourceDetections | None = None  # None: the import's detector looks, where it has one
    labels: tuple[SourceLabel, ...] = ()  # of the whole photograph or its sequence
    source_id: str | None = None  # what the source calls it
    width: int | None = None  # pixels, used until the file itself is read
    height: int | None = None
    failure: tuple[str, str] | None = None  # kind and detail where the source itself rules it out
    location: str | None = None
    datetime: dt.datetime | None = None  # the camera's clock, no time zone
    seq_id: str | None = None
    frame_num: int | None = None
    seq_num_frames: int | None = None
    deployment_id: str | None = None


def understood(label: SourceLabel) -> SourceLabel | None:
    """The label with the category that its word means ("blank" is EMPTY); None if it says nothing.

    A word that names no species says nothing of a box. Of a photograph or a sequence it says that
    somebody looked and saw something, unless nobody classified it.
    """
    if label.category is None or meaning_of(label.category) is None:
        return label
    if names_no_species(label.category):
        meaning = meaning_of(label.category)
        if label.level is Level.BOX or meaning is Meaning.UNCLASSIFIED:
            return None
        seen = {OBSERVATION_TYPE: Meaning.ANIMAL.value} if meaning is Meaning.ANIMAL else {}
        return replace(label, category=None, details={**(label.details or {}), **seen} or None)
    return replace(label, category=category_of(label.category))


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What is kept of a source, and how it is cut."""

    threshold: float = 0.2  # least confidence of a detection
    keep: frozenset[str] = frozenset({"animal"})  # categories of the detector
    crop_side: int = CROP_SIDE  # pixels: the largest side of a stored crop
    context: float = CONTEXT  # side of a crop over the longer side of its box
    gap: float = 60.0  # seconds between two photographs of one sequence, at most
    location_pattern: str | None = None  # None: by folder
    exif_time: bool = True
    role: Role = Role.TARGET
    rows_only: bool = False  # read no photograph: crops are cut by a later import without this
    variant: str = ""  # what else a source was told that changes its boxes
    workers: int | None = None  # threads; None: one for each core

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise SourceError(f"a threshold of {self.threshold} is no confidence", remedy="from 0 to 1")
        if not self.keep:
            raise SourceError("no category is kept", remedy="name at least one, such as animal")
        if self.crop_side < 16 or self.context < 1.0 or self.gap < 0.0:
            raise SourceError(
                "crops are at least 16 pixels, their context at least 1, the time gap at least 0",
                remedy="correct the option",
            )

    def scan(self, detector: str) -> str:
        """Names a look at a photograph: by whom, and what was kept of it.

        An import with a lower threshold or more categories looks again, and adds what it then keeps.
        """
        return f"{detector}@{self._kept}"

    @cached_property
    def _kept(self) -> str:
        kept = [self.threshold, sorted(self.keep), *([self.variant] if self.variant else [])]
        return json_digest(kept, size=4)
