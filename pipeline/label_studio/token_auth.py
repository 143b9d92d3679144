"""Authentication by a Label Studio token, legacy or JWT refresh."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Generator, Mapping
from typing import Any

import httpx

from pipeline.errors import LabelStudioError

EXPIRY_MARGIN_SECONDS = 10.0  # an access token that expires sooner is replaced


class TokenAuth(httpx.Auth):
    """Adds the token to each request: a legacy token itself, or an access token for a refresh token.

    Access tokens are requested when needed and shared by all threads.
    """

    def __init__(self, url: str, token: str) -> None:
        """`url` is the address of Label Studio. Raises LabelStudioError if the token has expired."""
        claims = _claims(token)
        if claims is not None and not _is_valid(claims, margin=0.0):
            raise LabelStudioError(
                "the token of Label Studio has expired",
                remedy="copy a new one from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
            )
        self.is_legacy = claims is None
        self._refresh_url = f"{url}/api/token/refresh/"
        self._token = token
        self._access_token = ""
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send `request` with the token.

        If Label Studio gives no access token, its answer to that becomes the answer to `request`.
        """
        if self.is_legacy:
            request.headers["Authorization"] = f"Token {self._token}"
        else:
            with self._lock:
                if not _is_valid(_claims(self._access_token) or {}, margin=EXPIRY_MARGIN_SECONDS):
                    response = yield httpx.Request(
                        "POST",
                        self._refresh_url,
                        json={"refresh": self._token},
                        extensions=request.extensions,  # the timeout
                    )
                    response.read()
                    try:
                        self._access_token = str(response.json()["access"])
                    except (ValueError, LookupError, TypeError):
                        return
            request.headers["Authorization"] = f"Bearer {self._access_token}"
        yield request


def _claims(token: str) -> Mapping[str, Any] | None:
    """The claims of a JWT; None if `token` is not one."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _is_valid(claims: Mapping[str, Any], *, margin: float) -> bool:
    expires = claims.get("exp")
    return isinstance(expires, int | float) and expires > time.time() + margin
