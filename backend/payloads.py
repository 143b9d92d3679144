"""Reading requests of Label Studio, whose content is not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import WildloopError


class PayloadError(WildloopError):
    """A request is invalid."""


def project_number(value: Any) -> int | None:
    """The project's id in `3`, `"3"`, `"3.1700000000"` (id and time of creation) or `{"id": 3}`."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, bool) or value is None:
        return None
    number = str(value).split(".", 1)[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None


def items(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects under `name`, which may be one object or a list. Raises PayloadError."""
    value = payload.get(name)
    objects: list[Any] = value if isinstance(value, list) else [value]
    for each in objects:
        if not isinstance(each, Mapping):
            raise PayloadError(f"`{name}` must contain objects, not {type(each).__name__}")
    return objects


def ids(payload: Mapping[str, Any], name: str) -> list[int]:
    """The `id` of each object under `name`. Raises PayloadError."""
    numbers = [each.get("id") for each in items(payload, name)]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise PayloadError(f"each `id` in `{name}` must be a number")
    return [int(number) for number in numbers if number is not None]
