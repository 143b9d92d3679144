"""The confidence at which the detector of a results file is meant to be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from importers.reading.json_file import is_number

_OLD = 0.8  # of MegaDetector 2 to 4
_NAMES = (
    (re.compile(r"(?:md|megadetector)[ _-]?v?[234](?![0-9])", re.IGNORECASE), _OLD),
    (re.compile(r"v1000", re.IGNORECASE), 0.3),
)


def typical_threshold(info: Mapping[str, Any], *, is_old: bool) -> float | None:
    """What the file says itself in `info`, else what its detector's name tells; None if nothing does.

    `is_old`: of a format before 1.1, which named the detector only if it was not the usual one, version 4.
    """
    metadata = info.get("detector_metadata")
    typical = metadata.get("typical_detection_threshold") if isinstance(metadata, Mapping) else None
    if is_number(typical) and 0.0 < typical <= 1.0:
        return float(typical)
    name = str(info.get("detector") or "")
    if not name and is_old:
        return _OLD
    return next((threshold for pattern, threshold in _NAMES if pattern.search(name)), None)
