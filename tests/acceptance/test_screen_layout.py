"""Every screen is in sight as a whole, on a laptop and on a tablet, and can be read in dark, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import Purpose, TaskKind
from tests.acceptance.conftest import Installation
from tests.acceptance.screens import Screens
from tests.helpers.screens import asked, crop, sequence

if TYPE_CHECKING:
    from playwright.sync_api import Page

SPECIES = tuple(f"civet {number}" for number in range(20))  # as many as have letters
EVERYTHING = ScreenOptions(
    count=True, sex=True, age=True, behaviour=("eating", "resting", "walking"), several=True, comment=True
)
VIEWPORTS = [(1366, 768), (1400, 900), (820, 1180)]
# The contrast of each text with what is behind it, as WCAG defines it.
CONTRASTS = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const behind = element => {
        for (let each = element; each; each = each.parentElement) {
            const [r, g, b, a = 1] = numbers(getComputedStyle(each).backgroundColor);
            if (a > 0.9) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(each => each / 255)
            .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [...document.querySelectorAll('.wildloop .head > *, .wildloop .species span, .wildloop kbd')]
        .filter(each => each.offsetHeight && each.innerText.trim())
        .map(each => {
            const [one, other] = [numbers(getComputedStyle(each).color).slice(0, 3), behind(each)].map(light);
            return [each.innerText, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
        });
}"""


def every_kind(words: Mapping[str, str], address: Callable[[int], str]) -> Sequence[Asked]:
    """A question of each kind."""
    crops = [crop(place, crop=address(place), frame=address(place)) for place in range(48)]
    around = tuple(replace(each, url=address(50)) for each in sequence(7, 3))
    return [
        asked(crops[0], words=words, neighbours=around),
        asked(*crops[:6], kind=TaskKind.SEQUENCE, words=words, count=2),
        asked(*crops[:24], kind=TaskKind.BOARD, words=words),
        asked(*crops, kind=TaskKind.BOARD, words=words, purpose=Purpose.SUGGESTION, reason="resembles lynx"),
        asked(*crops[:12], kind=TaskKind.FRAMES, words=words, suggested="empty", purpose=Purpose.EMPTIES),
        asked(crops[0], kind=TaskKind.FRAME, words=words, suggested=None, purpose=Purpose.EMPTIES),
    ]


@pytest.mark.parametrize(("width", "height"), VIEWPORTS)
def test_no_screen_needs_scrolling(installation: Installation, page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    here = Screens(installation, page, SPECIES, every_kind, EVERYTHING)
    here.open()
    for number in range(len(here.tasks)):
        assert here.scrolls() == [], f"task {number}"
        assert here.outside(width, height) == [], f"task {number}"
        if number in (1, 2, 3):  # with something struck, more is on the screen
            here.press("w")
            assert here.scrolls() == [], f"task {number}, struck"
            assert here.outside(width, height) == [], f"task {number}, struck"
        if number + 1 < len(here.tasks):
            here.submit()


@pytest.mark.parametrize("scheme", ["Light", "Dark"])
def test_texts_and_keys_can_be_read(installation: Installation, page: Page, scheme: str) -> None:
    page.evaluate("scheme => localStorage.setItem('preferred-color-scheme', scheme)", scheme)
    here = Screens(installation, page, SPECIES, every_kind)
    here.open()
    for _ in range(2):
        contrasts: list[tuple[str, float]] = page.evaluate(CONTRASTS)
        assert len(contrasts) > 15
        assert [(text, contrast) for text, contrast in contrasts if contrast < 4.5] == []
        here.submit()
