"""The label config: `label_config.xml` with the project's species put in."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import LabelStudioError, SettingsError
from pipeline.label_studio.results import CONTROL
from pipeline.records import EMPTY, UNSURE

NAME = "label_config.xml"
# Digits first, then letters as they lie under the hands. Label Studio itself takes u (unselect the
# region) and v (the move tool); 0 and - are those of "empty" and "unsure", which the template sets.
HOTKEYS = "123456789qwertasdfgzxcbyiopjklnmh"


def template() -> str:
    """The text of `label_config.xml`: beside this module in a wheel, at the top of a checkout."""
    here = Path(__file__)
    for place in (here.with_name(NAME), here.parents[2] / NAME):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise SettingsError(f"{NAME} is missing from this installation", remedy="install wildloop again")


def render(species: Sequence[str], keys: Mapping[str, str] | None = None) -> str:
    """The label config offering `species`, in this order, before "empty" and "unsure".

    `keys` are hotkeys that annotators already know, by name: a species keeps its own, and the others
    take the first free ones. Species beyond the 33 keys have none.
    """
    root = ET.fromstring(template())
    choices = _choices(root)
    fixed = {choice.get("hotkey") for choice in choices}
    known = {name: key for name, key in (keys or {}).items() if name in species and key in HOTKEYS}
    free = iter(key for key in HOTKEYS if key not in known.values() and key not in fixed)
    for place, name in enumerate(species):
        choice = ET.Element("Choice", {"value": name})
        key = known.get(name) or next(free, None)
        if key is not None:
            choice.set("hotkey", key)
        choices.insert(place, choice)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def offered(config: str) -> dict[str, str]:
    """The choices that a label config offers, in order, and the hotkey of each ("" without one).

    Raises LabelStudioError where the config has no species to choose.
    """
    try:
        root = ET.fromstring(config)
    except ET.ParseError as exc:
        raise LabelStudioError(f"the project's label config is not XML: {exc}") from exc
    return {choice.get("value", ""): choice.get("hotkey", "") for choice in _choices(root)}


def species_of(config: str) -> list[str]:
    """The species that a label config offers: its choices without "empty" and "unsure"."""
    return [name for name in offered(config) if name not in (EMPTY, UNSURE)]


def same(one: str, other: str) -> bool:
    """Whether two label configs say the same, however they are written."""
    try:
        return ET.canonicalize(one, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return False


def _choices(root: ET.Element) -> ET.Element:
    found = root.find(f".//Choices[@name='{CONTROL}']")
    if found is None:
        raise LabelStudioError(
            f"the label config has no <Choices name={CONTROL!r}>",
            remedy="it is no project of Wildloop's: choose another title, or restore its label config",
        )
    return found
