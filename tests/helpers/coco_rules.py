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
    """The file's content, if it breaks no rule."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    broken = list(broken_rules(document))
    assert not broken, broken
    return document


def broken_rules(document: Any) -> Iterator[str]:
    """The rules that a file breaks, a line for each case."""
    if not isinstance(document, dict) or set(document) != FIELDS:
        yield f"the fields are not {sorted(FIELDS)}"
        return
    yield from _info(document["info"])
    for name in ("images", "annotations", "categories"):
        if not all(isinstance(record, dict) for record in document[name]):
            yield f"{name} holds something other than objects"
            return
    yield from _categories(document["categories"])
    for image in document["images"]:
        yield from _image(image)
    yield from _repeated("image id", [image.get("id") for image in document["images"]])
    yield from _repeated("file name", [image.get("file_name") for image in document["images"]])
    yield from _repeated("annotation id", [annotation.get("id") for annotation in document["annotations"]])
    images = {image.get("id"): image for image in document["images"]}
    names = {category.get("id"): category.get("name") for category in document["categories"]}
    for annotation in document["annotations"]:
        yield from _annotation(annotation, images, names)
    labels = Counter(annotation.get("image_id") for annotation in document["annotations"])
    for annotation in document["annotations"]:
        if names.get(annotation.get("category_id")) == "empty" and labels[annotation.get("image_id")] > 1:
            yield f"image {annotation.get('image_id')} is called empty and something else"


def _info(info: Any) -> Iterator[str]:
    if not isinstance(info, dict):
        yield "info is not an object"
        return
    for name in ("version", "description"):
        if not isinstance(info.get(name), str) or not info[name]:
            yield f"info has no {name}"


def _categories(categories: list[dict[str, Any]]) -> Iterator[str]:
    for category in categories:
        if not _is_whole(category.get("id"), 0):
            yield f"category id {category.get('id')!r} is not a number from 0 up"
        if not isinstance(category.get("name"), str) or not category["name"]:
            yield f"category {category.get('id')!r} has no name"
    if {category.get("name") for category in categories if category.get("id") == 0} != {"empty"}:
        yield "category 0 is not empty"
    yield from _repeated("category id", [category.get("id") for category in categories])
    yield from _repeated("category", [category.get("name") for category in categories])


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
        yield f"{own} is a frame without a sequence"
    if "corrupt" in image and not isinstance(image["corrupt"], bool):
        yield f"{own}: corrupt is {image['corrupt']!r}"
    if "datetime" in image and not _is_time(image["datetime"]):
        yield f"{own}: datetime is {image['datetime']!r}"


def _annotation(
    annotation: dict[str, Any], images: dict[Any, dict[str, Any]], names: dict[Any, Any]
) -> Iterator[str]:
    own = f"annotation {annotation.get('id')!r}"
    if not isinstance(annotation.get("id"), str) or not annotation["id"]:
        yield f"{own} has no id"
    if annotation.get("image_id") not in images:
        yield f"{own} belongs to no image"
        return
    if annotation.get("category_id") not in names:
        yield f"{own} has no category"
    if "count" in annotation and not _is_whole(annotation["count"], 0):
        yield f"{own}: count is {annotation['count']!r}"
    if not isinstance(annotation.get("sequence_level_annotation", False), bool):
        yield f"{own}: sequence_level_annotation is not a boolean"
    if "bbox" in annotation and "bbox_relative" in annotation:
        yield f"{own} has both boxes"
    frames = {"bbox_relative": (1.0, 1.0)}
    image = images[annotation["image_id"]]
    if "width" in image and "height" in image:
        frames["bbox"] = (image["width"], image["height"])
    elif "bbox" in annotation:
        yield f"{own} has a box in pixels of a photograph without a size"
    for name, (width, height) in frames.items():
        if name in annotation and not _is_inside(annotation[name], width, height):
            yield f"{own}: {name} is {annotation[name]!r} in a frame of {width} x {height}"
    if names.get(annotation.get("category_id")) == "empty" and (
        "bbox" in annotation or "bbox_relative" in annotation
    ):
        yield f"{own} is a box of nothing"
    if image.get("corrupt"):
        yield f"{own} is of a corrupt image"


def _is_inside(box: Any, width: float, height: float) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
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
