"""The settings, from environment variables. No other module reads `os.environ`."""

from __future__ import annotations

import difflib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pipeline import local_label_studio
from pipeline.errors import SettingsError

SECRETS_FILE = "secrets.json"
PREFIX = "WILDLOOP_"
SIMILARITY = 0.65  # at least, 0 to 1, between a misspelt name and the right one, both without the prefix


@dataclass(frozen=True, kw_only=True)
class Variable:
    """The environment variable of a setting."""

    name: str
    meaning: str  # Markdown
    default: str  # Markdown
    parse: Callable[[str], Any]  # raises ValueError, with what the value must be


def _variable(
    name: str, meaning: str, *, default: str = "", parse: Callable[[str], Any] = str
) -> dict[str, Variable]:
    """Metadata of a field; `default` describes a default that is None or depends on other settings."""
    return {"variable": Variable(name=name, meaning=meaning, default=default, parse=parse)}


def _address(text: str) -> str:
    return text.rstrip("/")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("a whole number above 0")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one installation. Each field has its environment variable (`VARIABLES`)."""

    data_dir: Path = field(
        metadata=_variable(
            "WILDLOOP_DATA_DIR",
            "the data folder: crops, model versions, trained embedders, the embedded database, caches, "
            "generated secrets",
            default="`wildloop-data`",
            parse=lambda text: Path(text).expanduser().resolve(),
        )
    )
    database_url: str = field(
        metadata=_variable(
            "WILDLOOP_DATABASE_URL",
            "`postgresql+psycopg2://user:password@host/name` for a server",
            default="SQLite in the data folder",
        )
    )
    redis_url: str | None = field(
        default=None,
        metadata=_variable(
            "REDIS_URL",
            "RQ carries the runs; without it one worker process takes them from the database",
            default="none",
        ),
    )
    redis_prefix: str = field(
        default="wildloop",
        metadata=_variable("WILDLOOP_REDIS_PREFIX", "the names of the queues in Redis begin with it"),
    )
    label_studio_url: str = field(
        default="http://localhost:8080",
        metadata=_variable(
            "LABEL_STUDIO_URL",
            "the Label Studio server",
            default="that of `wildloop label-studio`, else `http://localhost:8080`",
            parse=_address,
        ),
    )
    label_studio_api_key: str | None = field(
        default=None,
        metadata=_variable(
            "LABEL_STUDIO_API_KEY",
            "a legacy token or a personal access token",
            default="that of `wildloop label-studio`, else none",
        ),
    )
    files_root: Path | None = field(
        default=None,
        metadata=_variable(
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
            "the same as for Label Studio itself",
            default="the folder that holds the data folder",
            parse=lambda text: Path(text).expanduser().absolute(),
        ),
    )
    backend_url: str = field(
        default="http://localhost:9090",
        metadata=_variable(
            "WILDLOOP_BACKEND_URL", "where Label Studio reaches `wildloop serve`", parse=_address
        ),
    )
    basic_auth_user: str | None = field(
        default=None,
        metadata=_variable("WILDLOOP_BASIC_AUTH_USER", "basic auth of the backend", default="generated"),
    )
    basic_auth_password: str | None = field(
        default=None,
        metadata=_variable("WILDLOOP_BASIC_AUTH_PASSWORD", "basic auth of the backend", default="generated"),
    )
    webhook_secret: str | None = field(
        default=None,
        metadata=_variable(
            "WILDLOOP_WEBHOOK_SECRET", "the header `X-Wildloop-Secret` of the webhook", default="generated"
        ),
    )
    embedder: str = field(
        default="auto",
        metadata=_variable(
            "WILDLOOP_EMBEDDER", "the embedder of new projects: see [Embedders](../embedders.md)"
        ),
    )
    top_k: int = field(
        default=100,
        metadata=_variable("WILDLOOP_TOP_K", "crops in the queue of each version, at least", parse=_positive),
    )
    retrain_every: int = field(
        default=20,
        metadata=_variable(
            "WILDLOOP_RETRAIN_EVERY",
            "new labels that trigger a training, at first; grows to a fifth of the labels",
            parse=_positive,
        ),
    )
    sync_seconds: float = field(
        default=60.0,
        metadata=_variable(
            "WILDLOOP_SYNC_SECONDS",
            "seconds between two syncs of the worker",
            parse=lambda text: float(_positive(text)),
        ),
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of `environ`. An empty variable counts as not set.

        Label Studio's address and token are those of `wildloop label-studio`, if it was started with this
        data folder, unless LABEL_STUDIO_URL names another server. Raises SettingsError, with the name of the
        variable, if a value is invalid.
        """
        values: dict[str, Any] = {}
        for name, variable in VARIABLES.items():
            text = environ.get(variable.name)
            if not text:
                continue
            try:
                values[name] = variable.parse(text)
            except ValueError as exc:
                raise SettingsError(
                    f"{variable.name}={text!r} is not {exc}",
                    remedy=f"unset {variable.name} for {variable.default.strip('`')}",
                ) from exc
        data_dir = values.setdefault("data_dir", Path("wildloop-data").resolve())
        values.setdefault("database_url", f"sqlite:///{data_dir / 'wildloop.db'}")
        return cls(**_of_local_server(data_dir, values.get("label_studio_url")) | values)

    def with_secrets(self, *, generate: bool = True) -> Settings:
        """These settings with all secrets. Those that are not set are generated once and stored.

        They are in `secrets.json` of the data folder, which only its owner can read. Without `generate`,
        secrets that were neither set nor generated before stay None.
        """
        path = self.data_dir / SECRETS_FILE
        if self.basic_auth_user and self.basic_auth_password and self.webhook_secret:
            return self
        if not generate and not path.exists():
            return self
        generated = _stored_secrets(path)
        return replace(
            self,
            basic_auth_user=self.basic_auth_user or generated["basic_auth_user"],
            basic_auth_password=self.basic_auth_password or generated["basic_auth_password"],
            webhook_secret=self.webhook_secret or generated["webhook_secret"],
        )

    def with_unsaved_secrets(self) -> Settings:
        """These settings with a made-up value for each secret that is missing."""
        made_up = _fresh_secrets()
        return replace(
            self,
            basic_auth_user=self.basic_auth_user or made_up["basic_auth_user"],
            basic_auth_password=self.basic_auth_password or made_up["basic_auth_password"],
            webhook_secret=self.webhook_secret or made_up["webhook_secret"],
        )


