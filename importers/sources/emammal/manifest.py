"""`deployment_manifest.xml` of eMammal, read as a stream.

Such files come from anywhere. They are read by expat itself, and one that declares a document type is
refused: without it there are no entities, so none that expand or that name other files.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from importers.reading.clocks import parse_clock_time
from importers.reading.paths import as_text
from pipeline.errors import SourceError
from pipeline.records import EMPTY, category_name
from pipeline.vocabulary import Meaning, meaning_of

NAME = "deployment_manifest.xml"
HUMAN = "human"
MOST_TEXT = 64 * 1024  # characters in one field
MOST_DEPTH = 64
MOST_FRAMES = 100_000  # photographs in one sequence

# Tags of eMammal's own that name no species, punctuation aside, with the misspellings that occur.
_PEOPLE = frozenset(
    {
        "calibration photos",
        "camera trappe",
        "camera trapper",
        "camera trappper",
        "human non staff",
        "setup pickup",
    }
)
_BLANK = "time lapse"  # the camera took it by the clock

_ORDER = re.compile(r"\d{1,9}", re.ASCII)
_ORDER_IN_NAME = re.compile(r"(?<=i)\d{1,9}", re.ASCII)
_BLOCK = 64 * 1024

_SEQUENCE = ("ImageSequence",)
_IMAGE = (*_SEQUENCE, "Image")
_SPECIES = (*_SEQUENCE, "ResearcherIdentifications", "Identification", "SpeciesCommonName")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One `Image`: the texts as they stand, empty where absent."""

    id: str = ""
    file_name: str = ""
    order: str = ""
    time: str = ""


@dataclass(kw_only=True)
class Burst:
    """One `ImageSequence`."""

    id: str = ""
    species: list[str] = field(default_factory=list)  # categories, each once, in the manifest's order
    frames: list[Frame] = field(default_factory=list)


@dataclass(kw_only=True)
class Header:
    """What a manifest says of its whole deployment."""

    project: str = ""
    deployment: str = ""
    site: str = ""


def category(tag: str) -> str:
    """The category of a tag: HUMAN for people, EMPTY if nothing is there, else its own name."""
    plain = " ".join(re.split(r"[\s,\-_/]+", tag.strip().lower()))
    if plain in _PEOPLE or meaning_of(plain) is Meaning.HUMAN:
        return HUMAN
    return EMPTY if plain == _BLANK or meaning_of(plain) is Meaning.BLANK else category_name(tag)


def moment(text: str) -> dt.datetime | None:
    """The camera's clock, also as month/day/year; None if the text is not a plausible time."""
    try:
        return parse_clock_time(text, month_first=True).replace(tzinfo=None)
    except ValueError:
        return None


def in_order(frames: list[Frame]) -> list[Frame]:
    """By ImageOrder, else by the number after `i` in the name; those without either come last."""
    return [frame for _, _, frame in sorted((_order(one), at, one) for at, one in enumerate(frames))]


def bursts(path: Path, header: Header) -> Iterator[Burst]:
    """Every sequence of the manifest; `header` is filled by the time the last has come.

    Raises SourceError, naming the line, where the file is no XML, cut short, or not to be trusted.
    """
    reading = _Reading(header)
    shown = as_text(str(path))
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield from reading.feed(block)
            yield from reading.end()
    except OSError as exc:
        raise SourceError(f"{shown} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except (expat.ExpatError, ValueError, LookupError) as exc:
        where = f", line {reading.line}" if isinstance(exc, _Refused) else ""
        raise SourceError(
            f"{shown} is no manifest, or cut short: {exc}{where}", remedy="fetch the deployment again"
        ) from exc


class _Refused(ValueError):
    """The document is not what a manifest may be."""


class _Reading:
    """Turns expat's calls into bursts. The path of an element is counted from below the root."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._burst = Burst()
        self._image: dict[str, str] = {}
        self._done: list[Burst] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    def feed(self, block: bytes) -> list[Burst]:
        self._parser.Parse(block, False)
        return self._taken()

    def end(self) -> list[Burst]:
        self._parser.Parse(b"", True)
        return self._taken()

    def _taken(self) -> list[Burst]:
        done, self._done = self._done, []
        return done

    def _doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type, which manifests do not")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        self._text, self._length = [], 0
        if len(self._path) > MOST_DEPTH:
            raise _Refused(f"its elements lie more than {MOST_DEPTH} deep")
        below = tuple(self._path[1:])
        if below == _SEQUENCE:
            self._burst = Burst()
        elif below == _IMAGE:
            self._image = {}

    def _characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > MOST_TEXT:
            raise _Refused(f"a field has more than {MOST_TEXT} characters")
        self._text.append(text)

    def _end(self, name: str) -> None:
        below = tuple(self._path[1:])
        text = "".join(self._text).strip()
        self._path.pop()
        self._text, self._length = [], 0
        if below == _SEQUENCE:
            self._done.append(self._burst)
        elif below == _IMAGE:
            self._take_image()
        elif below[:-1] == _IMAGE:
            self._image.setdefault(below[-1], text)
        elif below == _SPECIES:
            named = category(text)
            if named and named not in self._burst.species:
                self._burst.species.append(named)
        elif below == (*_SEQUENCE, "ImageSequenceId"):
            self._burst.id = self._burst.id or text
        elif below == ("ProjectId",):
            self._header.project = self._header.project or text
        elif below == ("CameraDeploymentID",):
            self._header.deployment = self._header.deployment or text
        elif below == ("CameraSiteName",):
            self._header.site = self._header.site or text

    def _take_image(self) -> None:
        if len(self._burst.frames) >= MOST_FRAMES:
            raise _Refused(f"a sequence has more than {MOST_FRAMES} images")
        self._burst.frames.append(
            Frame(
                id=self._image.get("ImageId", ""),
                file_name=self._image.get("ImageFileName", ""),
                order=self._image.get("ImageOrder", ""),
                time=self._image.get("ImageDateTime", ""),
            )
        )


def _order(frame: Frame) -> float:
    name = frame.file_name.replace("\\", "/").rpartition("/")[2]
    found = _ORDER.fullmatch(frame.order) or _ORDER_IN_NAME.search(name)
    return int(found[0]) if found else float("inf")
