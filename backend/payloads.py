"""What Label Studio sends, read with nothing taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import WildloopError


class PayloadError(WildloopError):
    """A request that Label Studio would not have sent."""


def project_number(value: Any) -> int | None:
    """A project's id from `3`, `"3"`, `"3.1700000000"` (id and time of creation) or `{"id": 3}`."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, bool) or value is None:
        return None
    head = str(value).split(".", 1)[0]
    return int(head) if head.isascii() and head.isdecimal() and len(head) < 10 else None


def items(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects under `name`, whether one or a list of them. Raises PayloadError."""
    value = payload.get(name)
    found: list[Any] = value if isinstance(value, list) else [value]
    for one in found:
        if not isinstance(one, Mapping):
            raise PayloadError(f"{name!r} is to hold objects, not {type(one).__name__}")
    return found


def ids(payload: Mapping[str, Any], name: str) -> list[int]:
    """The `id` of each object under `name`. Raises PayloadError."""
    found = [one.get("id") for one in items(payload, name)]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in found):
        raise PayloadError(f"{name!r} is to name its objects by number")
    return [int(number) for number in found if number is not None]
