"""The label config: `label_config.xml` with the species of the project."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import LabelStudioError, SettingsError
from pipeline.label_studio.results import CONTROL
from pipeline.records import EMPTY, category_name
from pipeline.vocabulary import category_of

NAME = "label_config.xml"
# Digits first, then letters by their place on the keyboard. Label Studio uses u (unselect region) and v
# (move tool) itself; the template uses 0 for "empty" and - for "unsure".
HOTKEYS = "123456789qwertasdfgzxcbyiopjklnmh"
FORMER = "former"  # class of the View with words that are not offered any more
HIDE_FORMER = f".{FORMER} .lsf-choice:not(:has(.ant-radio-wrapper-checked)) {{ display: none; }}"
NO_KEY = "f24"  # of a hidden choice: without a key Label Studio gives it one, which would choose it


def template() -> str:
    """The text of `label_config.xml`, next to this module in a wheel or at the root of a checkout."""
    here = Path(__file__)
    for path in (here.with_name(NAME), here.parents[2] / NAME):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise SettingsError(f"{NAME} is missing from this installation", remedy="reinstall wildloop")


def render(
    species: Sequence[str],
    keys: Mapping[str, str] | None = None,
    hints: Mapping[str, str] | None = None,
    former: Sequence[str] = (),
) -> str:
    """The label config with `species` in this order, followed by "empty" and "unsure".

    `keys` are the present hotkeys by name. A species keeps its hotkey; new species get the first free
    ones. There are 33 hotkeys; further species have none. `hints`, by category, are shown while the pointer
    is on a choice. `former` are kept as `choices.keep_former` says.
    """
    root = ET.fromstring(template())
    choices = choices_of(root)
    fixed = {choice.get("hotkey") for choice in choices}
    kept = {name: key for name, key in (keys or {}).items() if name in species and key in HOTKEYS}
    free = iter(key for key in HOTKEYS if key not in kept.values() and key not in fixed)
    for position, name in enumerate(species):
        choice = ET.Element("Choice", {"value": name})
        key = kept.get(name) or next(free, None)
        if key is not None:
            choice.set("hotkey", key)
        hint = (hints or {}).get(category_name(name))
        if hint is not None:
            choice.set("hint", hint)
        choices.insert(position, choice)
    keep_former(root, former)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def offered(config: str) -> dict[str, str]:
    """The choices of a label config in their order, with their hotkeys ("" if there is none).

    Each has the word that annotations store: its alias, if it has one. Raises LabelStudioError if the config
    has no choice of species.
    """
    choices = choices_of(parsed(config))
    former = set(former_of(choices))
    return {
        word_of(choice): choice.get("hotkey", "") for choice in choices.iter("Choice") if choice not in former
    }


def former(config: str) -> list[str]:
    """The words that the config keeps for the annotations that use them, but does not offer any more."""
    return [word_of(choice) for choice in former_of(choices_of(parsed(config)))]


def parsed(config: str) -> ET.Element:
    """The label config as XML. Raises LabelStudioError if it is not."""
    try:
        return ET.fromstring(config)
    except ET.ParseError as exc:
        raise LabelStudioError(f"the label config of the project is not valid XML: {exc}") from exc


def word_of(choice: ET.Element) -> str:
    """What an annotation that chooses `choice` stores."""
    return choice.get("alias") or choice.get("value") or ""


def former_of(choices: ET.Element) -> list[ET.Element]:
    """The choices that are kept for the annotations that use them, and hidden from all others."""
    return [
        choice for view in choices.iterfind(f"View[@className='{FORMER}']") for choice in view.iter("Choice")
    ]


def keep_former(root: ET.Element, words: Sequence[str]) -> None:
    """Let annotations with these words show them, although nobody can choose them any more.

    An annotation whose word the config lacks would be shown without an answer.
    """
    if not words:
        return
    choices = choices_of(root)
    view = choices.find(f"View[@className='{FORMER}']")
    if view is None:
        view = ET.Element("View", {"className": FORMER})
        choices.insert(0, view)  # before the others: the last two are in italics
    style = root.find(".//Style")
    if style is None:
        style = ET.Element("Style")
        root.insert(0, style)
    if HIDE_FORMER not in (style.text or ""):
        style.text = f"{style.text or ''}    {HIDE_FORMER}\n  "
    present = {word_of(choice) for choice in view}
    for word in dict.fromkeys(words):
        if word not in present:
            ET.SubElement(view, "Choice", {"value": word, "hotkey": NO_KEY})


def species_of(config: str) -> list[str]:
    """The species of a label config: its choices without "empty" and "unsure"."""
    return [word for word in offered(config) if category_of(word) not in (EMPTY, None)]


def same(config: str, other: str) -> bool:
    """Whether two label configs are equal, apart from their formatting."""
    try:
        return ET.canonicalize(config, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return False


def choices_of(root: ET.Element) -> ET.Element:
    """The element with the choices of species. Raises LabelStudioError if there is none."""
    found = root.find(f".//Choices[@name='{CONTROL}']")
    if found is None:
        raise LabelStudioError(
            f"the label config has no <Choices name={CONTROL!r}>",
            remedy="this is not a project of Wildloop: choose another title, or restore its label config",
        )
    return found
