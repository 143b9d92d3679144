"""Crops of a sequence or a board -> the item of the list `group` in a task's data."""

from __future__ import annotations

from typing import Any

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.answers import always, answers, fixed_words, likeliest, suggestion
from pipeline.label_studio.screen.content import Asked, CropShown
from pipeline.label_studio.screen.controls import ANOTHER_SPECIES, ONE_BY_ONE
from pipeline.label_studio.screen.facts import COUNTS
from pipeline.label_studio.screen.html import key_cap, option, picture
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import EMPTY, UNSURE, TaskKind

COUNT_ROW = 32  # pixels
WIDE, TALL = 1330 / 506, 790 / 830  # the place for pictures at 1366 x 768 and 820 x 1180, width by height


def group(asked: Asked, options: ScreenOptions) -> dict[str, Any]:
    """What the screen of several crops draws."""
    photographs = asked.kind is TaskKind.FRAMES
    counted = options.count and asked.kind is TaskKind.SEQUENCE
    crop_keys = _crop_keys(len(asked.crops), counted=counted)
    return {
        "ask": _question(asked, counted=counted),
        "choices": always(asked, (EMPTY, UNSURE)) if photographs else answers(asked, letters=False),
        "suggested": suggestion(asked),
        "items": [_item(crop, key) for crop, key in zip(asked.crops, crop_keys, strict=True)],
        "those": '<div class="ask"><b>The struck ones are</b></div>',
        "struck": [] if photographs else _struck(asked),
        "counts": _counts(asked) if counted else [],
        "leave": '<span tabindex="0"></span>',
    }


def _question(asked: Asked, *, counted: bool) -> str:
    if asked.kind is TaskKind.FRAMES:
        question = "<b>No animal on any of these?</b><span>Strike every photograph that shows one.</span>"
    elif asked.kind is TaskKind.SEQUENCE:
        question = "<b>This sequence shows</b><span>Strike what is something else.</span>"
    else:
        question = "<b>All of these are</b><span>Strike what is something else.</span>"
    variables = f"{_shape(asked)} --more: {COUNT_ROW if counted else 0}px;"
    return f'<div class="ask">{question}</div><style>.wildloop {{ {variables} }}</style>'


def _shape(asked: Asked) -> str:
    """CSS variables: how many pictures stand beside each other, on a wide screen and on a tall one."""
    shape = 4 / 3 if asked.kind is TaskKind.FRAMES else 1.0
    wide, tall = (columns(len(asked.crops), shape, area) for area in (WIDE, TALL))
    variables = {
        "shape": round(shape, 3),
        "columns": wide,
        "rows": -(-len(asked.crops) // wide),
        "tall-columns": tall,
        "tall-rows": -(-len(asked.crops) // tall),
    }
    return " ".join(f"--{name}: {value};" for name, value in variables.items())


def columns(number: int, shape: float, area: float) -> int:
    """With how many columns the pictures are largest; of equals the one with the fewest empty places.

    `shape` and `area` are the widths of a picture and of all of them, by their heights.
    """

    def merit(beside: int) -> tuple[float, int]:
        rows = -(-number // beside)
        return round(min(area / beside, shape / rows), 6), -beside * rows

    return max(range(1, number + 1), key=merit)


def _crop_keys(number: int, *, counted: bool) -> list[str]:
    """A key for each crop, as far as they go. The keys of more crops are those of the count."""
    given = [*keys.CROPS, *(() if counted else keys.MORE_CROPS)][:number]
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
    return [option(word, key, name="suggested" * (word == ONE_BY_ONE)) for word, key in keyed.items()]


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
