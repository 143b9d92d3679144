"""What a task asks -> its data in Label Studio, and the result of its prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.controls import ALL_SUGGESTED, ASK, CROP, SUGGESTED
from pipeline.label_studio.screen.group import group
from pipeline.label_studio.screen.head import head
from pipeline.label_studio.screen.html import result
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.photo import box_result, photo
from pipeline.label_studio.screen.single import single
from pipeline.records import TaskKind


def task_data(asked: Asked, options: ScreenOptions) -> dict[str, Any]:
    """The `data` of a task: what the label config draws, and what Label Studio's lists show and filter by.

    Of the lists `single`, `group` and `photo`, those that the task's screen does not have are empty.
    """
    alone, with_photo = asked.kind is TaskKind.SINGLE, _has_photo(asked, options)
    first = asked.crops[0]
    return {
        "picture": first.crop,  # of the lists, whose columns come in this order
        "kind": asked.kind.value,
        "purpose": asked.purpose.value,
        "detections": [crop.detection_id for crop in asked.crops],
        "species": asked.suggested or "",
        "probability": "" if asked.probability is None else round(asked.probability, 4),
        "place": first.place if len({crop.place for crop in asked.crops}) == 1 else "",
        "time": first.time if len(asked.crops) == 1 else min(crop.time for crop in asked.crops),
        "crops": len(asked.crops),
        "version": asked.version or "",
        "head": head(asked),
        "single": [single(asked, options)] if alone else [],
        "group": [] if alone or asked.kind is TaskKind.FRAME else [group(asked, options)],
        "photo": [photo(asked)] if with_photo else [],
    }


def prediction_result(asked: Asked, options: ScreenOptions) -> list[dict[str, Any]]:
    """The `result` of the task's prediction: the suggestion and the box; empty if there is neither.

    The suggestion fills a hidden control, so that nobody has chosen anything yet: the screen draws it as
    chosen while no other answer is.
    """
    results = []
    if asked.suggested is not None and asked.kind is not TaskKind.FRAME:
        results += suggestion_result(asked.kind, asked.suggested, asked.probability)
    box = asked.crops[0].box
    if asked.kind is TaskKind.SINGLE and options.boxes and box is not None:
        results.append(box_result(box))
    return results


def suggestion_result(kind: TaskKind, word: str, probability: float | None) -> list[dict[str, Any]]:
    """The result that suggests `word` on a screen of this kind; the task must be able to show it."""
    control, target = (SUGGESTED, CROP) if kind is TaskKind.SINGLE else (ALL_SUGGESTED, ASK)
    suggested = result(control, target, "choices", {"choices": [word]})
    return [suggested if probability is None else suggested | {"score": probability}]


def suggestible(data: Any) -> set[str]:
    """The words that a task with this `data` can show as a suggestion."""
    listed = [*_items(data, "single"), *_items(data, "group")]
    options = [option for item in listed for option in _items(item, "suggested")]
    return {str(option["value"]) for option in options if isinstance(option, Mapping) and "value" in option}


def _items(value: Any, name: str) -> list[Any]:
    items = value.get(name) if isinstance(value, Mapping) else None
    return items if isinstance(items, list) else []


def _has_photo(asked: Asked, options: ScreenOptions) -> bool:
    return asked.kind is TaskKind.FRAME or (asked.kind is TaskKind.SINGLE and options.boxes)
