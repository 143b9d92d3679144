"""The words of camera-trap data that name no species, as people and programs write them, and what they mean.

Case, spaces and punctuation make no difference: "No Animal" and "noanimal" are one. The words are
those of people's own lists, of MegaDetector, SpeciesNet and DeepFaune, and of the large public sets of LILA,
eMammal, Wildlife Insights and Zooniverse.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache

from pipeline.records import ANIMAL, EMPTY, PERSON, VEHICLE, category_name


class Meaning(StrEnum):
    """What such a word says of a crop or a photograph: the `observationType`s of Camtrap DP."""

    BLANK = "blank"  # there is nothing
    HUMAN = "human"
    VEHICLE = "vehicle"
    ANIMAL = "animal"  # of a species that is not named
    UNKNOWN = "unknown"  # somebody looked and cannot tell
    UNCLASSIFIED = "unclassified"  # nobody answered yet


_WORDS = {
    Meaning.BLANK: (
        *("empty", "blank", "blanks", "none", "nothing", "nil", "void", "background", "ghost"),
        *("nothing here", "nothing there", "nothing seen", "nothing visible", "nothing in image"),
        *("no animal", "no animals", "no animal present", "no animals present", "no wildlife", "no species"),
        *("no detection", "no detections", "no observation", "no observations", "not an animal"),
        *("empty image", "empty photo", "empty frame", "blank image", "blank photo", "blank frame"),
        *("false trigger", "false triggers", "false positive", "false positives", "false detection"),
        *("misfire", "camera misfire", "camera trap misfire", "malfunction", "camera malfunction"),
        "time lapse",  # eMammal's tag of photographs that the camera took by the clock
        *("vide", "leer", "leeg", "vacío", "vacio", "vazio", "vuoto"),
    ),
    Meaning.HUMAN: (
        *("human", "humans", "person", "persons", "people", "humain", "homo sapiens", "homo sapien"),
        *("hiker", "hikers", "hunter", "hunters", "cyclist", "cyclists", "pedestrian", "pedestrians"),
        # Of eMammal and Wildlife Insights: who sets the camera up. The misspellings occur.
        *("camera trapper", "camera trappper", "camera trappe", "camera trappers", "human non staff"),
        *("setup pickup", "calibration photo", "calibration photos"),
    ),
    Meaning.VEHICLE: (
        *("vehicle", "vehicles", "car", "cars", "truck", "trucks", "bus", "buses", "train", "van"),
        *("motorcycle", "motorcycles", "motorbike", "motorbikes", "bicycle", "bicycles", "bike", "bikes"),
        *("boat", "boats", "airplane", "tractor", "atv", "quad bike", "snowmobile", "véhicule", "vehicule"),
    ),
    Meaning.ANIMAL: (
        *("animal", "animals", "unknown animal", "unidentified animal", "unidentifiable animal"),
        *("animal unknown", "animal unidentified"),
    ),
    Meaning.UNKNOWN: (
        *("unknown", "unknowns", "unsure", "not sure", "unidentified", "unidentifiable", "unclassifiable"),
        *("unrecognizable", "unrecognisable", "undetermined", "indeterminate", "undefined", "indéfini"),
        *("unknown species", "unidentified species", "cannot identify", "cannot tell"),
    ),
    Meaning.UNCLASSIFIED: (
        *("unclassified", "not classified", "unlabeled", "unlabelled", "unprocessed"),
        *("no cv result", "no cv results", "n/a", "nan", "null"),
    ),
}
_SEPARATORS = re.compile(r"[\W_]+")
_NO_SPECIES = (Meaning.ANIMAL, Meaning.UNKNOWN, Meaning.UNCLASSIFIED)


def _key(text: str) -> str:
    return _SEPARATORS.sub("", unicodedata.normalize("NFC", text).casefold())


_MEANINGS = {_key(word): meaning for meaning, words in _WORDS.items() for word in words}


@lru_cache(maxsize=4096)
def meaning_of(text: str) -> Meaning | None:
    """What a word that names no species means; None for every other text.

    Punctuation alone is no name: "?" is unknown, and "-" no answer.
    """
    key = _key(text)
    if not key and text.strip() and text.isascii():
        return Meaning.UNKNOWN if "?" in text else Meaning.UNCLASSIFIED
    return _MEANINGS.get(key)


def names_no_species(text: str) -> bool:
    """Whether the word leaves the species open: an animal, unknown, unclassified."""
    return meaning_of(text) in _NO_SPECIES


def category_of(text: str) -> str | None:
    """The category that a source's word names: EMPTY for "blank", None for "unknown", else the name itself.

    The name is in lower case with single spaces. People and vehicles keep the name that the source uses.
    """
    meaning = meaning_of(text)
    if meaning is Meaning.BLANK:
        return EMPTY
    return None if meaning in _NO_SPECIES else category_name(text) or None


def kind_of(category: str) -> str:
    """What a detector calls a category: PERSON, VEHICLE, or ANIMAL for every other, EMPTY among them."""
    meaning = meaning_of(category)
    if meaning is Meaning.HUMAN:
        return PERSON
    return VEHICLE if meaning is Meaning.VEHICLE else ANIMAL
