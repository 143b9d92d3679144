"""The small pieces of HTML that the screens are made of."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_SHOWN = {"left": "←", "right": "→", "home": "Home", "end": "End", "-": "−"}


def key_name(key: str) -> str:
    """The key as people read it, such as ⇧A for `shift+a`."""
    *modifiers, last = key.split("+")
    return "⇧" * ("shift" in modifiers) + _SHOWN.get(last, last.upper() if modifiers else last)


def key_cap(key: str) -> str:
    """A key in a small frame; "" for what has none."""
    first = key.split(",")[0]
    return f"<kbd>{escape(key_name(first))}</kbd>" if first else ""


def picture(url: str, name: str, *, lazy: bool = False) -> str:
    """A picture of class `name`. A lazy one is loaded once it is in sight."""
    loading = ' loading="lazy"' if lazy else ""
    return f'<img class="{name}" src="{escape(url)}" alt=""{loading}>'


def percent(probability: float) -> str:
    """A probability for people; never 0% or 100%, which nothing is."""
    return f"{min(max(round(100 * probability), 1), 99)}%"


def option(word: str, key: str = "", *, html: str = "", name: str = "") -> dict[str, Any]:
    """An option of a control whose options stand in the task: its word, its key, and what is shown of it."""
    shown = html or f"{key_cap(key)}<span>{escape(word)}</span>"
    return {
        "value": word,
        "hotkey": key,
        "html": f'<div class="{name}">{shown}</div>' if name else shown,
    }


def result(control: str, target: str, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the `result` of a prediction."""
    return {"from_name": control, "to_name": target, "type": kind, "value": dict(value)}
