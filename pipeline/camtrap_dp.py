"""The Camtrap DP standard, version 1.0.2: its tables, and the values that each of their columns takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.records import EMPTY, LARGEST, Box
from pipeline.vocabulary import Meaning, meaning_of, names_no_species

STANDARD = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
DESCRIPTOR = "datapackage.json"
PROVENANCE = "camtrap-dp:"  # of what a package says, followed by its name
FILES = "wildloop:files"  # property of a stored descriptor: files of further resources, base64 by path
MISSING = frozenset({"", "NA", "NaN", "nan"})  # texts for a missing value

SAMPLING_DESIGNS = (
    *("simpleRandom", "systematicRandom", "clusteredRandom"),
    *("experimental", "targeted", "opportunistic"),
)
CAPTURE_METHODS = ("activityDetection", "timeLapse")
ROLES = ("contact", "principalInvestigator", "rightsHolder", "publisher", "contributor")
SCOPES = ("data", "media")  # of licences
HIGHER_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
RANKS = (*HIGHER_RANKS, "species", "subspecies")
LEVELS = ("media", "event")
TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
FILE_PATH = re.compile(r"^(?=^[^./~])(^((?!\.{2}).)*$).*$")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_MEDIA_TYPE = re.compile(r"(image|video|audio)/.*")
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_ROUNDING = 0.01  # a side of a box may be outside the frame by this


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column takes."""

    takes: Callable[[str], str | None]  # the text as the standard writes it; None if it is not taken
    says: str  # what a value must be, for people


def number_of(text: str) -> float | None:
    """The number that `text` writes, with a decimal point or comma; None if it is none."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def _text() -> Column:
    return Column(takes=lambda text: text, says="a text")


def _number(least: float = -math.inf, most: float = math.inf) -> Column:
    def takes(text: str) -> str | None:
        value = number_of(text)
        return text.replace(",", ".") if value is not None and least <= value <= most else None

    return Column(takes=takes, says=f"a number{_range(least, most)}")


def _whole(least: int, most: int = LARGEST) -> Column:
    def takes(text: str) -> str | None:
        value = number_of(text)
        return (
            str(int(value)) if value is not None and value.is_integer() and least <= value <= most else None
        )

    return Column(takes=takes, says=f"a whole number{_range(least, most)}")


def _range(least: float, most: float) -> str:
    if most in (math.inf, LARGEST):
        return f" of at least {least:g}"
    return f" from {least:g} to {most:g}"


def _choice(*choices: str) -> Column:
    by_key = {choice.lower(): choice for choice in choices}
    return Column(takes=lambda text: by_key.get(text.lower()), says=f"one of {', '.join(choices)}")


def _truth() -> Column:
    def takes(text: str) -> str | None:
        word = text.lower()
        return "true" if word in _TRUE else "false" if word in _FALSE else None

    return Column(takes=takes, says="true or false")


def _time() -> Column:
    return Column(takes=lambda text: text if has_standard_form(text) else None, says="a time with its zone")


def _matching(pattern: re.Pattern[str], says: str) -> Column:
    return Column(takes=lambda text: text if pattern.fullmatch(text) else None, says=says)


def has_standard_form(time: str) -> bool:
    """Whether a time is written as the standard demands: to the second, with its offset."""
    return _TIME.fullmatch(time) is not None


# fmt: off
TABLES: Mapping[str, Mapping[str, Column]] = {
    "deployments": {
        "deploymentID": _text(), "locationID": _text(), "locationName": _text(),
        "latitude": _number(-90, 90), "longitude": _number(-180, 180), "coordinateUncertainty": _whole(1),
        "deploymentStart": _time(), "deploymentEnd": _time(), "setupBy": _text(), "cameraID": _text(),
        "cameraModel": _text(), "cameraDelay": _whole(0), "cameraHeight": _number(0),
        "cameraDepth": _number(0), "cameraTilt": _whole(-90, 90), "cameraHeading": _whole(0, 360),
        "detectionDistance": _number(0), "timestampIssues": _truth(), "baitUse": _truth(),
        "featureType": _choice(
            "roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass",
            "roadBridge", "culvert", "burrow", "nestSite", "carcass", "waterSource", "fruitingTree",
        ),
        "habitat": _text(), "deploymentGroups": _text(), "deploymentTags": _text(),
        "deploymentComments": _text(),
    },
    "media": {
        "mediaID": _text(), "deploymentID": _text(), "captureMethod": _choice(*CAPTURE_METHODS),
        "timestamp": _time(), "filePath": _matching(FILE_PATH, "a path in the package or a URL"),
        "filePublic": _truth(), "fileName": _text(),
        "fileMediatype": _matching(_MEDIA_TYPE, "a media type such as image/jpeg"), "exifData": _text(),
        "favorite": _truth(), "mediaComments": _text(),
    },
    "observations": {
        "observationID": _text(), "deploymentID": _text(), "mediaID": _text(), "eventID": _text(),
        "eventStart": _time(), "eventEnd": _time(), "observationLevel": _choice(*LEVELS),
        "observationType": _choice(*TYPES), "cameraSetupType": _choice("setup", "calibration"),
        "scientificName": _text(), "count": _whole(1),
        "lifeStage": _choice("adult", "subadult", "juvenile"), "sex": _choice("female", "male"),
        "behavior": _text(), "individualID": _text(), "individualPositionRadius": _number(0),
        "individualPositionAngle": _number(-90, 90), "individualSpeed": _number(0),
        "bboxX": _number(0, 1), "bboxY": _number(0, 1), "bboxWidth": _number(1e-15, 1),
        "bboxHeight": _number(1e-15, 1), "classificationMethod": _choice("human", "machine"),
        "classifiedBy": _text(), "classificationTimestamp": _time(),
        "classificationProbability": _number(0, 1), "observationTags": _text(),
        "observationComments": _text(),
    },
}
# fmt: on
TIMES = frozenset(
    {"deploymentStart", "deploymentEnd", "timestamp", "eventStart", "eventEnd", "classificationTimestamp"}
)
FURTHER = (  # columns of an observation that describe the animal, whatever it is called
    *("cameraSetupType", "lifeStage", "sex", "behavior", "individualID", "individualPositionRadius"),
    *("individualPositionAngle", "individualSpeed", "observationTags", "observationComments"),
)
SIDES = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")


def category_of(kind: str, scientific_name: str | None) -> str | None:
    """The category, in any letter case, that an observation of this type names; None if it names none."""
    if kind == "animal":
        name = scientific_name or ""
        return None if names_no_species(name) or meaning_of(name) is Meaning.BLANK else name or None
    return {"human": "human", "vehicle": "vehicle", "blank": EMPTY}.get(kind)


def side_of(text: str) -> float | None:
    """A side of a box; None if it is out of the frame by more than a rounding."""
    value = number_of(text)
    return value if value is not None and -_ROUNDING <= value <= 1 + _ROUNDING else None


def box_of(row: Mapping[str, str]) -> Box | None:
    """The box of a row; what a rounding put outside the frame is cut off. None if there is no good one."""
    sides = [side for name in SIDES if (side := side_of(row.get(name, ""))) is not None]
    return Box.from_xywh(sides) if len(sides) == len(SIDES) else None


def paths_of(resource: Mapping[str, Any]) -> list[str]:
    """The paths and URLs of a resource; empty if its data are in the descriptor."""
    given = resource.get("path")
    paths = given if isinstance(given, list) else [given]
    return [path for path in paths if isinstance(path, str)]
