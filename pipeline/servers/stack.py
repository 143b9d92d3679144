"""Label Studio on this machine for one data folder, with the ML backend and a worker beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline import local_label_studio
from pipeline.files.lock import locked
from pipeline.label_studio.files import ServedFiles
from pipeline.local_label_studio import LocalLabelStudio, fresh_account
from pipeline.servers import label_studio
from pipeline.servers.processes import (
    INSTALL,
    ServerError,
    Servers,
    executable,
    free_port,
    port_is_free,
)
from pipeline.settings import Settings, child_environ
from pipeline.workspace import open_workspace

PORT = 8080  # of Label Studio
BACKEND_PORT = 9090
START_SECONDS = 300.0  # longest start of a server; Label Studio takes 6 to 30 s on an idle machine
WATCH_SECONDS = 1.0
USER = "wildloop@wildloop.example"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """The options of the command line."""

    port: int | None = None  # of Label Studio; None: as before, else 8080 or a free one
    host: str = "127.0.0.1"  # the address on which Label Studio listens
    alone: bool = False  # without ML backend and worker


def run(settings: Settings, options: StackOptions, say: Say) -> None:
    """Start everything and run until interrupted; all servers are stopped first.

    Label Studio's data lies in `label-studio` below the data folder, its account and address in
    `label-studio.json`, where the settings find them. Raises WildloopError if a server cannot be started,
    or ends.
    """
    label_studio.command(PORT)  # before anything is written: raises ServerError if it is not installed
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    busy = ServerError(
        f"`wildloop label-studio` runs for {settings.data_dir} already", remedy="stop it first, or use it"
    )
    with locked(settings.data_dir / "label-studio.lock", busy=busy):
        server = prepared(settings, options)
        open_workspace(settings).database.dispose()
        with Servers(settings.data_dir / "logs") as servers:
            _start(settings, server, options, servers, say)
            while True:
                servers.check()
                time.sleep(WATCH_SECONDS)


def prepared(settings: Settings, options: StackOptions) -> LocalLabelStudio:
    """The server of the last start with ports that are free now, or a new one; stored in the data folder.

    Raises ServerError if the port that the options name is taken, and SettingsError if the data folder is
    not below the document root.
    """
    served = ServedFiles.of(settings)
    try:
        former = local_label_studio.read(settings.data_dir)
    except ValueError as exc:
        raise ServerError(str(exc), remedy="delete it") from exc
    if options.port is not None and not port_is_free(options.port):
        raise ServerError(f"port {options.port} is taken", remedy="choose another --port, or none")
    port = options.port or free_port(_port(former.url) if former else PORT)
    server = LocalLabelStudio(
        url=f"http://localhost:{port}",
        backend_url=f"http://localhost:{free_port(_port(former.backend_url) if former else BACKEND_PORT)}",
        files_root=served.root,
        account=former.account if former else fresh_account(USER),
    )
    local_label_studio.write(settings.data_dir, server)
    return server


def _start(
    settings: Settings, server: LocalLabelStudio, options: StackOptions, servers: Servers, say: Say
) -> None:
    data_dir = settings.data_dir
    say(f"starting Label Studio (logs in {data_dir / 'logs'})")
    servers.start(
        "label-studio",
        label_studio.command(_port(server.url), host=options.host),
        label_studio.environ(
            server.account, url=server.url, data_dir=data_dir / "label-studio", served_dir=server.files_root
        ),
    )
    program, environ = executable("wildloop", remedy=INSTALL), _environ(settings, server)
    if not options.alone:
        port = str(_port(server.backend_url))
        servers.start("backend", [program, "serve", "--port", port, "--workers", "1"], environ)
        servers.wait_until_up(f"{server.backend_url}/health", seconds=START_SECONDS)
    servers.wait_until_up(f"{server.url}/health", seconds=START_SECONDS)
    if not options.alone:
        servers.start("worker", [program, "worker"], environ)  # now: its runs talk to Label Studio
    say(_told(settings, server, options))


def _told(settings: Settings, server: LocalLabelStudio, options: StackOptions) -> str:
    beside = "" if options.alone else f", the ML backend at {server.backend_url} and a worker"
    chosen = Settings.from_environ().label_studio_url
    other = "" if chosen == server.url else f"But LABEL_STUDIO_URL={chosen} comes first here: unset it.\n"
    return (
        f"Label Studio runs at {server.url}{beside}\n"
        f"  log in as {server.account.user} with the password {server.account.password}\n"
        f"Commands with the data folder {settings.data_dir} find it by themselves; others need\n"
        f"  export LABEL_STUDIO_URL={server.url} LABEL_STUDIO_API_KEY={server.account.token}\n"
        f"{other}Ctrl-C stops everything; the same command continues here."
    )


def _environ(settings: Settings, server: LocalLabelStudio) -> dict[str, str]:
    """The environment from which the backend and the worker read their settings."""
    return child_environ(
        {
            "WILDLOOP_DATA_DIR": str(settings.data_dir),
            "WILDLOOP_BACKEND_URL": server.backend_url,
            "LABEL_STUDIO_URL": server.url,
            "LABEL_STUDIO_API_KEY": server.account.token,
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(server.files_root),
        }
    )


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, url
    return port
