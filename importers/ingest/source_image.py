"""One photograph as a source describes it, before its file is read, and the options of an import."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from importers.detectors.detector import DetectedBox
from importers.reading.names import normal
from pipeline.crops import CONTEXT, CROP_SIDE
from pipeline.errors import SourceError
from pipeline.identity import json_digest
from pipeline.records import OBSERVATION_TYPE, Level, Role, SourceLabel, category_name
from pipeline.vocabulary import Meaning, category_of, meaning_of, names_no_species


@dataclass(frozen=True, kw_only=True)
class SourceDetections:
    """The boxes that a source has for a photograph."""

    detector: str  # the id of the detector that found them
    boxes: tuple[DetectedBox, ...]


def detections_of(
    detector: str, boxes: Iterable[DetectedBox], unread: float | None, threshold: float
) -> SourceDetections | None:
    """What a detector found; None if that is not known, so that nothing calls the photograph empty.

    It is not if a box that cannot be read, with a confidence of `unread`, may be the only one that reaches
    the threshold.
    """
    boxes = tuple(boxes)
    if unread is not None and unread >= threshold and all(box.confidence < threshold for box in boxes):
        return None
    return SourceDetections(detector=detector, boxes=boxes)


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """One photograph of a source. What is None here comes from the file or its name."""

    file_name: str  # below the imported folder, in the form of `ImageRoot.name_of`
    path: str  # of the file: a local path, or a URL that fsspec reads
    detections: SourceDetections | None = None  # None: the detector of the import, if any, finds boxes
    labels: tuple[SourceLabel, ...] = ()  # of the whole photograph or its sequence
    source_name: str | None = None  # as the source writes it; None: like file_name
    source_id: str | None = None  # the source's id of it
    width: int | None = None  # pixels, until the file is read
    height: int | None = None
    not_at: str | None = None  # where its file was looked for first; a failure of `path` begins with that
    failure: tuple[str, str] | None = None  # kind and detail, if the source shows that it cannot be used
    location: str | None = None
    datetime: dt.datetime | None = None  # the camera's clock, without a time zone
    seq_id: str | None = None
    frame_num: int | None = None
    seq_num_frames: int | None = None
    deployment_id: str | None = None
    video: str | None = None  # of a frame of a video, see records.ImageRecord
    video_frame: int | None = None
    video_frame_rate: float | None = None
    source: str | None = None  # provenance of `details`
    details: Mapping[str, Any] | None = None  # further columns of the source


def former_paths(source_image: SourceImage) -> set[str]:
    """Where an earlier import may have stored the photograph under a name in another form.

    Earlier versions kept the `./` that names begin with. A name that was outside may be one below the folder
    by now.
    """
    path, name = source_image.path, source_image.file_name
    written = source_image.source_name or name
    slashed = written.replace("\\", "/")
    folder = path.removesuffix(name)
    return {f"{folder}{other}" for other in (f"./{name}", written, slashed, normal(slashed))} - {path}


def interpreted(label: SourceLabel) -> SourceLabel | None:
    """The label with the category that its word means: EMPTY for "blank", none for "unknown".

    None if the label says nothing: nobody classified, or it is of a box and names no species. Such a word
    for a photograph or a sequence still says that something is there.
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


def distinct(labels: Iterable[SourceLabel]) -> tuple[SourceLabel, ...]:
    """The labels of a photograph, with a key for a second one of a species: it is of other individuals."""
    kept: list[SourceLabel] = []
    seen: set[str] = set()
    for place, label in enumerate(labels):
        name = category_name(label.category or "")
        kept.append(replace(label, key=str(place)) if name in seen else label)
        seen.add(name)
    return tuple(kept)


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What an import keeps of a source, and how it cuts crops."""

    threshold: float = 0.2  # least confidence of a detection
    keep: frozenset[str] = frozenset({"animal"})  # categories of the detector
    crop_side: int = CROP_SIDE  # pixels: the largest side of a stored crop
    context: float = CONTEXT  # side of a crop over the longer side of its box
    gap: float = 60.0  # seconds: the longest gap within a sequence
    location_pattern: str | None = None  # None: locations come from the source, or from folders
    strip_prefix: str | None = None  # what the source's file names have in front of the name below the folder
    exif_time: bool = True
    role: Role = Role.TARGET
    rows_only: bool = False  # read no photograph: the same import without this cuts the crops later
    variant: str = ""  # names further options of a source that change its boxes
    workers: int | None = None  # threads; None: one for each core

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise SourceError(
                f"the threshold is {self.threshold}", remedy="choose a confidence between 0 and 1"
            )
        if not self.keep:
            raise SourceError("no category is kept", remedy="keep at least one, such as animal")
        if self.crop_side < 16 or self.context < 1.0 or self.gap < 0.0:
            raise SourceError(
                "crops must have at least 16 pixels, a context of at least 1 and a time gap of at least 0",
                remedy="correct the option",
            )

    def scan(self, detector: str) -> str:
        """Identifies a scan of a photograph: its detector and what is kept of the boxes.

        An import with a lower threshold or more categories scans again and adds what it keeps.
        """
        return f"{detector}@{self._kept}"

    @cached_property
    def _kept(self) -> str:
        kept = [self.threshold, sorted(self.keep), *([self.variant] if self.variant else [])]
        return json_digest(kept, size=4)
