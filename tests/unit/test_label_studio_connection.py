"""Failing calls: each error names the call and the remedy, and only reads are repeated."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import LabelStudioError
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import ApiResponseError


class Server(ThreadingHTTPServer):
    """Answers each request with the next of its answers, and repeats the last one."""

    answers: list[tuple[int, str]]
    requests: list[str]
    authorizations: list[str | None]
    delay: float
    retry_after: str | None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.authorizations.append(self.headers.get("Authorization"))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay)
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server(("127.0.0.1", 0), Handler)
    started.answers, started.delay, started.retry_after = [(200, "{}")], 0.0, None
    started.requests, started.authorizations = [], []
    thread = threading.Thread(target=started.serve_forever, daemon=True)
    thread.start()
    yield started
    started.shutdown()
    started.server_close()


def client(server: Server, *, timeout: float = 60.0) -> LabelStudio:
    return LabelStudio(f"http://127.0.0.1:{server.server_port}", "a-legacy-token", timeout=timeout)


def test_a_read_is_repeated_if_the_server_fails(server: Server) -> None:
    server.answers = [(502, "bad gateway"), (200, json.dumps({"release": "1.23.2"}))]
    assert client(server).version() == "1.23.2"
    assert len(server.requests) == 2


def test_pauses_between_attempts_grow_unless_the_server_names_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("pipeline.label_studio.connection.time.sleep", pauses.append)
    server.answers = [(503, "busy")]
    with pytest.raises(ApiResponseError, match="503: busy"):
        client(server).project(3)
    server.retry_after = "7"
    with pytest.raises(ApiResponseError, match="503: busy"):
        client(server).project(3)
    with pytest.raises(LabelStudioError, match="cannot be reached"):
        LabelStudio("http://127.0.0.1:9", "a-legacy-token").project(3)
    assert [pause for pause in pauses if pause] == [1.0, 2.0, 7.0, 7.0, 1.0, 2.0]


def test_a_write_is_never_repeated(server: Server) -> None:
    server.answers = [(502, "bad gateway")]
    with pytest.raises(LabelStudioError, match="importing 1 tasks into project 3"):
        client(server).import_tasks(3, [{"crop": "x"}])
    with pytest.raises(LabelStudioError, match="creating the project"):
        client(server).create_project(title="t")
    assert len(server.requests) == 2


def test_an_error_contains_the_detail_of_label_studio_and_the_remedy(server: Server) -> None:
    body = {
        "detail": "Validation error",
        "validation_errors": {"title": ["too long"], "non_field_errors": ["no"]},
    }
    server.answers = [(400, json.dumps(body))]
    with pytest.raises(ApiResponseError, match=r"changing title of project 3: .* 400: title: too long; no"):
        client(server).update_project(3, title="x" * 99)
    server.answers = [(401, json.dumps({"detail": "Invalid token."}))]
    with pytest.raises(ApiResponseError, match=r"401: Invalid token\. \(set LABEL_STUDIO_API_KEY"):
        client(server).whoami()


def test_an_answer_that_is_not_json_is_an_error(server: Server) -> None:
    server.answers = [(200, "<html>hello</html>")]
    with pytest.raises(LabelStudioError, match=r"is not JSON .*LABEL_STUDIO_URL"):
        client(server).version()


def test_a_server_that_does_not_answer_is_an_error(server: Server) -> None:
    server.delay = 2.0
    with pytest.raises(LabelStudioError, match="did not answer in time"):
        client(server, timeout=0.2).project(1)


def test_a_server_that_cannot_be_reached_is_an_error_with_the_remedy() -> None:
    with pytest.raises(LabelStudioError, match=r"cannot be reached: .*LABEL_STUDIO_URL"):
        LabelStudio("http://127.0.0.1:9", "a-legacy-token").project(1)
    with pytest.raises(LabelStudioError, match="cannot be reached"):
        LabelStudio("no address", "a-legacy-token").project(1)


def test_a_missing_or_expired_token_is_an_error() -> None:
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_API_KEY"):
        LabelStudio("http://127.0.0.1:9", None)
    with pytest.raises(LabelStudioError, match=r"token of Label Studio has expired .*LABEL_STUDIO_API_KEY"):
        LabelStudio("http://127.0.0.1:9", refresh_token(expires=1))


def test_a_refresh_token_is_exchanged_for_an_access_token(server: Server) -> None:
    access = refresh_token(expires=4_000_000_000)
    server.answers = [(200, json.dumps({"access": access})), (200, json.dumps({"email": "ann@example.org"}))]
    with_refresh_token = LabelStudio(
        f"http://127.0.0.1:{server.server_port}", refresh_token(expires=4_000_000_000)
    )
    assert not with_refresh_token.uses_legacy_token
    assert with_refresh_token.whoami()["email"] == "ann@example.org"
    assert server.requests[0].startswith("POST /api/token/refresh")
    with_refresh_token.whoami()
    assert len(server.requests) == 3  # the access token is used again
    assert server.authorizations[1:] == [f"Bearer {access}"] * 2


def test_an_access_token_that_expires_is_replaced(server: Server) -> None:
    expired = refresh_token(expires=1)
    server.answers = [(200, json.dumps({"access": expired}))]
    with_refresh_token = LabelStudio(
        f"http://127.0.0.1:{server.server_port}", refresh_token(expires=4_000_000_000)
    )
    with_refresh_token.whoami()
    with_refresh_token.whoami()
    assert [request.split("/")[2] for request in server.requests] == ["token", "current-user"] * 2


def test_a_refused_refresh_token_is_an_error_with_the_remedy(server: Server) -> None:
    server.answers = [(401, json.dumps({"detail": "Token is blacklisted"}))]
    with_refresh_token = LabelStudio(
        f"http://127.0.0.1:{server.server_port}", refresh_token(expires=4_000_000_000)
    )
    with pytest.raises(ApiResponseError, match=r"401: Token is blacklisted \(set LABEL_STUDIO_API_KEY"):
        with_refresh_token.whoami()
    with pytest.raises(ApiResponseError, match=r"creating the project: .* 401: Token is blacklisted"):
        with_refresh_token.create_project(title="t")
    assert {request.split()[1] for request in server.requests} == {"/api/token/refresh/"}


def test_every_call_carries_a_legacy_token(server: Server) -> None:
    server.answers = [(200, "[]")]
    api = client(server)
    assert api.uses_legacy_token
    api.local_storages(3)  # through the SDK
    api.content("/data/x.jpg")
    server.answers = [(200, "{}")]
    api.project(3)
    assert server.authorizations == ["Token a-legacy-token"] * 3


def test_a_file_above_the_limit_is_an_error(server: Server) -> None:
    server.answers = [(200, "12345")]
    assert client(server).content("/data/x.jpg", limit=5) == b"12345"
    with pytest.raises(LabelStudioError, match="larger than 4 bytes"):
        client(server).content("/data/x.jpg", limit=4)
    server.answers = [(404, json.dumps({"detail": "Not found."}))]
    with pytest.raises(ApiResponseError, match="404: Not found"):
        client(server).content("/data/x.jpg")


def test_an_import_that_returns_too_few_ids_is_an_error(server: Server) -> None:
    server.answers = [(201, json.dumps({"import": 5}))]  # the answer of other editions
    with pytest.raises(LabelStudioError, match="Label Studio returned 0 ids"):
        client(server).import_tasks(3, [{"crop": "x"}])


def refresh_token(*, expires: int) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", "exp": expires, "user_id": "1"}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])
