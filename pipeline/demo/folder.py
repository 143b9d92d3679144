"""The demo's folder: its state between starts, and a lock so that one demo runs in it at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.errors import WildloopError
from pipeline.files.atomic import atomic_file
from pipeline.files.lock import locked
from pipeline.local_label_studio import Account, fresh_account

STATE = "demo.json"


class DemoError(WildloopError):
    """The demo cannot start, or did not reach its goal."""


@dataclass(frozen=True, kw_only=True)
class DemoState:
    """Everything that the next start takes over, unless its options differ."""

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

    @property
    def account(self) -> Account:
        return Account(user=self.user, password=self.password, token=self.token)

    def updated(self, **changes: Any) -> DemoState:
        """This state with those `changes` that are not None."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def fresh_state() -> DemoState:
    """The state of a first start, with a new login."""
    account = fresh_account("demo@wildloop.example")
    return DemoState(user=account.user, password=account.password, token=account.token)


def read_state(folder: Path) -> DemoState:
    """The state that the last start wrote to `folder`; a fresh one before the first start.

    Raises DemoError, which names the file, if it is not such a state.
    """
    path = folder / STATE
    if not path.exists():
        return fresh_state()
    try:
        stored = json.loads(path.read_text())
        return DemoState(**{field.name: stored[field.name] for field in fields(DemoState)})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DemoError(
            f"{path} is not a state that the demo wrote", remedy="start with another --folder"
        ) from exc


def write_state(folder: Path, state: DemoState) -> None:
    """Write the state, readable by its owner alone: it contains the login."""
    with atomic_file(folder / STATE, private=True) as draft:
        draft.write_text(json.dumps(asdict(state), indent=2))


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Lock `folder` while the block runs. Raises DemoError if another demo holds the lock."""
    busy = DemoError(f"a demo runs in {folder}", remedy="use another --folder")
    with locked(folder / "demo.lock", busy=busy):
        yield
