"""What the labelling screens are given in tests."""

from __future__ import annotations

from typing import Any

from pipeline.label_studio.screen.content import Asked, CropShown, Neighbour
from pipeline.records import Box, Purpose, TaskKind

LIKELIEST = (("roe deer", 0.62), ("red deer", 0.2), ("wild boar", 0.1), ("red fox", 0.05), ("badger", 0.02))
WORDS = dict.fromkeys(
    ("roe deer", "red deer", "wild boar", "red fox", "badger", "moose", "wolf", "lynx"), ""
) | {"empty": "0", "unsure": "-"}


def crop(number: int = 0, **more: Any) -> CropShown:
    """One crop at site A, at night."""
    fields: dict[str, Any] = {
        "detection_id": f"det{number}",
        "crop": f"/crops/{number}.jpg",
        "frame": f"/frames/{number}.jpg",
        "original": f"/photos/{number}.jpg",
        "place": "Site A",
        "time": f"2026-05-02 03:14:{number:02}",
        "infrared": True,
        "likeliest": LIKELIEST,
        "box": Box(x1=0.25, y1=0.25, x2=0.75, y2=0.5),
    }
    return CropShown(**fields | more)


def asked(*crops: CropShown, kind: TaskKind = TaskKind.SINGLE, **more: Any) -> Asked:
    """A question about these crops; about one by default, with a suggestion."""
    fields: dict[str, Any] = {
        "kind": kind,
        "purpose": Purpose.QUEUE,
        "crops": crops or (crop(),),
        "suggested": "roe deer",
        "probability": 0.62,
        "version": "v7",
        "words": WORDS,
    }
    return Asked(**fields | more)


def sequence(number: int, this: int) -> tuple[Neighbour, ...]:
    """The photographs of a sequence; the crop is on the one at `this`."""
    return tuple(
        Neighbour(url=f"/frames/{place}.jpg", time=f"03:14:{place:02}", is_this=place == this)
        for place in range(number)
    )
