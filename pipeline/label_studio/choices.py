"""Changing single choices of a label config; all else in it stays as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pipeline.label_studio.config import (
    KEY,
    SCIENTIFIC,
    former_of,
    is_earlier,
    keep_former,
    lists_of,
    new_choice,
    parsed,
    word_of,
)
from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.answers import fixed_key
from pipeline.label_studio.screen.controls import NOT_IN_LIST
from pipeline.records import EMPTY
from pipeline.vocabulary import category_of

EARLIER_KEYS = "123456789qwertasdfgzxcbyiopjklnmh"  # of the choices of an earlier config


def with_added(config: str, words: Sequence[str]) -> str:
    """The label config with further species after the present ones, with the first free keys."""
    root = parsed(config)
    for choices in lists_of(root):
        for word in words:
            choices.insert(_end(choices), _new_choice(root, choices, word))
            _remove(choices, [choice for choice in former_of(choices) if word_of(choice) == word])
    return _text(root)


def with_replaced(config: str, former: Sequence[str], word: str, *, used: Sequence[str]) -> str:
    """The label config with `word` in place of the choices `former`, with the key of the first of them.

    If `word` is a choice already, it stays where it is. Those of `former` that annotations have `used` are
    kept for them, hidden from all others.
    """
    root = parsed(config)
    for choices in lists_of(root):
        replaced = [choice for choice in _visible(choices) if word_of(choice) in former]
        present = next((choice for choice in _visible(choices) if word_of(choice) == word), None)
        if present is None and replaced:
            present = replaced.pop(0)
            _rename(present, word, keep_scientific=not replaced)
        elif present is None:
            choices.insert(_end(choices), _new_choice(root, choices, word))
        _remove(choices, replaced + [choice for choice in former_of(choices) if word_of(choice) == word])
    keep_former(root, [name for name in former if name in used and name != word])
    return _text(root)


def _rename(choice: ET.Element, word: str, *, keep_scientific: bool) -> None:
    """Give a choice another word. Of several species that become one, no scientific name is its own."""
    _, separator, scientific = (choice.get("value") or "").partition(SCIENTIFIC)
    choice.attrib.pop("alias", None)
    choice.set("value", word)
    if not keep_scientific:
        choice.attrib.pop("hint", None)
    elif separator:
        choice.attrib |= new_choice(word, scientific).attrib


def _visible(choices: ET.Element) -> list[ET.Element]:
    hidden = former_of(choices)
    return [choice for choice in choices.iter("Choice") if choice not in hidden]


def _end(choices: ET.Element) -> int:
    """The place after the last species, before what is no species."""
    for place, child in enumerate(choices):
        if child.tag == "Choice" and (
            word_of(child) == NOT_IN_LIST or category_of(word_of(child)) in (EMPTY, None)
        ):
            return place
    return len(choices)


def _remove(choices: ET.Element, removed: Sequence[ET.Element]) -> None:
    for parent in list(choices.iter()):
        for choice in [child for child in parent if child in removed]:
            parent.remove(choice)


def _new_choice(root: ET.Element, choices: ET.Element, word: str) -> ET.Element:
    """A choice with the first free key, if one is left."""
    if is_earlier(root):
        choice = ET.Element("Choice", {"value": word})
        taken = {each.get("hotkey") for each in choices.iter("Choice")}
        key = next((key for key in EARLIER_KEYS if key not in taken), None)
        if key is not None:
            choice.set("hotkey", key)
        return choice
    taken = {each.get(KEY) for each in choices.iter("Choice")}
    free = fixed_key(word) or next((key for key in keys.LETTERS if key not in taken), "")
    return new_choice(word, key=free)


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
