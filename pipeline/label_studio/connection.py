"""Calls to Label Studio: timeouts, retries, and one error for everything that can go wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import LabelStudioError
from pipeline.label_studio import certificates, redirects

if TYPE_CHECKING:
    import httpx

READ_RETRIES = 2  # only reads are repeated: a write whose answer is lost may have had its effect
MAX_PAUSE_SECONDS = 60.0  # between two attempts
TIMEOUT_SECONDS = 60.0
BULK_TIMEOUT_SECONDS = 600.0  # 1,000 predictions take a minute on a server without the fast-import flag

Answer = TypeVar("Answer")
_NOT_THERE = "start it, on this machine with `wildloop label-studio`, or set LABEL_STUDIO_URL to its address"


class ApiResponseError(LabelStudioError):
    """Label Studio answered with an error."""

    def __init__(self, message: str, *, status: int, detail: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status  # HTTP status code
        self.detail = detail  # the error in Label Studio's words


class Connection:
    """A connection to one Label Studio with one token, legacy or JWT refresh.

    `what` describes each call in errors, such as "reading project 3".
    """

    def __init__(self, url: str, api_key: str | None, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Does not connect yet. Raises LabelStudioError if the token is missing or has expired."""
        if not api_key:
            raise LabelStudioError(
                "no token for Label Studio is set",
                remedy="copy one from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
            )
        import httpx

        # Not `label_studio_sdk.LabelStudio`: its extensions take 5 s to import and are not used here.
        from label_studio_sdk.base_client import LabelStudioBase

        from pipeline.label_studio.token_auth import TokenAuth

        self.url = url.rstrip("/")
        self._timeout = timeout
        auth = TokenAuth(self.url, api_key)
        self.uses_legacy_token = auth.is_legacy
        self._http = httpx.Client(
            auth=auth,
            timeout=timeout,
            verify=certificates.trusted(),
            follow_redirects=True,
            event_hooks={"response": [lambda response: redirects.refuse(self.url, response)]},
        )
        self.sdk: Any = LabelStudioBase(
            base_url=self.url,
            api_key="replaced by the auth of the HTTP client",
            timeout=timeout,
            httpx_client=self._http,
        )

    def read(self, what: str, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Call an SDK method that changes nothing; repeated if the connection or the server fails."""
        options = {"max_retries": READ_RETRIES}
        return self._call(what, lambda: call(*args, **kwargs, request_options=options))

    def write(self, what: str, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Call an SDK method that changes something; never repeated, with the timeout for bulk work."""
        options = {"max_retries": 0, "timeout": BULK_TIMEOUT_SECONDS}
        return self._call(what, lambda: call(*args, **kwargs, request_options=options))

    def get(
        self, what: str, path: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """The JSON at `path`; repeated if the connection or the server fails."""
        response = self._request(
            what, "GET", path, retries=READ_RETRIES, params=params, timeout=timeout or self._timeout
        )
        return self._json(what, response)

    def send(
        self, what: str, method: str, path: str, body: Any, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send JSON to `path`, once; returns the JSON of the answer."""
        response = self._request(
            what, method, path, retries=0, json=body, params=params, timeout=BULK_TIMEOUT_SECONDS
        )
        return self._json(what, response)

    def content(self, what: str, path: str, limit: int) -> bytes:
        """The bytes at `path`, or where Label Studio redirects to, such as a cloud storage.

        The token goes to Label Studio alone. Raises LabelStudioError if there are more than `limit`.
        """

        def download() -> bytes:
            content = bytearray()
            options = {redirects.MAY_LEAVE: True}
            with self._http.stream("GET", self._address(path), extensions=options) as response:
                if response.status_code >= 400:
                    raise _response_error(what, response.status_code, response.read())
                for part in response.iter_bytes():
                    content += part
                    if len(content) > limit:
                        raise LabelStudioError(f"{what}: the file is larger than {limit} bytes")
            return bytes(content)

        return self._call(what, download)

    def redirect_of(self, path: str) -> str | None:
        """Where a browser that has not logged in is sent from `path`; None if it stays there."""
        import httpx

        def ask() -> str | None:
            response = self._http.get(
                self._address(path),
                auth=httpx.Auth(),
                follow_redirects=False,
                extensions={redirects.ASKED: True},
            )
            location: str | None = response.headers.get("Location")
            return location

        return self._call("asking for the address of the login page", ask)

    def _request(self, what: str, method: str, path: str, *, retries: int, **options: Any) -> httpx.Response:
        import httpx

        def request() -> httpx.Response:
            attempt = 0
            while True:
                pause = 2.0**attempt
                try:
                    response = self._http.request(method, self._address(path), **options)
                except (httpx.ConnectError, httpx.RemoteProtocolError) as exc:
                    if attempt == retries or certificates.problem(exc) is not None:
                        raise
                else:
                    if attempt == retries or not _is_transient(response.status_code):
                        return response
                    wanted = response.headers.get("Retry-After", "")
                    pause = float(wanted) if wanted.isdecimal() else pause
                time.sleep(min(pause, MAX_PAUSE_SECONDS))
                attempt += 1

        response = self._call(what, request)
        if response.status_code >= 400:
            raise _response_error(what, response.status_code, response.text)
        return response

    def _address(self, path: str) -> str:
        return f"{self.url}/{path.lstrip('/')}"

    def _json(self, what: str, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as exc:
            raise LabelStudioError(
                f"{what}: the answer of {self.url} is not JSON",
                remedy="check that LABEL_STUDIO_URL is the address of Label Studio itself",
            ) from exc

    def _call(self, what: str, call: Callable[[], Answer]) -> Answer:
        """Call `call` and translate the errors of HTTP and the SDK."""
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            return call()
        except ApiError as exc:
            raise _response_error(what, exc.status_code or 0, exc.body) from exc
        except httpx.TimeoutException as exc:
            raise LabelStudioError(
                f"{what}: Label Studio at {self.url} did not answer in time",
                remedy="run the command again; if that does not help, check the load of the server",
            ) from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise LabelStudioError(
                f"{what}: Label Studio at {self.url} cannot be reached: {exc}",
                remedy=certificates.problem(exc) or _NOT_THERE,
            ) from exc


def _is_transient(status: int) -> bool:
    """Whether a later attempt may succeed: the rule of the SDK."""
    return status in (408, 409, 429) or status >= 500


def _response_error(what: str, status: int, body: Any) -> ApiResponseError:
    detail = _detail(body)
    return ApiResponseError(
        f"{what}: Label Studio answered {status}: {detail}",
        status=status,
        detail=detail,
        remedy=_remedy(status),
    )


def _detail(body: Any) -> str:
    """The error in a response: its validation errors by field, its `detail`, or the body itself."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except ValueError:
            text = body.decode(errors="replace") if isinstance(body, bytes) else body
            return text[:300].strip()
    if not isinstance(body, Mapping):
        return str(body)[:300]
    errors = body.get("validation_errors")
    if isinstance(errors, Mapping) and errors:
        details = [
            (f"{field}: " if field != "non_field_errors" else "")
            + (" ".join(map(str, texts)) if isinstance(texts, list) else str(texts))
            for field, texts in errors.items()
        ]
        return "; ".join(details)
    return str(body.get("detail") or body)


def _remedy(status: int) -> str | None:
    if status == 401:
        return "set LABEL_STUDIO_API_KEY to a valid token: Account & Settings > Access Token"
    if status == 403:
        return "use a token of an account with the permission"
    if status >= 500:
        return "see the log of Label Studio"
    return None
