"""Stable names: digests, the ids of photographs and detections, and the names of scans.

The same inputs have the same id in every run, which makes each step repeatable.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.records import Box

# A scan (`scan.detector`) is named "<detector>@<threshold>", with these two exceptions.
NO_DETECTOR = "nobody"  # stands for the detector where a photograph came without boxes and none ran
ROWS_ONLY = "rows:"  # prefix of a scan whose boxes are stored and whose crops are not cut yet


def digest(*parts: str, size: int = 12) -> str:
    """A stable name for `parts`: `2 * size` hexadecimal digits of BLAKE2b."""
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    framed = b"".join([len(data).to_bytes(8, "little") + data for data in encoded])
    return hashlib.blake2b(framed, digest_size=size).hexdigest()


def json_digest(value: Any, size: int = 12) -> str:
    """A stable name for a JSON value, independent of the order of its keys."""
    return digest(json.dumps(value, sort_keys=True, separators=(",", ":")), size=size)


def image_id(file_name: str, content_hash: str | None) -> str:
    """The id of a photograph, from its content and its path below the imported folder."""
    return digest(file_name, content_hash or "")


def detection_id(image: str, detector: str, box: Box) -> str:
    """The id of a detection, from image id, detector and box (rounded to five decimals)."""
    return digest(image, detector, f"{box.x1:.5f},{box.y1:.5f},{box.x2:.5f},{box.y2:.5f}")


def detector_of(scan: str) -> str | None:
    """The detector that a scan's name contains; None if no detector ran."""
    detector = scan.removeprefix(ROWS_ONLY).rpartition("@")[0]
    return None if detector == NO_DETECTOR else detector
