"""The label config: `label_config.xml` with the species of the project."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import LabelStudioError, SettingsError
from pipeline.label_studio.results import CONTROL
from pipeline.records import EMPTY, UNSURE

NAME = "label_config.xml"
# Digits first, then letters by their place on the keyboard. Label Studio uses u (unselect region) and v
# (move tool) itself; the template uses 0 for "empty" and - for "unsure".
HOTKEYS = "123456789qwertasdfgzxcbyiopjklnmh"


def template() -> str:
    """The text of `label_config.xml`, next to this module in a wheel or at the root of a checkout."""
    here = Path(__file__)
    for path in (here.with_name(NAME), here.parents[2] / NAME):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise SettingsError(f"{NAME} is missing from this installation", remedy="reinstall wildloop")


def render(
    species: Sequence[str], keys: Mapping[str, str] | None = None, hints: Mapping[str, str] | None = None
) -> str:
    """The label config with `species` in this order, followed by "empty" and "unsure".

    `keys` are the present hotkeys by name. A species keeps its hotkey; new species get the first free
    ones. There are 33 hotkeys; further species have none. `hints`, by name, are shown while the pointer
    is on a choice.
    """
    root = ET.fromstring(template())
    choices = _choices(root)
    fixed = {choice.get("hotkey") for choice in choices}
    kept = {name: key for name, key in (keys or {}).items() if name in species and key in HOTKEYS}
    free = iter(key for key in HOTKEYS if key not in kept.values() and key not in fixed)
    for position, name in enumerate(species):
        choice = ET.Element("Choice", {"value": name})
        key = kept.get(name) or next(free, None)
        if key is not None:
            choice.set("hotkey", key)
        if hints and name in hints:
            choice.set("hint", hints[name])
        choices.insert(position, choice)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def offered(config: str) -> dict[str, str]:
    """The choices of a label config in their order, with their hotkeys ("" if there is none).

    Raises LabelStudioError if the config has no choice of species.
    """
    try:
        root = ET.fromstring(config)
    except ET.ParseError as exc:
        raise LabelStudioError(f"the label config of the project is not valid XML: {exc}") from exc
    return {choice.get("value", ""): choice.get("hotkey", "") for choice in _choices(root)}


def species_of(config: str) -> list[str]:
    """The species of a label config: its choices without "empty" and "unsure"."""
    return [name for name in offered(config) if name not in (EMPTY, UNSURE)]


def same(config: str, other: str) -> bool:
    """Whether two label configs are equal, apart from their formatting."""
    try:
        return ET.canonicalize(config, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return False


def _choices(root: ET.Element) -> ET.Element:
    found = root.find(f".//Choices[@name='{CONTROL}']")
    if found is None:
        raise LabelStudioError(
            f"the label config has no <Choices name={CONTROL!r}>",
            remedy="this is not a project of Wildloop: choose another title, or restore its label config",
        )
    return found
