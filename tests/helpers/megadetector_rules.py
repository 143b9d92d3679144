"""The rules of MegaDetector's results format 1.6."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

_ID = re.compile(r"0|[1-9][0-9]*")
_VIDEOS = (".mp4", ".avi", ".mov", ".mpg", ".mpeg", ".m4v", ".mkv", ".wmv")


def broken_rules(results: dict[str, Any]) -> list[str]:
    """The rules that a decoded results file breaks."""
    problems = [f"no {name}" for name in ("info", "detection_categories", "images") if name not in results]
    if problems:
        return problems
    if not isinstance(results["info"].get("format_version"), str):
        problems.append("format_version is not a text")
    tables = {name: results.get(name, {}) for name in ("detection_categories", "classification_categories")}
    for name, table in tables.items():
        problems += [f"{name}: id {id_!r}" for id_ in table if not _ID.fullmatch(id_)]
        problems += [f"{name}: name {text!r}" for text in table.values() if not str(text).strip()]
    descriptions = results.get("classification_category_descriptions")
    if descriptions is not None and descriptions.keys() != tables["classification_categories"].keys():
        problems.append("the descriptions are not those of the classes")
    names = [image.get("file") for image in results["images"]]
    if len(set(names)) != len(names):
        problems.append("a file is listed twice")
    for image in results["images"]:
        problems += [f"{image.get('file')}: {what}" for what in _image(image, *tables.values())]
    return problems


def _image(image: dict[str, Any], kinds: dict[str, str], classes: dict[str, str]) -> list[str]:
    if not isinstance(image.get("file"), str) or not image["file"]:
        return ["no file"]
    problems = []
    if PurePosixPath(image["file"].lower()).suffix in _VIDEOS:
        problems += [f"no {name}" for name in ("frame_rate", "frames_processed") if name not in image]
        processed = image.get("frames_processed", [])
        if any(type(number) is not int for number in processed) or sorted(set(processed)) != processed:
            problems.append(f"frames_processed {processed}")
        if image.get("failure") is None and not image.get("frame_rate", 0) > 0:
            problems.append(f"frame_rate {image.get('frame_rate')}")
        numbers = [detection.get("frame_number") for detection in image.get("detections") or ()]
        if not set(numbers) <= set(processed) or numbers != sorted(numbers):
            problems.append(f"frame_number {numbers}")
    if image.get("failure") is not None:
        if not isinstance(image["failure"], str) or image.get("detections") is not None:
            problems.append("a failure is a text, with detections null")
        return problems
    if not isinstance(image.get("detections"), list):
        return [*problems, "no detections"]
    for detection in image["detections"]:
        problems += _detection(detection, kinds, classes)
    return problems


def _detection(detection: dict[str, Any], kinds: dict[str, str], classes: dict[str, str]) -> list[str]:
    problems = []
    if detection.get("category") not in kinds:
        problems.append(f"category {detection.get('category')!r}")
    conf = detection.get("conf")
    if not isinstance(conf, float) or not 0.0 <= conf <= 1.0:
        problems.append(f"conf {conf!r}")
    x, y, width, height = detection["bbox"]
    if min(x, y) < 0 or min(width, height) <= 0 or x + width > 1 + 1e-9 or y + height > 1 + 1e-9:
        problems.append(f"bbox {detection['bbox']}")
    if any(round(value, 5) != value for value in (conf or 0.0, x, y, width, height)):
        problems.append("more than 5 decimals")
    classes_given = detection.get("classifications", [])
    problems += [f"class {id_!r}" for id_, _ in classes_given if id_ not in classes]
    if [sure for _, sure in classes_given] != sorted((sure for _, sure in classes_given), reverse=True):
        problems.append("classifications are not sorted by falling confidence")
    return problems
