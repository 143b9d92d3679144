"""One crop -> the item of the list `single` in a task's data."""

from __future__ import annotations

from html import escape
from typing import Any

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.answers import answers, suggestion
from pipeline.label_studio.screen.content import Asked, Neighbour
from pipeline.label_studio.screen.html import key_cap, option, picture
from pipeline.label_studio.screen.options import ScreenOptions

MOST = 7  # photographs of a sequence that are shown: one row


def single(asked: Asked, options: ScreenOptions) -> dict[str, Any]:
    """What the screen of one crop draws."""
    crop = asked.crops[0]
    return {
        "url": crop.crop,
        "frame": "" if options.boxes else picture(crop.frame, "frame"),  # with boxes `photo` shows it
        "pictures": _pictures(asked),
        "choices": answers(asked, letters=True),
        "suggested": suggestion(asked),
        "leave": '<span tabindex="0"></span>',  # the search is left with Tab
    }


def _pictures(asked: Asked) -> list[dict[str, Any]]:
    """The pictures to look at: the original, loaded once it is asked for, and the sequence."""
    crop, options = asked.crops[0], []
    if crop.original is not None:
        html = f"{key_cap(keys.ORIGINAL)}<span>original</span>{picture(crop.original, 'large', lazy=True)}"
        options.append(option("original", keys.ORIGINAL, html=html, name="original"))
    for number, (neighbour, key) in enumerate(_with_keys(asked.neighbours), 1):
        html = picture(neighbour.url, "small", lazy=True) + key_cap(key)
        if not neighbour.is_this:
            html += picture(neighbour.url, "large", lazy=True)
        html += f"<small>{escape(neighbour.time[-8:])}</small>"
        name = "this" if neighbour.is_this else "neighbour"
        options.append(option(f"photograph {number}", key, html=html, name=name))
    return options


def _with_keys(neighbours: tuple[Neighbour, ...]) -> list[tuple[Neighbour, str]]:
    """The photographs around the crop's own with their keys: the arrows step away from it."""
    this = next((place for place, each in enumerate(neighbours) if each.is_this), 0)
    start = max(0, min(this - MOST // 2, len(neighbours) - MOST))
    neighbours, this = neighbours[start : start + MOST], this - start
    of_place = {place: keys.NEIGHBOURS.get(place - this, "") for place in range(len(neighbours))}
    for place, key in ((0, keys.FIRST), (len(neighbours) - 1, keys.LAST)):
        if place in of_place and place != this:
            of_place[place] = of_place[place] or key
    return [(each, of_place[place]) for place, each in enumerate(neighbours)]
