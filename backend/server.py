"""The backend under gunicorn, as several processes that share only the database."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from backend.app import create_app
from pipeline.settings import Settings
from pipeline.workspace import open_workspace

THREADS = 4  # a webhook must not wait while a photograph is downloaded
TIMEOUT_SECONDS = 120  # Label Studio waits 100 s for predictions
GRACE_SECONDS = 5  # to finish requests after a signal to stop


class Server(BaseApplication):  # type: ignore[misc]
    """A gunicorn server of the backend."""

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
            "keepalive": 1,  # seconds: Label Studio opens a new connection for each call
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # older releases have no control socket
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application in each process: database connections do not survive a fork."""
        return create_app(open_workspace(self._settings))


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve the backend until SIGTERM or SIGINT. Missing secrets are generated first."""
    settings = settings.with_secrets()
    workspace = open_workspace(settings)  # fail here, not in the processes
    workspace.database.dispose()
    Server(settings, host=host, port=port, workers=workers).run()
