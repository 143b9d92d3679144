"""The demo's folder: what a second start needs to know of the first, and one demo in it at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.errors import WildloopError

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
    draft = folder / f"{STATE}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(state), file, indent=2)
    draft.replace(folder / STATE)


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep a second demo out of `folder` while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DemoError(f"a demo runs in {folder} already", remedy="use another --folder") from exc
        yield
