"""The labelled crops of a folder that `wildloop dataset make` wrote: train.json and test.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError
from pipeline.records import EMPTY

SETS = {"train.json": False, "test.json": True}  # whether its crops are tested on
REMEDY = "name a folder that `wildloop dataset make` wrote"


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One labelled crop."""

    file_name: str  # below the folder
    species: str
    sequence: str  # its name, or that of the photograph
    location: str | None
    tested: bool  # listed in test.json


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The crops that the files list."""

    crops: list[Crop]
    left_out: int  # images that are empty or show several species


def read(folder: Path) -> Listed:
    """The crops of train.json and test.json, either of which may be missing.

    A crop in both counts as one of test.json. Raises SourceError, which names the file, if both are missing
    or one is not a COCO Camera Traps file.
    """
    files = [folder / name for name in SETS if (folder / name).is_file()]
    if not files:
        raise SourceError(f"{folder} has neither {' nor '.join(SETS)}", remedy=REMEDY)
    crop_of: dict[str, Crop | None] = {}
    for file in files:
        try:
            document: Any = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as exc:
            raise SourceError(f"{file} cannot be read: {exc}", remedy=REMEDY) from exc
        try:
            crop_of |= _crops(document, tested=SETS[file.name])
        except (KeyError, TypeError, AttributeError) as exc:
            problem = f"{exc} is missing" if isinstance(exc, KeyError) else str(exc)
            raise SourceError(f"{file} is not a COCO Camera Traps file: {problem}", remedy=REMEDY) from exc
    crops = [crop for crop in crop_of.values() if crop is not None]
    if not crops:
        raise SourceError(f"{folder} lists no crop with a species", remedy=REMEDY)
    return Listed(crops=crops, left_out=len(crop_of) - len(crops))


def _crops(document: Mapping[str, Any], *, tested: bool) -> dict[str, Crop | None]:
    """The crop of each image by its file name; None if it shows no species or several."""
    names = {category["id"]: str(category["name"]) for category in document["categories"]}
    shown: dict[Any, set[str]] = {}
    for annotation in document["annotations"]:
        shown.setdefault(annotation["image_id"], set()).add(names[annotation["category_id"]])
    crop_of: dict[str, Crop | None] = {}
    for image in document["images"]:
        file_name, labels = image["file_name"], shown.get(image["id"], set())
        if not isinstance(file_name, str):
            raise TypeError(f"file_name is {file_name!r}")
        if len(labels) != 1 or EMPTY in labels:
            crop_of[file_name] = None
            continue
        sequence, location = image.get("seq_id"), image.get("location")
        photograph = image.get("original_key") or image["id"]
        crop_of[file_name] = Crop(
            file_name=file_name,
            species=next(iter(labels)),
            sequence=f"sequence {sequence}" if sequence is not None else f"photograph {photograph}",
            location=None if location is None else str(location),
            tested=tested,
        )
    return crop_of
