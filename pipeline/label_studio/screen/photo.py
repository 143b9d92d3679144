"""A whole photograph, to draw boxes on -> the item of the list `photo` in a task's data."""

from __future__ import annotations

from typing import Any

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.controls import ANIMAL_BOX, BOX, NO_ANIMAL, PHOTO
from pipeline.label_studio.screen.html import option, result
from pipeline.records import Box, TaskKind

COLOUR = "#ffb000"  # of boxes


def photo(asked: Asked) -> dict[str, Any]:
    """What the screen draws: the photograph, and with the kind `single` the crop's box in it.

    Where boxes are all that is asked, they can be drawn at once; otherwise after their key.
    """
    crop, alone = asked.crops[0], asked.kind is TaskKind.FRAME
    label = {"value": ANIMAL_BOX, "hotkey": keys.BOX, "selected": alone, "background": COLOUR}
    return {
        "url": crop.crop if alone else crop.frame,
        "labels": [label],
        "choices": [option(NO_ANIMAL, keys.EMPTY)] if alone else [],  # a species can be empty
    }


def box_result(box: Box) -> dict[str, Any]:
    """The entry of a prediction that draws `box`, in percent of the photograph."""
    value = {
        "x": 100 * box.x1,
        "y": 100 * box.y1,
        "width": 100 * box.width,
        "height": 100 * box.height,
        "rotation": 0,
        "rectanglelabels": [ANIMAL_BOX],
    }
    return result(BOX, PHOTO, "rectanglelabels", value)
