"""What a task asks about, as records: the input of the screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.records import Box, Purpose, TaskKind


@dataclass(frozen=True, kw_only=True)
class CropShown:
    """One crop on a screen, or with the kinds `frames` and `frame` one whole photograph."""

    detection_id: str
    crop: str  # address; of the reduced photograph with the kinds `frames` and `frame`
    frame: str  # address of the reduced photograph, with the box
    original: str | None = None  # address of the photograph as the camera took it
    place: str = ""
    time: str = ""  # "2026-05-02 03:14", by the camera's clock
    infrared: bool | None = None
    confidence: float | None = None  # the detector's, 0 to 1
    likeliest: tuple[tuple[str, float | None], ...] = ()  # up to five (word, probability), likeliest first
    box: Box | None = None  # in fractions of the photograph; drawn on it where people can change boxes


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A photograph of the crop's sequence."""

    url: str
    time: str = ""
    is_this: bool = False  # whether it is the crop's own photograph


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one task asks."""

    kind: TaskKind
    purpose: Purpose
    crops: tuple[CropShown, ...]  # one with the kinds `single` and `frame`
    suggested: str | None = None  # the word of a choice
    probability: float | None = None  # of `suggested`, 0 to 1
    version: str | None = None  # that suggests
    reason: str = ""  # why it is asked, for people
    count: int | None = None  # individuals in a sequence: the most crops of one photograph
    neighbours: tuple[Neighbour, ...] = ()  # in the order of time, with the crop's own photograph
    words: Mapping[str, str] = field(default_factory=dict)  # the choices of the project with their hotkeys
