"""The words of camera-trap data that name no species, as people and programs write them, and what they mean.

Case, spaces, hyphens and underscores make no difference: "No Animal", "no-animal" and "NOANIMAL" are one.
"""

from __future__ import annotations

import re
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
        *("empty", "blank", "none", "nothing", "nothing here", "nothing there", "no animal", "no animals"),
        *("background", "false trigger", "misfire", "camera misfire"),
    ),
    Meaning.HUMAN: ("human", "humans", "person", "persons", "people", "homo sapiens", "homo sapien"),
    Meaning.VEHICLE: (
        *("vehicle", "vehicles", "car", "cars", "truck", "bus", "train", "motorcycle", "motorbike"),
        *("bicycle", "bike", "boat", "airplane"),
    ),
    Meaning.ANIMAL: (
        *("animal", "animals", "unknown animal", "unidentified animal", "unidentifiable animal"),
    ),
    Meaning.UNKNOWN: (
        *("unknown", "unsure", "unidentified", "unidentifiable", "unknown species", "unidentified species"),
        *("undetermined",),
    ),
    Meaning.UNCLASSIFIED: ("unclassified", "no cv result"),
}
_SEPARATORS = re.compile(r"[\s_-]+")
_NO_SPECIES = (Meaning.ANIMAL, Meaning.UNKNOWN, Meaning.UNCLASSIFIED)


def _key(text: str) -> str:
    return _SEPARATORS.sub("", text.lower())


_MEANINGS = {_key(word): meaning for meaning, words in _WORDS.items() for word in words}


@lru_cache(maxsize=4096)
def meaning_of(text: str) -> Meaning | None:
    """What a word that names no species means; None for every other text."""
    return _MEANINGS.get(_key(text))


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
