"""Who may ask: basic auth everywhere but on `/health`; the webhook's own secret on `/webhook`."""

from __future__ import annotations

import hmac

from flask import Request

from pipeline.errors import SettingsError
from pipeline.label_studio.ml_backend import SECRET_HEADER
from pipeline.settings import Settings


class Guard:
    """Compares what a request carries with the settings' secrets, in constant time."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError where a secret is missing: nothing is ever left open."""
        user, password, secret = (
            settings.basic_auth_user,
            settings.basic_auth_password,
            settings.webhook_secret,
        )
        if not (user and password and secret):
            raise SettingsError("the backend needs its secrets", remedy="see Settings.with_secrets")
        self._user, self._password, self._secret = user, password, secret

    def has_basic_auth(self, request: Request) -> bool:
        """Whether the request carries the basic auth that Label Studio was given."""
        given = request.authorization
        if given is None or given.type != "basic":
            return False
        user = _same(given.username or "", self._user)
        password = _same(given.password or "", self._password)
        return user and password

    def has_webhook_secret(self, request: Request) -> bool:
        """Whether the request carries the webhook's secret: webhooks cannot carry basic auth."""
        return _same(request.headers.get(SECRET_HEADER, ""), self._secret)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
