"""The line above the pictures: where and when, why it is asked, and which version suggests."""

from __future__ import annotations

from html import escape

from pipeline.label_studio.screen.content import Asked
from pipeline.records import Purpose, TaskKind

_WHY = {
    Purpose.AUDIT: "random check, no suggestion on purpose",
    Purpose.REVIEW: "a second look at a label, no suggestion on purpose",
    Purpose.OPINION: "second opinion, no suggestion on purpose",
    Purpose.CONFIRMATION: "random check of what was confirmed together, no suggestion on purpose",
    Purpose.EXPERT: "an annotator asks for an expert",
    Purpose.DISPUTED: "annotators disagree",
    Purpose.EMPTIES: "the detector saw nothing here",
}


def head(asked: Asked) -> str:
    """The line as HTML."""
    places = dict.fromkeys(crop.place for crop in asked.crops if crop.place)
    parts = [f"<b>{escape(next(iter(places)))}</b>"] if len(places) == 1 else []
    parts += [f"<span>{escape(text)}</span>" for text in (_times(asked), _light(asked), _what(asked)) if text]
    why = asked.reason or _WHY.get(asked.purpose, "")
    parts += [f"<em>{escape(why)}</em>"] if why else []
    parts += [f"<small>{escape(asked.version)}</small>"] if asked.version else []
    return f'<div class="head">{"".join(parts)}</div>'


def _times(asked: Asked) -> str:
    """The time of one crop; of several of one place, the first and the last."""
    times = sorted(crop.time for crop in asked.crops if crop.time)
    if not times or asked.kind in (TaskKind.BOARD, TaskKind.FRAMES):
        return ""
    return times[0] if times[0] == times[-1] else f"{times[0]} – {times[-1][-8:].strip()}"


def _light(asked: Asked) -> str:
    """Day or infrared, if it is known and the same for all."""
    lights = {crop.infrared for crop in asked.crops}
    return {True: "infrared", False: "day"}.get(lights.pop(), "") if len(lights) == 1 else ""  # type: ignore[arg-type]


def _what(asked: Asked) -> str:
    if asked.kind is TaskKind.FRAME:
        return "Draw a box around every animal."
    if asked.kind is TaskKind.SINGLE:
        return ""
    what = "photographs" if asked.kind is TaskKind.FRAMES else "crops"
    return f"{len(asked.crops)} {what}"
