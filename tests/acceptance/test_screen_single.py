"""The screen of one crop: what its keys do, and what an annotation stores of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import Purpose
from tests.acceptance.conftest import Installation
from tests.acceptance.screens import Screens
from tests.helpers.screens import asked, crop, sequence

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

SPECIES = ("roe deer", "red deer", "wild boar", "red fox", "badger", "moose", "wolf", "lynx")
MANY = (*SPECIES, *(f"banded civet {number}" for number in range(40)))
HINTS = {"moose": "Alces alces"}
SUGGESTED = {"suggested_0": ["roe deer"]}


def questions(
    number: int, **more: Any
) -> Callable[[Mapping[str, str], Callable[[int], str]], Sequence[Asked]]:
    """As many questions about one crop each, all alike but for their pictures."""

    def ask(words: Mapping[str, str], address: Callable[[int], str]) -> list[Asked]:
        def one(place: int) -> Asked:
            shown = crop(place, crop=address(place), frame=address(90), original=address(91))
            around = tuple(replace(each, url=address(92)) for each in sequence(3, 1))
            return asked(shown, **{"words": words, "neighbours": around} | more)

        return [one(place) for place in range(number)]

    return ask


def test_a_suggestion_is_kept_confirmed_or_changed(installation: Installation, page: Page) -> None:
    here = Screens(installation, page, MANY, questions(5), hints=HINTS)
    here.open()
    assert here.chosen() == ["roe deer"]
    assert here.submit() == SUGGESTED  # kept without a key
    here.press("1")
    assert here.submit() == SUGGESTED | {"species_0": ["roe deer"]}
    here.press("1", "1")  # the key of what is chosen takes it back, and the suggestion stands
    assert here.chosen() == ["roe deer"]
    assert here.submit() == SUGGESTED
    here.press("3")
    assert here.chosen() == ["wild boar"]
    assert here.submit() == SUGGESTED | {"species_0": ["wild boar"]}
    here.press("0", "-")
    assert here.submit(last=True) == SUGGESTED | {"species_0": ["unsure"]}


def test_without_a_suggestion_nothing_is_stored_that_nobody_chose(
    installation: Installation, page: Page
) -> None:
    plain = questions(2, suggested=None, probability=None, purpose=Purpose.AUDIT)
    here = Screens(installation, page, MANY, plain)
    here.open()
    assert here.chosen() == []
    assert "random check, no suggestion on purpose" in page.inner_text(".wildloop .head")
    assert here.submit() == {}
    here.press("8")
    assert here.submit(last=True) == {"species_0": ["person"]}


def test_another_species_is_found_by_its_name_or_its_scientific_name(
    installation: Installation, page: Page
) -> None:
    here = Screens(installation, page, MANY, questions(3), hints=HINTS)
    here.open()
    here.press("=")
    assert len(here.seen(".words")) == len(MANY) + 1
    here.type("civet 37")
    assert here.seen(".words") == ["banded civet 37"]
    here.press("Enter")
    another = {"species_0": ["another species"]}
    assert here.submit() == SUGGESTED | another | {"another_0": ["banded civet 37"]}
    here.press("=")
    here.type("alces")
    here.press("Enter")
    assert here.submit() == SUGGESTED | another | {"another_0": ["moose"]}
    here.press("=")
    here.type("civet 3")
    here.press("Enter", "2")  # one of the likeliest after all
    assert here.submit(last=True) == SUGGESTED | {"species_0": ["red deer"]}


def test_a_species_that_is_not_in_the_list_is_typed(installation: Installation, page: Page) -> None:
    here = Screens(installation, page, MANY, questions(2))
    here.open()
    here.press("=")
    here.type("not in")
    here.press("Enter", "Tab")
    here.type("kinkajou 2b")  # its letters are keys elsewhere
    here.press("Enter")
    assert here.submit() == SUGGESTED | {
        "species_0": ["another species"],
        "another_0": ["not in the list"],
        "name_0": ["kinkajou 2b"],
    }


def test_every_species_of_few_has_its_letter(installation: Installation, page: Page) -> None:
    here = Screens(installation, page, SPECIES, questions(2))
    here.open()
    assert set(SPECIES) <= set(here.seen(".species"))
    here.press("i")  # the eighth letter that is free
    (lynx,) = here.chosen()
    here.press("q")  # the roe deer, on 1 as well
    assert here.chosen() == ["roe deer"]
    assert here.submit()["species_0"] == ["roe deer"]
    assert lynx in SPECIES


def test_looking_closer_is_no_answer(installation: Installation, page: Page) -> None:
    loaded: list[str] = []

    def note(request: Request) -> None:
        loaded.append(request.url.rpartition("/")[2])

    page.on("request", note)
    here = Screens(installation, page, MANY, questions(2))
    here.open()
    assert "91.jpg" not in loaded  # the original
    here.press("g")
    page.wait_for_function("[...document.images].some(each => each.src.endsWith('/91.jpg') && each.complete)")
    assert "91.jpg" in loaded
    large = page.locator(".pictures .ant-radio-wrapper-checked .large").bounding_box()
    assert large is not None
    assert large["width"] > 800
    here.press("g", "ArrowRight", "b", "c")
    assert page.locator(".pictures .ant-radio-wrapper-checked .large").get_attribute("src", timeout=5_000)
    result = here.submit()
    assert result.keys() == {"suggested_0", "view_0", "neighbour_0"}
    assert result["view_0"] == ["brighter", "contrast"]


def test_what_the_project_asks_beside_the_species_is_stored(installation: Installation, page: Page) -> None:
    everything = ScreenOptions(
        count=True, sex=True, age=True, behaviour=("eating", "resting"), several=True, comment=True
    )
    here = Screens(installation, page, MANY, questions(2), everything)
    here.open()
    here.press("Shift+E", "Shift+F", "Shift+J", "Shift+D", "Shift+G", "Shift+X", "Shift+=")
    here.type("moose")
    here.press("Enter")
    page.get_by_placeholder("Comment").type("two of them limp")
    here.press("Enter")
    assert here.submit() == SUGGESTED | {
        "count_0": ["3"],
        "sex_0": ["female"],
        "age_0": ["juvenile"],
        "behaviour_0": ["eating", "resting"],
        "flags_0": ["expert", "several"],
        "also_0": ["moose"],
        "comment_0": ["two of them limp"],
    }


def test_a_box_is_moved_on_the_photograph(installation: Installation, page: Page) -> None:
    here = Screens(installation, page, MANY, questions(2), ScreenOptions(boxes=True))
    here.open()
    unchanged = here.submit()["box_0"]
    assert (unchanged["x"], unchanged["y"], unchanged["width"]) == pytest.approx((25, 25, 50), abs=0.01)
    photograph = page.locator(".photo .lsf-object canvas").first.bounding_box()
    assert photograph is not None
    x, y = photograph["x"], photograph["y"]
    wide, high = photograph["width"], photograph["height"]
    page.mouse.click(x + wide * 0.5, y + high * 0.37)
    page.wait_for_timeout(300)
    page.mouse.move(x + wide * 0.5, y + high * 0.37)
    page.mouse.down()
    page.mouse.move(x + wide * 0.6, y + high * 0.47, steps=8)
    page.mouse.up()
    moved = here.submit(last=True)["box_0"]
    assert (moved["x"], moved["y"]) == pytest.approx((35, 35), abs=2)
    assert moved["width"] == pytest.approx(50, abs=0.5)
