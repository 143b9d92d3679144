"""What a project asks beside the species, drawn into the label config."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from html import escape

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.controls import EXPERT, SEVERAL
from pipeline.label_studio.screen.html import key_cap
from pipeline.label_studio.screen.options import ScreenOptions

COUNTS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10+")


def draw_facts(root: ET.Element, options: ScreenOptions) -> None:
    """Keep the controls of the project's options in the config, with their choices; remove all others."""
    asked = {
        "count": options.count,
        "sex": options.sex,
        "age": options.age,
        "behaviour": bool(options.behaviour),
        "several": options.several,
        "comment": options.comment,
    }
    for parent in list(root.iter()):
        for view in list(parent):
            name = view.get("className", "").removeprefix("fact ")
            if view.get("className", "").startswith("fact ") and not asked[name]:
                parent.remove(view)
    _fill(root, "view_{{idx}}", {"brighter": keys.BRIGHTER, "contrast": keys.CONTRAST}.items())
    _fill(root, "flags_{{idx}}", [(EXPERT, keys.EXPERT, "show to an expert")])
    if options.several:
        _fill(root, "flags_{{idx}}", [(SEVERAL, keys.ALSO, "another animal, too")])
    _fill(root, "count_{{idx}}", zip(COUNTS, keys.COUNT, strict=True))
    _fill(root, "sex_{{idx}}", keys.SEX.items())
    _fill(root, "age_{{idx}}", keys.AGE.items())
    given = [*keys.BEHAVIOUR, *[""] * len(options.behaviour)]
    _fill(root, "behaviour_{{idx}}", zip(options.behaviour, given, strict=False))


def _fill(root: ET.Element, name: str, words: Iterable[tuple[str, str] | tuple[str, str, str]]) -> None:
    """Give a control its choices: what annotations store, the key, and what people read if it differs."""
    choices = root.find(f".//Choices[@name='{name}']")
    if choices is None:
        return
    for word, key, *read in words:
        html = f"{key_cap(key)}{escape(read[0] if read else word)}"
        ET.SubElement(choices, "Choice", {"value": word, "hotkey": key, "html": html})


def take_automatic_keys(root: ET.Element) -> None:
    """Keep Label Studio from giving keys to options that have none."""
    head = [each.get("name") for each in root].index("head")
    for place, key in enumerate(keys.AUTOMATIC, head + 1):
        root.insert(place, ET.Element("Filter", {"name": f"no_key_{key}", "toName": "head", "hotkey": key}))
