"""Authentication of requests: basic auth, or the webhook's secret."""

from __future__ import annotations

import hmac

from flask import Request

from pipeline.errors import SettingsError
from pipeline.label_studio.ml_backend import SECRET_HEADER
from pipeline.settings import Settings


class Guard:
    """Compares the credentials of requests with the settings, in constant time."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError if a secret is missing: the backend never runs without authentication."""
        user, password, secret = (
            settings.basic_auth_user,
            settings.basic_auth_password,
            settings.webhook_secret,
        )
        if not (user and password and secret):
            raise SettingsError("the backend needs its secrets", remedy="see Settings.with_secrets")
        self._user, self._password, self._secret = user, password, secret

    def has_basic_auth(self, request: Request) -> bool:
        """Whether the request has the user and password that Label Studio uses for the backend."""
        given = request.authorization
        if given is None or given.type != "basic":
            return False
        # Compare both in any case: the time must not depend on which of them is wrong.
        user = _is_equal(given.username or "", self._user)
        password = _is_equal(given.password or "", self._password)
        return user and password

    def has_webhook_secret(self, request: Request) -> bool:
        """Whether the request has the webhook's secret. Webhooks cannot use basic auth."""
        return _is_equal(request.headers.get(SECRET_HEADER, ""), self._secret)


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
