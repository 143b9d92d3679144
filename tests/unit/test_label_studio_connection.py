"""Calls that go wrong: each failure names the call and the remedy, and only reads are tried again."""

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
    """Answers every request with the next of its scripted answers, then with the last one again."""

    answers: list[tuple[int, str]]
    asked: list[str]
    delay: float


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay)
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server(("127.0.0.1", 0), Handler)
    started.answers, started.asked, started.delay = [(200, "{}")], [], 0.0
    thread = threading.Thread(target=started.serve_forever, daemon=True)
    thread.start()
    yield started
    started.shutdown()
    started.server_close()


def client(server: Server, *, timeout: float = 60.0) -> LabelStudio:
    return LabelStudio(f"http://127.0.0.1:{server.server_port}", "a-legacy-token", timeout=timeout)


def test_a_read_is_tried_again_where_the_server_errs(server: Server) -> None:
    server.answers = [(502, "bad gateway"), (200, json.dumps({"release": "1.23.2"}))]
    assert client(server).version() == "1.23.2"
    assert len(server.asked) == 2


def test_a_write_is_never_tried_again(server: Server) -> None:
    server.answers = [(502, "bad gateway")]
    with pytest.raises(LabelStudioError, match="importing 1 tasks into project 3"):
        client(server).import_tasks(3, [{"crop": "x"}])
    with pytest.raises(LabelStudioError, match="creating the project"):
        client(server).create_project(title="t")
    assert len(server.asked) == 2


def test_a_refusal_tells_label_studios_own_words_and_the_remedy(server: Server) -> None:
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


def test_a_server_that_is_not_label_studio_is_named(server: Server) -> None:
    server.answers = [(200, "<html>hello</html>")]
    with pytest.raises(LabelStudioError, match=r"something other than JSON .*LABEL_STUDIO_URL"):
        client(server).version()


def test_a_server_that_does_not_answer_is_given_up(server: Server) -> None:
    server.delay = 2.0
    with pytest.raises(LabelStudioError, match="did not answer in time"):
        client(server, timeout=0.2).project(1)


def test_nobody_at_the_address_is_told_with_the_remedy() -> None:
    with pytest.raises(LabelStudioError, match=r"cannot be reached: .*LABEL_STUDIO_URL"):
        LabelStudio("http://127.0.0.1:9", "a-legacy-token").project(1)
    with pytest.raises(LabelStudioError, match="cannot be reached"):
        LabelStudio("no address", "a-legacy-token").project(1)


def test_a_token_is_needed_and_must_not_have_expired() -> None:
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_API_KEY"):
        LabelStudio("http://127.0.0.1:9", None)
    with pytest.raises(LabelStudioError, match=r"reading the token: .* expired"):
        LabelStudio("http://127.0.0.1:9", refresh_token(expires=1))


def test_a_refresh_token_is_exchanged_before_the_first_call(server: Server) -> None:
    access = refresh_token(expires=4_000_000_000)
    server.answers = [(200, json.dumps({"access": access})), (200, json.dumps({"email": "ann@example.org"}))]
    asked = LabelStudio(f"http://127.0.0.1:{server.server_port}", refresh_token(expires=4_000_000_000))
    assert not asked.uses_legacy_token
    assert asked.whoami()["email"] == "ann@example.org"
    assert server.asked[0].startswith("POST /api/token/refresh")


def test_an_import_that_names_too_few_ids_is_an_error(server: Server) -> None:
    server.answers = [(201, json.dumps({"import": 5}))]  # what other editions answer
    with pytest.raises(LabelStudioError, match="Label Studio named 0 ids"):
        client(server).import_tasks(3, [{"crop": "x"}])


def refresh_token(*, expires: int) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", "exp": expires, "user_id": "1"}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])
