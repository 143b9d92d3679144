"""Sequences, boards and whole photographs: what their keys do, and what an annotation stores of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import Purpose, TaskKind
from tests.acceptance.conftest import Installation
from tests.acceptance.screens import Screens
from tests.helpers.screens import asked, crop

if TYPE_CHECKING:
    from playwright.sync_api import Page

SPECIES = ("roe deer", "red deer", "wild boar", "red fox", "badger", *(f"civet {n}" for n in range(30)))
SUGGESTED = {"all_suggested_0": ["roe deer"]}


def questions(
    kind: TaskKind, crops: int, number: int, **more: Any
) -> Callable[[Mapping[str, str], Callable[[int], str]], Sequence[Asked]]:
    """As many questions about the same crops."""

    def ask(words: Mapping[str, str], address: Callable[[int], str]) -> list[Asked]:
        shown = [crop(place, crop=address(place), frame=address(place)) for place in range(crops)]
        return [asked(*shown, kind=kind, **{"words": words} | more) for _ in range(number)]

    return ask


def test_a_sequence_gets_one_answer_for_all_its_crops(installation: Installation, page: Page) -> None:
    here = Screens(installation, page, SPECIES, questions(TaskKind.SEQUENCE, 5, 4))
    here.open()
    assert here.chosen() == ["roe deer"]
    assert here.submit() == SUGGESTED
    here.press("2")
    assert here.submit() == SUGGESTED | {"all_0": ["red deer"]}
    here.press("=")
    here.type("civet 17")
    here.press("Enter")
    assert here.submit() == SUGGESTED | {"all_0": ["another species"], "all_another_0": ["civet 17"]}
    here.press("0")
    assert here.submit(last=True) == SUGGESTED | {"all_0": ["empty"]}


def test_what_differs_in_a_sequence_is_struck_and_named_or_sent_on(
    installation: Installation, page: Page
) -> None:
    here = Screens(installation, page, SPECIES, questions(TaskKind.SEQUENCE, 5, 4))
    here.open()
    assert here.seen(".struck") == []
    here.press("w", "r")
    assert "one by one" in here.seen(".struck")
    assert here.submit() == SUGGESTED | {"struck_0": ["det1", "det3"]}
    here.press("w", "r", "r")  # the same key takes a strike back
    here.press("Shift+2")
    assert here.submit() == SUGGESTED | {"struck_0": ["det1"], "struck_species_0": ["wild boar"]}
    here.press("q", "Shift+=")
    here.type("civet 21")
    here.press("Enter")
    assert here.submit() == SUGGESTED | {
        "struck_0": ["det0"],
        "struck_species_0": ["another species"],
        "struck_another_0": ["civet 21"],
    }
    here.press("e", "Shift+8", "e")  # nothing is struck after all
    assert here.submit(last=True) == SUGGESTED


def test_the_count_of_a_sequence_is_confirmed_by_a_key(installation: Installation, page: Page) -> None:
    asks = questions(TaskKind.SEQUENCE, 4, 3, count=2)
    here = Screens(installation, page, SPECIES, asks, ScreenOptions(count=True))
    here.open()
    assert here.submit() == SUGGESTED
    here.press(".")
    assert here.submit() == SUGGESTED | {"group_count_0": ["2"]}
    here.press("Shift+R")
    assert here.submit(last=True) == SUGGESTED | {"group_count_0": ["4"]}


@pytest.mark.parametrize("crops", [24, 48])
def test_a_board_is_confirmed_but_for_what_is_struck(
    installation: Installation, page: Page, crops: int
) -> None:
    here = Screens(installation, page, SPECIES, questions(TaskKind.BOARD, crops, 3))
    here.open()
    assert here.submit() == SUGGESTED
    here.press("a", "l")
    page.locator(".board .lsf-choice").nth(2).click()
    assert page.locator(".board .ant-checkbox-wrapper-checked").count() == 3
    assert here.submit() == SUGGESTED | {"struck_0": ["det2", "det8", "det23"]}
    if crops == 48:
        here.press("Shift+Q")
        assert here.submit(last=True) == SUGGESTED | {"struck_0": ["det26"]}


def test_photographs_are_signed_off_but_for_those_with_an_animal(
    installation: Installation, page: Page
) -> None:
    asks = questions(TaskKind.FRAMES, 12, 2, suggested="empty", probability=None, purpose=Purpose.EMPTIES)
    here = Screens(installation, page, SPECIES, asks)
    here.open()
    assert here.chosen() == ["empty"]
    here.press("q", "f")
    assert here.seen(".struck") == []  # their boxes are asked for one by one
    assert here.submit() == {"all_suggested_0": ["empty"], "struck_0": ["det0", "det11"]}
    assert here.submit(last=True) == {"all_suggested_0": ["empty"]}


def test_boxes_are_drawn_on_a_photograph_or_it_has_no_animal(installation: Installation, page: Page) -> None:
    asks = questions(TaskKind.FRAME, 1, 2, suggested=None, probability=None, purpose=Purpose.EMPTIES)
    here = Screens(installation, page, SPECIES, asks)
    here.open()
    photograph = page.locator(".photo .lsf-object canvas").first.bounding_box()
    assert photograph is not None
    x, y = photograph["x"], photograph["y"]
    wide, high = photograph["width"], photograph["height"]
    page.mouse.move(x + wide * 0.2, y + high * 0.3)
    page.mouse.down()
    page.mouse.move(x + wide * 0.6, y + high * 0.7, steps=8)
    page.mouse.up()
    box = here.submit()["box_0"]
    drawn = (box["x"], box["y"], box["width"], box["height"])
    assert drawn == pytest.approx((20, 30, 40, 40), abs=1)
    here.press("0")
    assert here.submit(last=True) == {"photo_empty_0": ["no animal"]}
