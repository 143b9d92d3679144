"""Everything that the environment says, read once. No other module looks at `os.environ`."""

from __future__ import annotations

import difflib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import SettingsError

SECRETS_FILE = "secrets.json"
_PREFIX = "WILDLOOP_"
_RESEMBLANCE = 0.65  # least similarity, 0 to 1, of a name's part behind the prefix to the right one


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things lie and how often they happen."""

    data_dir: Path  # crops, model versions, the embedded database, generated secrets
    database_url: str  # SQLAlchemy URL
    redis_url: str | None = None  # RQ carries the jobs where set
    redis_prefix: str = "wildloop"  # names of our queues begin with it
    label_studio_url: str = "http://localhost:8080"
    label_studio_api_key: str | None = None
    files_root: Path | None = None  # of Label Studio; None: the folder that holds the data folder
    backend_url: str = "http://localhost:9090"  # as Label Studio reaches us
    basic_auth_user: str | None = None
    basic_auth_password: str | None = None
    webhook_secret: str | None = None
    embedder: str = "auto"
    top_k: int = 100  # predictions pushed for each version
    retrain_every: int = 20  # new labels, at first; grows with the labels
    sync_seconds: float = 60.0  # the worker's timer

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `WILDLOOP_*`, `REDIS_URL` and `LABEL_STUDIO_*`; errors name the variable."""
        data_dir = Path(environ.get("WILDLOOP_DATA_DIR") or "wildloop-data").expanduser().resolve()
        return cls(
            data_dir=data_dir,
            database_url=environ.get("WILDLOOP_DATABASE_URL") or f"sqlite:///{data_dir / 'wildloop.db'}",
            redis_url=environ.get("REDIS_URL") or None,
            redis_prefix=environ.get("WILDLOOP_REDIS_PREFIX") or "wildloop",
            label_studio_url=(environ.get("LABEL_STUDIO_URL") or cls.label_studio_url).rstrip("/"),
            label_studio_api_key=environ.get("LABEL_STUDIO_API_KEY") or None,
            files_root=_path(environ, "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"),
            backend_url=(environ.get("WILDLOOP_BACKEND_URL") or cls.backend_url).rstrip("/"),
            basic_auth_user=environ.get("WILDLOOP_BASIC_AUTH_USER") or None,
            basic_auth_password=environ.get("WILDLOOP_BASIC_AUTH_PASSWORD") or None,
            webhook_secret=environ.get("WILDLOOP_WEBHOOK_SECRET") or None,
            embedder=environ.get("WILDLOOP_EMBEDDER") or "auto",
            top_k=_positive(environ, "WILDLOOP_TOP_K", cls.top_k),
            retrain_every=_positive(environ, "WILDLOOP_RETRAIN_EVERY", cls.retrain_every),
            sync_seconds=float(_positive(environ, "WILDLOOP_SYNC_SECONDS", int(cls.sync_seconds))),
        )

    def with_secrets(self) -> Settings:
        """These settings with every secret present: configured, or generated once and kept.

        Generated secrets lie in `secrets.json` of the data folder, readable by its owner alone.
        """
        if self.basic_auth_user and self.basic_auth_password and self.webhook_secret:
            return self
        generated = _stored_secrets(self.data_dir / SECRETS_FILE)
        return replace(
            self,
            basic_auth_user=self.basic_auth_user or generated["basic_auth_user"],
            basic_auth_password=self.basic_auth_password or generated["basic_auth_password"],
            webhook_secret=self.webhook_secret or generated["webhook_secret"],
        )


class _Names(Mapping[str, str]):
    """An empty environment that keeps the names of the variables that are read from it."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def misspelt_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that Wildloop does not read, each with the name that it does read and that resembles it."""
    names = _Names()
    Settings.from_environ(names)
    known = {name.removeprefix(_PREFIX) for name in names.read if name.startswith(_PREFIX)}
    misspelt = {}
    for name in sorted(environ):
        rest = name.removeprefix(_PREFIX)
        if rest == name or rest in known:
            continue
        for right in difflib.get_close_matches(rest, known, n=1, cutoff=_RESEMBLANCE):
            misspelt[name] = _PREFIX + right
    return misspelt


def child_environ(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `changes`, for child processes."""
    return {**os.environ, **changes}


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    return Path(text).expanduser().absolute() if text else None


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise SettingsError(
            f"{name}={text!r} is not a whole number above 0", remedy=f"unset {name} for {default}"
        )
    return int(text)


def _stored_secrets(path: Path) -> dict[str, str]:
    """Read the secrets file. If it is missing, create it: of several processes one does, all read it."""
    fresh = {
        "basic_auth_user": "wildloop",
        "basic_auth_password": secrets.token_urlsafe(24),
        "webhook_secret": secrets.token_urlsafe(24),
    }
    if not path.exists():
        from pipeline.files.atomic import atomic_file  # here, as every command imports the settings
        from pipeline.files.lock import locked

        with locked(path.with_suffix(".lock")):
            if not path.exists():
                with atomic_file(path, private=True) as draft:
                    draft.write_text(json.dumps(fresh))
    try:
        stored = json.loads(path.read_text())
        return {name: str(stored[name]) for name in fresh}
    except (ValueError, KeyError, TypeError) as exc:
        raise SettingsError(
            f"{path} is not a secrets file of ours", remedy="delete it to have new secrets made"
        ) from exc
