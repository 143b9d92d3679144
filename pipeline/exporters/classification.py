"""A folder of crops by class, and the COCO Camera Traps files that list its two splits."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import IO, Any

from pipeline.exporters.writing import JsonList
from pipeline.records import EMPTY

VERSION = "1.0"
FIELDS = ("location", "datetime", "seq_id", "frame_num", "seq_num_frames")  # of photographs in sequences
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # reserved on Windows
_LONGEST = 100  # characters of a folder name
_LONGEST_FILE = 255 - 16  # bytes of a file name, less than most file systems allow


def folder_names(categories: Iterable[str]) -> dict[str, str]:
    """A folder for each category: its name without characters that a file system may forbid; all differ."""
    folder_of: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(categories)):
        safe = _UNSAFE.sub("_", name)[:_LONGEST].rstrip(". ")
        if not safe or safe.startswith(".") or _DEVICES.fullmatch(safe):
            safe = f"_{safe}"
        number, folder = 1, safe
        while folder.casefold() in taken:
            number += 1
            folder = f"{safe}_{number}"
        taken.add(folder.casefold())
        folder_of[name] = folder
    return folder_of


def crop_name(file_name: str, detection_id: str | None = None) -> str:
    """The path of a photograph's crop below its class folder: the photograph's name, ending as a JPEG.

    `detection_id` distinguishes the crops of one photograph. The path never leaves its folder.
    """
    parts = [part for part in file_name.split("/") if part not in ("", ".")]
    name = "/".join("_" if part == ".." else part for part in parts) or "crop"
    stem, dot, ending = name.rpartition(".")
    if not dot or f".{ending.lower()}" not in _JPEG or not stem.rpartition("/")[2]:
        stem, ending = name, "jpg"
    ending = f".{ending}" if detection_id is None else f"_{detection_id}.{ending}"
    above, slash, last = stem.rpartition("/")
    room = _LONGEST_FILE - len(ending.encode())
    return f"{above}{slash}{last.encode()[:room].decode(errors='ignore')}{ending}"


def numbered(categories: Iterable[str]) -> dict[str, int]:
    """The number of each category in the files: EMPTY is always 0, the others follow in order."""
    return {name: number for number, name in enumerate([EMPTY, *sorted({*categories} - {EMPTY})])}


class SplitFile:
    """Writes one COCO Camera Traps file as a stream of crops."""

    def __init__(
        self, file: IO[str], waiting: IO[str], description: str, categories: Mapping[str, int]
    ) -> None:
        """Begin the document in `file`; annotations wait in the file `waiting`, open for both directions."""
        self._file, self._waiting = file, waiting
        self._images, self._annotations = JsonList(file), JsonList(waiting)
        self._categories = [{"id": number, "name": name} for name, number in categories.items()]
        file.write(f'{{"info": {json.dumps({"version": VERSION, "description": description})},\n"images": [')

    def add(self, crop: Mapping[str, Any], *, width: int, height: int, category_id: int) -> None:
        """Write a crop of `width` x `height` pixels and its class.

        `crop` has id, name (its file), image_id, and source_id and FIELDS, which may be None.
        """
        image = {
            "id": crop["id"],
            "file_name": crop["name"],
            "width": width,
            "height": height,
            "original_key": crop["source_id"] or crop["image_id"],
        }
        fields = FIELDS if crop["seq_id"] is not None else FIELDS[:2]
        self._images.add(image | {name: crop[name] for name in fields if crop[name] is not None})
        self._annotations.add({"id": crop["id"], "image_id": crop["id"], "category_id": category_id})

    def end(self) -> None:
        """Complete the document; both files stay open."""
        self._file.write('],\n"annotations": [')
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, self._file)
        self._file.write(f'],\n"categories": {json.dumps(self._categories)}}}\n')
