"""Changing single choices of a label config; all else in it stays as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pipeline.label_studio.config import HOTKEYS, choices_of, former_of, keep_former, parsed, word_of
from pipeline.records import EMPTY
from pipeline.vocabulary import category_of


def with_added(config: str, words: Sequence[str]) -> str:
    """The label config with further species after the present ones, with the first free hotkeys."""
    root = parsed(config)
    choices = choices_of(root)
    for word in words:
        choices.insert(_end(choices), _new_choice(choices, word))
        _remove(choices, [choice for choice in former_of(choices) if word_of(choice) == word])
    return _text(root)


def with_replaced(config: str, former: Sequence[str], word: str, *, used: Sequence[str]) -> str:
    """The label config with `word` in place of the choices `former`, with the hotkey of the first of them.

    If `word` is a choice already, it stays where it is. Those of `former` that annotations have `used` are
    kept for them, hidden from all others.
    """
    root = parsed(config)
    choices = choices_of(root)
    replaced = [choice for choice in _visible(choices) if word_of(choice) in former]
    present = next((choice for choice in _visible(choices) if word_of(choice) == word), None)
    if present is None and replaced:
        present = replaced.pop(0)
        present.attrib.pop("alias", None)
        present.set("value", word)
        if replaced:  # of several species, so the scientific name of one is not its own
            present.attrib.pop("hint", None)
    elif present is None:
        choices.insert(_end(choices), _new_choice(choices, word))
    _remove(choices, replaced + [choice for choice in former_of(choices) if word_of(choice) == word])
    keep_former(root, [name for name in former if name in used and name != word])
    return _text(root)


def _visible(choices: ET.Element) -> list[ET.Element]:
    hidden = former_of(choices)
    return [choice for choice in choices.iter("Choice") if choice not in hidden]


def _end(choices: ET.Element) -> int:
    """The place after the last species: "empty" and "unsure" come last."""
    for place, child in enumerate(choices):
        if child.tag == "Choice" and category_of(word_of(child)) in (EMPTY, None):
            return place
    return len(choices)


def _remove(choices: ET.Element, removed: Sequence[ET.Element]) -> None:
    for parent in list(choices.iter()):
        for choice in [child for child in parent if child in removed]:
            parent.remove(choice)


def _new_choice(choices: ET.Element, word: str) -> ET.Element:
    choice = ET.Element("Choice", {"value": word})
    taken = {each.get("hotkey") for each in choices.iter("Choice")}
    key = next((key for key in HOTKEYS if key not in taken), None)
    if key is not None:
        choice.set("hotkey", key)
    return choice


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
