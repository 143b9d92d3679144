"""The annotator's card names the keys that the screens have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.label_studio.screen import keys

CARD = (Path(__file__).parents[2] / "docs" / "annotator.md").read_text(encoding="utf-8")
NAMES = {"left": "←", "right": "→", "home": "Home", "end": "End"}


def named(key: str) -> str:
    """The key as the card writes it: letters of their own as code, combinations as Shift+X."""
    *modifiers, last = key.split("+")
    if modifiers:
        return "+".join([*(each.capitalize() for each in modifiers), last.upper()])
    return NAMES.get(last, f"`{last}`")


def row(text: str) -> str:
    """The cell of keys in the row that says `text`."""
    found = re.findall(rf"^\| ([^|]+) \| [^|]*{re.escape(text)}", CARD, flags=re.MULTILINE)
    assert len(found) == 1, text
    return str(found[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("likeliest species of this crop", (keys.LIKELIEST[0], keys.LIKELIEST[-1])),
        ("**another species**", (keys.ANOTHER,)),
        ("**person**", (keys.PERSON, keys.VEHICLE)),
        ("**empty**", (keys.EMPTY,)),
        ("**unsure**", (keys.UNSURE,)),
        ("**show to an expert**", (keys.EXPERT,)),
        ("**brighter**", (keys.BRIGHTER, keys.CONTRAST)),
        ("**original**", (keys.ORIGINAL,)),
        ("**before and after**", (keys.NEIGHBOURS[-1], keys.NEIGHBOURS[1])),
        ("**count**", (keys.COUNT[0], keys.COUNT[-1])),
        ("**sex**", tuple(keys.SEX.values())),
        ("**age**", tuple(keys.AGE.values())),
        ("**another animal, too**", (keys.ALSO,)),
        ("struck ones are this species", (keys.STRUCK_LIKELIEST[0], keys.STRUCK_LIKELIEST[-1])),
        ("are persons", (keys.STRUCK_PERSON, keys.STRUCK_VEHICLE, keys.STRUCK_EMPTY)),
        ("struck ones are another species", (keys.STRUCK_ANOTHER,)),
        ("one by one, as without a key", (keys.ONE_BY_ONE,)),
        ("confirms the count", (keys.CONFIRM_COUNT,)),
    ],
)
def test_the_card_names_the_keys_of_the_screens(text: str, expected: tuple[str, ...]) -> None:
    for key in expected:
        assert named(key) in row(text)


def test_the_card_says_how_boxes_are_drawn() -> None:
    assert named(keys.BOX) in CARD
    assert f"{keys.FIRST.capitalize()} and {keys.LAST.capitalize()}" in CARD
    assert f"up to {len(keys.LETTERS)} species" in CARD
