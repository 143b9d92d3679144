"""COCO Camera Traps files, valid and broken."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

CATEGORIES = [
    {"id": 0, "name": "empty"},
    {"id": 1, "name": "Red  Fox"},
    {"id": 2, "name": "human"},
    {"id": 7, "name": "animal"},
]


def image(name: str = "a.jpg", **fields: Any) -> dict[str, Any]:
    return {"id": f"id of {name}", "file_name": name, "width": 200, "height": 100, **fields}


def annotation(of: str = "a.jpg", category: int = 1, **fields: Any) -> dict[str, Any]:
    id_ = f"{of} {category} {sorted(fields.items(), key=str)}"
    return {"id": id_, "image_id": f"id of {of}", "category_id": category, **fields}


def document(*records: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The content of a file with these images and annotations."""
    return {
        "info": {"version": "1.0", "description": "a test"},
        "images": [record for record in records if "file_name" in record],
        "annotations": [record for record in records if "image_id" in record],
        "categories": CATEGORIES,
        **fields,
    }


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**18,
    10**40,
    float("nan"),
    float("inf"),
    1e300,
    "",
    "x",
    "\x00",
    "\ud800",
    "../../up.jpg",
    "1850-01-01 00:00:00",
    "9999-99-99 99:99:99",
    [],
    [1],
    [0, 0, -1, -1],
    [1e300, 1e300, 1e300, 1e300],
    [-1e300, 0, 1e300, 5],
    [float("nan")] * 4,
    [[[]]],
    {},
    {"a": {"b": []}},
]
KEYS = ["id", "file_name", "image_id", "category_id", "bbox", "bbox_relative", "width", "datetime", "seq_id"]
KEYS += ["frame_num", "location", "count", "corrupt", "name", "version", "sequence_level_annotation", "basis"]


def base() -> dict[str, Any]:
    full = {"seq_id": "s", "frame_num": 1, "seq_num_frames": 2, "location": "l", "corrupt": False}
    return document(
        image("a.jpg", datetime="2022-12-31 09:52:50", **full),
        image("b.jpg", datetime="2022-12-31T09:52:51.5", **full),
        annotation("a.jpg", bbox=[1, 2, 30, 40], count=1),
        annotation("b.jpg", bbox_relative=[0.1, 0.2, 0.3, 0.4]),
        annotation("b.jpg", category=0, sequence_level_annotation=True),
    )


def mutated(chance: random.Random) -> bytes:
    """The bytes of a file with a few faults."""
    made = copy.deepcopy(base())
    for _ in range(chance.randint(1, 4)):
        holder: Any = made
        key: Any = chance.choice(list(made))
        while chance.random() < 0.85 and isinstance(holder[key], dict | list) and holder[key]:
            holder = holder[key]
            key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        act = chance.choice(["odd", "odd", "odd", "remove", "again", "add"])
        if act == "odd":
            holder[key] = copy.deepcopy(chance.choice(ODD))
        elif act == "remove":
            del holder[key]
        elif act == "again" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif isinstance(holder, dict):
            holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice(ODD))
        if not made:
            break
    data = json.dumps(made).encode()
    if chance.random() < 0.15:
        data = data[: chance.randrange(len(data) + 1)]
    if chance.random() < 0.1 and data:
        place = chance.randrange(len(data))
        data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
    return data
