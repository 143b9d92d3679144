"""The `deployment_manifest.xml` of eMammal, read as a stream.

Manifests are untrusted. They are parsed by expat, and a document type is refused: it could define entities
that expand to huge texts or read other files.
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

_ORDER = re.compile(r"\d{1,9}", re.ASCII)
_ORDER_IN_NAME = re.compile(r"(?<=i)\d{1,9}", re.ASCII)
_BLOCK = 64 * 1024

_SEQUENCE = ("ImageSequence",)
_IMAGE = (*_SEQUENCE, "Image")
_SPECIES = (*_SEQUENCE, "ResearcherIdentifications", "Identification", "SpeciesCommonName")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One `Image`: the texts of its elements, empty if absent."""

    id: str = ""
    file_name: str = ""
    order: str = ""
    time: str = ""


@dataclass(kw_only=True)
class ManifestSequence:
    """One `ImageSequence`."""

    id: str = ""
    species: list[str] = field(default_factory=list)  # categories, each once, in the order of the manifest
    frames: list[Frame] = field(default_factory=list)


@dataclass(kw_only=True)
class Header:
    """The elements of a manifest that describe the whole deployment."""

    project: str = ""
    deployment: str = ""
    site: str = ""


def category(tag: str) -> str:
    """The category of a tag: HUMAN for people, EMPTY if nothing is there, else its own name."""
    meaning = meaning_of(tag)
    if meaning is Meaning.HUMAN:
        return HUMAN
    return EMPTY if meaning is Meaning.BLANK else category_name(tag)


def parse_time(text: str) -> dt.datetime | None:
    """The camera's clock, also as month/day/year; None if the text is not a plausible time."""
    try:
        return parse_clock_time(text, month_first=True).replace(tzinfo=None)
    except ValueError:
        return None


def in_order(frames: list[Frame]) -> list[Frame]:
    """Frames by ImageOrder, else by the number after `i` in the name; frames without either come last."""
    return sorted(frames, key=_order)


def sequences(path: Path, header: Header) -> Iterator[ManifestSequence]:
    """Every sequence of the manifest; `header` is complete after the last.

    Raises SourceError, naming the line, if the file is not XML, cut short, or suspicious.
    """
    parser = _Parser(header)
    shown = as_text(str(path))
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield from parser.feed(block)
            yield from parser.end()
    except OSError as exc:
        raise SourceError(f"{shown} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except (expat.ExpatError, ValueError, LookupError) as exc:
        where = f", line {parser.line}" if isinstance(exc, _Refused) else ""
        raise SourceError(
            f"{shown} is not a manifest, or is cut short: {exc}{where}",
            remedy="download the deployment again",
        ) from exc


class _Refused(ValueError):
    """The document has something that no manifest has."""


class _Parser:
    """Turns the calls of expat into sequences. Paths of elements start below the root element."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._sequence = ManifestSequence()
        self._image: dict[str, str] = {}
        self._complete: list[ManifestSequence] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    @property
    def line(self) -> int:
        """The line that was parsed last."""
        return self._parser.CurrentLineNumber

    def feed(self, block: bytes) -> list[ManifestSequence]:
        """The sequences that this block completes."""
        self._parser.Parse(block, False)
        return self._completed()

    def end(self) -> list[ManifestSequence]:
        """The sequences that the end of the document completes."""
        self._parser.Parse(b"", True)
        return self._completed()

    def _completed(self) -> list[ManifestSequence]:
        complete, self._complete = self._complete, []
        return complete

    def _doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type, which no manifest does")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        self._text, self._length = [], 0
        if len(self._path) > MOST_DEPTH:
            raise _Refused(f"its elements are more than {MOST_DEPTH} deep")
        below = tuple(self._path[1:])
        if below == _SEQUENCE:
            self._sequence = ManifestSequence()
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
            self._complete.append(self._sequence)
        elif below == _IMAGE:
            self._add_image()
        elif below[:-1] == _IMAGE:
            self._image.setdefault(below[-1], text)
        elif below == _SPECIES:
            named = category(text)
            if named and named not in self._sequence.species:
                self._sequence.species.append(named)
        elif below == (*_SEQUENCE, "ImageSequenceId"):
            self._sequence.id = self._sequence.id or text
        elif below == ("ProjectId",):
            self._header.project = self._header.project or text
        elif below == ("CameraDeploymentID",):
            self._header.deployment = self._header.deployment or text
        elif below == ("CameraSiteName",):
            self._header.site = self._header.site or text

    def _add_image(self) -> None:
        if len(self._sequence.frames) >= MOST_FRAMES:
            raise _Refused(f"a sequence has more than {MOST_FRAMES} images")
        self._sequence.frames.append(
            Frame(
                id=self._image.get("ImageId", ""),
                file_name=self._image.get("ImageFileName", ""),
                order=self._image.get("ImageOrder", ""),
                time=self._image.get("ImageDateTime", ""),
            )
        )


def _order(frame: Frame) -> float:
    name = frame.file_name.replace("\\", "/").rpartition("/")[2]
    match = _ORDER.fullmatch(frame.order) or _ORDER_IN_NAME.search(name)
    return int(match[0]) if match else float("inf")
