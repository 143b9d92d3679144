"""Printing a report: as text for people, or with `--json` as JSON for other programs."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Integral
from pathlib import PurePath
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """`--json`, which the command receives as `as_json: bool`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the report as JSON on standard output; everything else goes to standard error.",
    )(command)


def emit(report: object, text: str, *, as_json: bool) -> None:
    """Print the report: its JSON, or `text`."""
    click.echo(json.dumps(plain(report), indent=2, ensure_ascii=False) if as_json else text)


def note(text: str, *, as_json: bool) -> None:
    """Print what happened on the way to the report; to standard error where that is JSON."""
    if text:
        click.echo(text, err=as_json)


def plain(value: object) -> Any:
    """The value in JSON's own types.

    Dataclasses become objects of their fields, dates ISO 8601, enums their values, paths text; a number that
    is not finite becomes null. A mapping by pairs becomes a mapping of mappings.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):  # Python's or NumPy's
        return int(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    number = float(value)  # type: ignore[arg-type]  # raises TypeError for anything that is no number
    return number if math.isfinite(number) else None


def _mapping(value: Mapping[Any, object]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        *outer, last = key if isinstance(key, tuple) else (key,)
        place = found
        for part in outer:
            place = place.setdefault(str(plain(part)), {})
        place[str(plain(last))] = plain(item)
    return found
