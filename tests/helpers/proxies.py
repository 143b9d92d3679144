"""What stands before a Label Studio: a reverse proxy below a path, TLS, a redirect to https."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

# Headers of one connection, which are not passed on.
CONNECTION = ("connection", "transfer-encoding", "content-length", "accept-encoding")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate for localhost that signs itself."""

    file: Path
    key: Path


def certificate(folder: Path, *, host: str = "localhost") -> Certificate:
    """Make a self-signed certificate in `folder`."""
    made = Certificate(file=folder / "server.crt", key=folder / "server.key")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    command += ["-keyout", str(made.key), "-out", str(made.file)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@contextlib.contextmanager
def below_path(target: str, path: str, tls: Certificate | None = None) -> Iterator[str]:
    """A proxy that passes what it gets below `path` on to `target`, without `path`; its address."""
    host = urlsplit(target).netloc

    class Proxy(_Quiet):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith(path + "/"):
                self.send(404, [], b"not found")
                return
            connection = http.client.HTTPConnection(host, timeout=60)
            headers = {name: text for name, text in self.headers.items() if name.lower() not in CONNECTION}
            with contextlib.closing(connection):
                connection.request(self.command, self.path.removeprefix(path), body, headers)
                response = connection.getresponse()
                self.send(response.status, response.headers.items(), response.read())

    with _running(Proxy, tls) as address:
        yield address + path


@contextlib.contextmanager
def redirecting(to: str) -> Iterator[str]:
    """A server that answers everything with 301 to the same path below `to`; its address."""

    class Redirect(_Quiet):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send(301, [("Location", to + self.path)], b"")

    with _running(Redirect, None) as address:
        yield address


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        raise NotImplementedError

    def send(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, text in headers:
            if name.lower() not in CONNECTION:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET


@contextlib.contextmanager
def _running(handler: type[BaseHTTPRequestHandler], tls: Certificate | None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.file, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
