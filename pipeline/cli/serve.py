"""`wildloop serve`"""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=9090, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes, of 4 threads each."
)
def serve(host: str, port: int, workers: int) -> None:
    """Serve the ML backend that Label Studio talks to.

    Everything but /health wants basic auth (WILDLOOP_BASIC_AUTH_USER, WILDLOOP_BASIC_AUTH_PASSWORD), and
    /webhook the secret WILDLOOP_WEBHOOK_SECRET; what is not set is generated once into secrets.json of
    the data folder, where `wildloop project create` finds it too.
    """
    from backend.server import serve as serve_backend
    from pipeline.settings import Settings

    serve_backend(Settings.from_environ(), host=host, port=port, workers=workers)
