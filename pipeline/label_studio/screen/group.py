"""Crops of a sequence or a board -> the item of the list `group` in a task's data."""

from __future__ import annotations

from html import escape
from typing import Any

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.answers import answers, fixed_words, likeliest, suggestion
from pipeline.label_studio.screen.content import Asked, CropShown
from pipeline.label_studio.screen.controls import ANOTHER_SPECIES, ONE_BY_ONE
from pipeline.label_studio.screen.facts import COUNTS
from pipeline.label_studio.screen.html import key_cap, option, percent, picture
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import EMPTY, UNSURE, TaskKind


def group(asked: Asked, options: ScreenOptions) -> dict[str, Any]:
    """What the screen of several crops draws."""
    photographs = asked.kind is TaskKind.FRAMES
    return {
        "ask": _question(asked),
        "choices": _of_photographs(asked) if photographs else answers(asked, letters=False),
        "suggested": suggestion(asked),
        "items": [
            _item(crop, key) for crop, key in zip(asked.crops, _crop_keys(len(asked.crops)), strict=True)
        ],
        "struck": [] if photographs else _struck(asked),
        "counts": _counts(asked) if options.count and asked.kind is TaskKind.SEQUENCE else [],
        "leave": '<span tabindex="0"></span>',
    }


def _question(asked: Asked) -> str:
    if asked.kind is TaskKind.FRAMES:
        return "<b>No animal on any of these?</b> Strike what shows one"
    what = "This sequence" if asked.kind is TaskKind.SEQUENCE else "All of these"
    return f"<b>{what}</b> Strike what differs"


def _of_photographs(asked: Asked) -> list[dict[str, Any]]:
    return [
        option(word, key, name="fixed suggested" if word == asked.suggested else "fixed")
        for word, key in ((EMPTY, keys.EMPTY), (UNSURE, keys.UNSURE))
    ]


def _crop_keys(number: int) -> list[str]:
    given = [*keys.CROPS, *keys.MORE_CROPS][:number]
    return given + [""] * (number - len(given))


def _item(crop: CropShown, key: str) -> dict[str, Any]:
    return option(crop.detection_id, key, html=picture(crop.crop, "cell") + key_cap(key))


def _struck(asked: Asked) -> list[dict[str, Any]]:
    """What the struck ones can be: the other likely species, what is always offered, or to be asked alone."""
    person, vehicle, *_ = fixed = fixed_words(asked.words)
    others = [word for word, _ in likeliest(asked, without={*fixed, asked.suggested or ""})]
    keyed = dict(zip(others, keys.STRUCK_LIKELIEST, strict=False)) | {
        person: keys.STRUCK_PERSON,
        vehicle: keys.STRUCK_VEHICLE,
        EMPTY: keys.STRUCK_EMPTY,
        ONE_BY_ONE: keys.ONE_BY_ONE,
        ANOTHER_SPECIES: keys.STRUCK_ANOTHER,
    }
    return [option(word, key) for word, key in keyed.items()]


def _counts(asked: Asked) -> list[dict[str, Any]]:
    expected = None if asked.count is None else COUNTS[min(max(asked.count, 1), len(COUNTS)) - 1]
    return [
        option(
            word,
            f"{keys.CONFIRM_COUNT},{key}" if word == expected else key,
            name="expected" * (word == expected),
        )
        for word, key in zip(COUNTS, keys.COUNT, strict=True)
    ]
