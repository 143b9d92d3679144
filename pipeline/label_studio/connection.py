"""How a call reaches Label Studio: tokens, timeouts, retries, and one error for whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pipeline.errors import LabelStudioError

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk.core.api_error import ApiError

READ_RETRIES = 2  # a read asks for nothing but an answer; a write that failed may have happened
TIMEOUT_SECONDS = 60.0
BULK_TIMEOUT_SECONDS = 600.0  # 1,000 predictions take a minute on a server without the import flag

Answer = TypeVar("Answer")


class ApiResponseError(LabelStudioError):
    """Label Studio answered, and the answer was no."""

    def __init__(self, message: str, *, status: int, detail: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status  # of HTTP
        self.detail = detail  # Label Studio's own words


class Connection:
    """One Label Studio and one token of it, legacy or JWT refresh (the SDK tells them apart).

    Constructing it asks nothing of the server. Raises LabelStudioError where the token has expired.
    """

    def __init__(self, url: str, api_key: str | None, *, timeout: float = TIMEOUT_SECONDS) -> None:
        if not api_key:
            raise LabelStudioError(
                "no token of Label Studio is set",
                remedy="copy one from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
            )
        # Not `label_studio_sdk.LabelStudio`: its extensions take 5 s to import and are not used here.
        from label_studio_sdk.base_client import LabelStudioBase

        self.url = url.rstrip("/")
        self._timeout = timeout
        self.sdk: Any = self._call(
            "reading the token",
            lambda: LabelStudioBase(base_url=self.url, api_key=api_key, timeout=timeout),
        )

    @property
    def uses_legacy_token(self) -> bool:
        """Whether the token is one of the old kind, which an organization can switch off."""
        return bool(self.sdk._client_wrapper._tokens_client._use_legacy_token)

    def read(self, what: str, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """An SDK method that changes nothing, tried again where the connection breaks or the server errs."""
        options = {"max_retries": READ_RETRIES}
        return self._call(what, lambda: call(*args, **kwargs, request_options=options))

    def write(self, what: str, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """An SDK method that changes something: tried once, with the time that bulk work takes."""
        options = {"max_retries": 0, "timeout": BULK_TIMEOUT_SECONDS}
        return self._call(what, lambda: call(*args, **kwargs, request_options=options))

    def get(
        self, what: str, path: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """The JSON at an address that the SDK has no method for."""
        options = {"max_retries": READ_RETRIES, "timeout": timeout or self._timeout}
        return self._json(what, self._request(what, "GET", path, params=params, request_options=options))

    def content(self, what: str, path: str, limit: int) -> bytes:
        """The bytes at an address of the server, `limit` of them at most."""
        from label_studio_sdk.core.api_error import ApiError

        def ask() -> bytes:
            read = bytearray()
            with self.sdk._client_wrapper.httpx_client.stream(path, method="GET") as response:
                if response.status_code >= 400:
                    raise ApiError(status_code=response.status_code, body=response.read())
                for part in response.iter_bytes():
                    read += part
                    if len(read) > limit:
                        raise LabelStudioError(f"{what}: more than {limit} bytes are there")
            return bytes(read)

        return self._call(what, ask)

    def send(
        self,
        what: str,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send JSON to an address that the SDK has no method for, once; returns the JSON answered."""
        options = {"max_retries": 0, "timeout": BULK_TIMEOUT_SECONDS}
        answer = self._request(what, method, path, json=body, params=params, request_options=options)
        return self._json(what, answer)

    def _request(self, what: str, method: str, path: str, **kwargs: Any) -> httpx.Response:
        from label_studio_sdk.core.api_error import ApiError

        def ask() -> httpx.Response:
            response: httpx.Response = self.sdk._client_wrapper.httpx_client.request(
                path, method=method, **kwargs
            )
            if response.status_code >= 400:
                raise ApiError(status_code=response.status_code, body=response.text)
            return response

        return self._call(what, ask)

    def _json(self, what: str, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as exc:
            raise LabelStudioError(
                f"{what}: {self.url} answered with something other than JSON",
                remedy="is LABEL_STUDIO_URL the address of Label Studio itself?",
            ) from exc

    def _call(self, what: str, ask: Callable[[], Answer]) -> Answer:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            return ask()
        except ApiError as exc:
            self._refused(what, exc)
        except httpx.TimeoutException as exc:
            raise LabelStudioError(
                f"{what}: Label Studio at {self.url} did not answer in time",
                remedy="is the server overloaded? the step can be run again",
            ) from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise LabelStudioError(
                f"{what}: Label Studio at {self.url} cannot be reached: {exc}",
                remedy="start it, or set LABEL_STUDIO_URL to its address",
            ) from exc

    def _refused(self, what: str, exc: ApiError) -> NoReturn:
        detail = _detail(exc.body)
        status = exc.status_code or 0
        raise ApiResponseError(
            f"{what}: Label Studio answered {status or 'no'}: {detail}",
            status=status,
            detail=detail,
            remedy=_remedy(status),
        ) from exc


def _detail(body: Any) -> str:
    """What Label Studio says is wrong, without the wrapping: its errors field by field, or its sentence."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
        except ValueError:
            return str(body)[:300].strip()
    if not isinstance(body, Mapping):
        return str(body)[:300]
    errors = body.get("validation_errors")
    if isinstance(errors, Mapping) and errors:
        said = [
            (f"{field}: " if field != "non_field_errors" else "")
            + (" ".join(map(str, texts)) if isinstance(texts, list) else str(texts))
            for field, texts in errors.items()
        ]
        return "; ".join(said)
    return str(body.get("detail") or body)


def _remedy(status: int) -> str | None:
    if status == 401:
        return "set LABEL_STUDIO_API_KEY to a valid token: Account & Settings > Access Token"
    if status == 403:
        return "the account of this token lacks the permission"
    if status >= 500:
        return "the log of Label Studio says more"
    return None