def _described(default: Any, variable: Variable) -> Variable:
    """The variable with a description of its default."""
    number = f"{default:g}" if isinstance(default, float) else default
    return replace(variable, default=variable.default or f"`{number}`")


VARIABLES: Mapping[str, Variable] = {  # by the name of the field
    each.name: _described(each.default, each.metadata["variable"]) for each in fields(Settings)
}


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str | None]]:
    """The `WILDLOOP_*` variables that are not settings, sorted, each with the most similar setting if any."""
    names = {
        variable.name.removeprefix(PREFIX)
        for variable in VARIABLES.values()
        if variable.name.startswith(PREFIX)
    }
    unknown: list[tuple[str, str | None]] = []
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in names:
            continue
        similar = difflib.get_close_matches(name, names, n=1, cutoff=SIMILARITY)
        unknown.append((variable, PREFIX + similar[0] if similar else None))
    return unknown


def child_environ(changes: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with `changes`, for child processes."""
    return {**os.environ, **changes}


def _of_local_server(data_dir: Path, url: str | None) -> dict[str, Any]:
    """The settings of the Label Studio that was started for this data folder, unless `url` is another's."""
    try:
        local = local_label_studio.read(data_dir)
    except ValueError as exc:
        remedy = "delete it: `wildloop label-studio` makes another account"
        raise SettingsError(str(exc), remedy=remedy) from exc
    if local is None or url not in (None, local.url):  # never a token to another server
        return {}
    return {
        "label_studio_url": local.url,
        "label_studio_api_key": local.account.token,
        "backend_url": local.backend_url,
        "files_root": local.files_root,
    }


def _fresh_secrets() -> dict[str, str]:
    return {
        "basic_auth_user": "wildloop",
        "basic_auth_password": secrets.token_urlsafe(24),
        "webhook_secret": secrets.token_urlsafe(24),
    }


def _stored_secrets(path: Path) -> dict[str, str]:
    """Read the secrets file, or create it: if several processes do so, all read the file of the first."""
    fresh = _fresh_secrets()
    if not path.exists():
        from pipeline.files.atomic import atomic_file  # imported here, because every command imports settings
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
            f"{path} is not a secrets file of Wildloop", remedy="delete it to generate new secrets"
        ) from exc
