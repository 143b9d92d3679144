"""The Label Studio that `wildloop label-studio` runs on this machine: where it is, and who logs in.

The data folder keeps this in a file that only its owner can read, so that every command finds the server
without variables.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE = "label-studio.json"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A login, and the legacy token that belongs to it."""

    user: str  # an email address
    password: str
    token: str


@dataclass(frozen=True, kw_only=True)
class LocalLabelStudio:
    """The server, the ML backend beside it, and its first account."""

    url: str
    backend_url: str
    files_root: Path  # below which it may serve files
    account: Account


def fresh_account(user: str) -> Account:
    """An account with a new password and token."""
    return Account(user=user, password=secrets.token_urlsafe(9), token=secrets.token_hex(20))


def read(data_dir: Path) -> LocalLabelStudio | None:
    """What the data folder keeps; None before the first start. Raises ValueError for another file."""
    try:
        text = (data_dir / FILE).read_bytes()
    except (FileNotFoundError, PermissionError):  # another user of this machine has no part in it
        return None
    try:
        stored = json.loads(text)
        account = Account(**{field.name: str(stored["account"][field.name]) for field in fields(Account)})
        return LocalLabelStudio(
            url=str(stored["url"]),
            backend_url=str(stored["backend_url"]),
            files_root=Path(stored["files_root"]),
            account=account,
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"{data_dir / FILE} is not a file of `wildloop label-studio`") from exc


def write(data_dir: Path, server: LocalLabelStudio) -> None:
    """Keep it in the data folder, readable by its owner alone."""
    from pipeline.files.atomic import atomic_file  # imported here, because every command imports this

    with atomic_file(data_dir / FILE, private=True) as draft:
        draft.write_text(json.dumps(asdict(server), indent=2, default=str), encoding="utf-8")
