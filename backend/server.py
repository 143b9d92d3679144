"""The backend under gunicorn: processes that share nothing but the store."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from backend.app import create_app
from pipeline.settings import Settings
from pipeline.workspace import open_workspace

THREADS = 4  # a webhook must not wait behind a photograph that is fetched
TIMEOUT_SECONDS = 120  # Label Studio waits 100 for predictions
GRACE_SECONDS = 5  # for requests under way, once asked to stop


class Server(BaseApplication):  # type: ignore[misc]
    """Serves until it is told to stop."""

    def __init__(self, settings: Settings, *, host: str, port: int, workers: int) -> None:
        self._settings = settings
        self._options: dict[str, Any] = {
            "bind": f"{host}:{port}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": TIMEOUT_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "proc_name": "wildloop",
            "keepalive": 1,  # seconds: Label Studio opens a connection for each call
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # older gunicorns have no control socket
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, made in each worker: connections do not survive a fork, imports do."""
        return create_app(open_workspace(self._settings))


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve the backend until SIGTERM or SIGINT. The secrets are there before the first request."""
    settings = settings.with_secrets()
    workspace = open_workspace(settings)  # a store that cannot be opened ends the command, not its workers
    workspace.database.dispose()
    Server(settings, host=host, port=port, workers=workers).run()
