"""The rules of COCO Camera Traps files, checked one by one."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIELDS = {"info", "images", "annotations", "categories"}
NEARLY = 1e-6  # a rounding error, in pixels or fractions


def assert_valid(path: Path) -> dict[str, Any]:
    """The file's content, once every rule is found to hold."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    found = list(broken_rules(document))
    assert not found, found
    return document


def broken_rules(document: Any) -> Iterator[str]:
    """What is wrong with a file, a line for each case."""
    if not isinstance(document, dict) or set(document) != FIELDS:
        yield f"the fields are not {sorted(FIELDS)}"
        return
    yield from _info(document["info"])
    for name in ("images", "annotations", "categories"):
        if not all(isinstance(one, dict) for one in document[name]):
            yield f"{name} holds something that is no object"
            return
    yield from _categories(document["categories"])
    for image in document["images"]:
        yield from _image(image)
    yield from _repeated("image id", [one.get("id") for one in document["images"]])
    yield from _repeated("file name", [one.get("file_name") for one in document["images"]])
    yield from _repeated("annotation id", [one.get("id") for one in document["annotations"]])
    images = {one.get("id"): one for one in document["images"]}
    names = {one.get("id"): one.get("name") for one in document["categories"]}
    for one in document["annotations"]:
        yield from _annotation(one, images, names)
    said = Counter(one.get("image_id") for one in document["annotations"])
    for one in document["annotations"]:
        if names.get(one.get("category_id")) == "empty" and said[one.get("image_id")] > 1:
            yield f"image {one.get('image_id')} is called empty and something else"


def _info(info: Any) -> Iterator[str]:
    if not isinstance(info, dict):
        yield "info is no object"
        return
    for name in ("version", "description"):
        if not isinstance(info.get(name), str) or not info[name]:
            yield f"info has no {name}"


def _categories(categories: list[dict[str, Any]]) -> Iterator[str]:
    for one in categories:
        if not _is_whole(one.get("id"), 0):
            yield f"category id {one.get('id')!r} is no number from 0 up"
        if not isinstance(one.get("name"), str) or not one["name"]:
            yield f"category {one.get('id')!r} has no name"
    if {one.get("name") for one in categories if one.get("id") == 0} != {"empty"}:
        yield "category 0 is not empty"
    yield from _repeated("category id", [one.get("id") for one in categories])
    yield from _repeated("category", [one.get("name") for one in categories])


def _image(image: dict[str, Any]) -> Iterator[str]:
    own = f"image {image.get('id')!r}"
    for name in ("id", "file_name"):
        if not isinstance(image.get(name), str) or not image[name]:
            yield f"{own} has no {name}"
    if ("width" in image) != ("height" in image):
        yield f"{own} has only one of width and height"
    for name, least in (("width", 1), ("height", 1), ("seq_num_frames", 1), ("frame_num", 0)):
        if name in image and not _is_whole(image[name], least):
            yield f"{own}: {name} is {image[name]!r}"
    for name in ("seq_id", "location", "rights_holder", "original_key"):
        if name in image and not isinstance(image[name], str):
            yield f"{own}: {name} is {image[name]!r}"
    if "sequence_id" in image:
        yield f"{own} has sequence_id"
    if "seq_id" not in image and ("frame_num" in image or "seq_num_frames" in image):
        yield f"{own} is a frame of no sequence"
    if "corrupt" in image and not isinstance(image["corrupt"], bool):
        yield f"{own}: corrupt is {image['corrupt']!r}"
    if "datetime" in image and not _is_time(image["datetime"]):
        yield f"{own}: datetime is {image['datetime']!r}"


def _annotation(
    one: dict[str, Any], images: dict[Any, dict[str, Any]], names: dict[Any, Any]
) -> Iterator[str]:
    own = f"annotation {one.get('id')!r}"
    if not isinstance(one.get("id"), str) or not one["id"]:
        yield f"{own} has no id"
    if one.get("image_id") not in images:
        yield f"{own} is of no image"
        return
    if one.get("category_id") not in names:
        yield f"{own} is of no category"
    if "count" in one and not _is_whole(one["count"], 0):
        yield f"{own}: count is {one['count']!r}"
    if not isinstance(one.get("sequence_level_annotation", False), bool):
        yield f"{own}: sequence_level_annotation is no boolean"
    if "bbox" in one and "bbox_relative" in one:
        yield f"{own} has both boxes"
    frames = {"bbox_relative": (1.0, 1.0)}
    image = images[one["image_id"]]
    if "width" in image and "height" in image:
        frames["bbox"] = (image["width"], image["height"])
    elif "bbox" in one:
        yield f"{own} has a box in pixels of a photograph without a size"
    for name, (width, height) in frames.items():
        if name in one and not _is_inside(one[name], width, height):
            yield f"{own}: {name} is {one[name]!r} in a frame of {width} x {height}"
    if names.get(one.get("category_id")) == "empty" and ("bbox" in one or "bbox_relative" in one):
        yield f"{own} is a box of nothing"
    if image.get("corrupt"):
        yield f"{own} is of a corrupt image"


def _is_inside(box: Any, width: float, height: float) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(one, int | float) for one in box):
        return False
    x, y, w, h = map(float, box)
    if not all(map(math.isfinite, box)) or w <= 0 or h <= 0:
        return False
    return x >= 0 and y >= 0 and x + w <= width + NEARLY and y + h <= height + NEARLY


def _is_time(value: Any) -> bool:
    try:
        moment = dt.datetime.strptime(value, "%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError):
        return False
    return bool(moment.strftime("%Y-%m-%d %H:%M:%S") == value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _repeated(what: str, values: list[Any]) -> Iterator[str]:
    for value, number in Counter(map(repr, values)).items():
        if number > 1:
            yield f"{what} {value} stands {number} times"


def _refuse_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")
