"""The demo's folder: what a second start needs to know of the first, and one demo in it at a time."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.errors import WildloopError
from pipeline.files.atomic import atomic_file
from pipeline.files.lock import locked

STATE = "demo.json"


class DemoError(WildloopError):
    """The demo cannot start, or did not do what it was asked to."""


@dataclass(frozen=True, kw_only=True)
class DemoState:
    """Everything that the next start takes over, unless it is told otherwise."""

    user: str
    password: str
    token: str
    label_studio_port: int | None = None
    backend_port: int | None = None
    embedder: str | None = None  # a specification; None: WILDLOOP_EMBEDDER, else auto
    photos: str | None = None  # None: rendered scenes
    detections: str | None = None
    detector: str | None = None
    species: str | None = None
    truth: str | None = None

    def updated(self, **changes: Any) -> DemoState:
        """This state with those of `changes` that say something."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def fresh_state() -> DemoState:
    """The state of a first start, with a login of its own."""
    return DemoState(
        user="demo@wildloop.example", password=secrets.token_urlsafe(9), token=secrets.token_hex(20)
    )


def read_state(folder: Path) -> DemoState:
    """The state that the last start left in `folder`; a fresh one where there was none."""
    path = folder / STATE
    if not path.exists():
        return fresh_state()
    try:
        stored = json.loads(path.read_text())
        return DemoState(**{field.name: stored[field.name] for field in fields(DemoState)})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DemoError(
            f"{path} is not a state that the demo wrote", remedy="begin anew with another --folder"
        ) from exc


def write_state(folder: Path, state: DemoState) -> None:
    """Keep the state, readable by its owner alone: it holds the login."""
    with atomic_file(folder / STATE, private=True) as draft:
        draft.write_text(json.dumps(asdict(state), indent=2))


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep a second demo out of `folder` while the block runs."""
    busy = DemoError(f"a demo runs in {folder} already", remedy="use another --folder")
    with locked(folder / "demo.lock", busy=busy):
        yield
